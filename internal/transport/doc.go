// Package transport carries frames between sockets and rooms.
//
// Three things live here.
//
// A [Conn] is one WebSocket connection. coder/websocket does the handshake,
// unmasks, joins fragments, inflates and answers control frames; beneath it
// stands our own net.Conn, which reads with a pooled buffer, looks at every
// frame header before the library does (inbound.go), and owns the write side
// (outbound.go). A message that lies in that buffer as one whole frame is not
// shown to the library at all (whole.go).
//
// A [Log] is the run of encoded frames of one room in one encoding, and a
// [Member] is a connection's cursor into it. Publishing appends once, whatever
// the number of members; nothing is queued or copied per member. A member that
// has everything sleeps. [Log.Flush] writes to each sleeper all bytes between
// its cursor and the head with one call that does not block; a member whose
// socket is full is finished by a goroutine of its connection that exists only
// while there is something to finish, and closed with 4103 when it falls too
// far behind.
//
// A [Batch] makes the goroutine that read a burst of messages flush what they
// caused once, after the last of them, so that a burst in is a burst out with
// no timer between.
//
// A flush of a large room writes for tens of milliseconds. Every millisecond of
// that it takes a breath, so that input that came meanwhile is handled.
//
// Locks. Log.mu protects the log's chunks and who sleeps. Conn.mu protects the
// connection's write side and the cursors of its members. Conn.mu may be held
// while taking Log.mu, never the other way round, and neither is held while
// waiting for a socket.
package transport
