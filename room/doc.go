// Package room serves rooms over WebSocket: who may enter, what they may say,
// how much and how fast, who is there, and what was said.
//
// A [Server] is an http.Handler. [New] makes one from an authenticator, the
// rooms there may be, and options; everything else has a safe default and
// lives in memory until stores that nodes share are given.
//
//	srv, err := room.New(
//		room.WithAuthenticator(authenticator),
//		room.WithRooms("lobby", room.Settings{Permission: room.Public}),
//	)
//	mux.Handle("GET /ws", srv)
//
// Clients speak the protocol of [docs/PROTOCOL.md]; package room/js has the one
// for browsers. What follows is in the order in which an application needs it.
// The examples below are tests.
//
// # Who gets in
//
// A client brings a token, in the Authorization header, in a cookie
// ([WithCookie]) or, as browsers do, among the subprotocols. The authenticator
// of [WithAuthenticator] makes an [auth.Identity] of it, once: an expiry ends
// the connection unless the client renews, and [User.Revoke] ends it at once.
// Pages of other origins are refused ([WithOrigins]). Behind a reverse proxy say
// which ([WithTrustedProxies]), or all clients count as one; it has to pass
// Upgrade on, and to bear a silence of Limits.Heartbeat.
//
// # Which rooms there are
//
// [WithRooms] describes them by patterns, and [Settings] what those of one
// pattern have in common: the [Permission], how much is kept, limits, rules for
// content, moderators. What is different about one room is its [Record]. Where
// the host's database knows who belongs where, [OnJoin] asks it.
//
// # What the host does
//
// [Handle] answers typed calls, [Server.Use] wraps every request, the On…
// options take part in what clients do. [Server.Room] and [Server.User] act, from
// any goroutine: an HTTP handler, a job in the background. What they do reaches
// every node.
//
// The requests of one connection, and the hooks and handlers that they bring
// about, run one after the other; those of different connections run at once.
//
// # Data
//
// What is said is JSON, or bytes. Go values are marshalled and unmarshalled by
// the rules of encoding/json/v2: names of fields match only as they are written,
// so give them tags; omitempty leaves out what is empty in JSON and not 0 or
// false, for which there is omitzero; nil slices and maps become [] and {}; a
// time.Duration needs a format of the host's own; and a name that is there
// twice is an error.
//
// # Errors
//
// A hook or handler that returns an *[Error] says what the client is told;
// every other error is answered internal, and logged under an ID that the client
// is told. Methods of [Room] and [User] return an *[Error], to be looked at with
// [errors.Is]:
//
//	errors.Is(err, &room.Error{Code: room.CodeUnavailable}) // try again later
//	errors.Is(err, room.ErrNoRoom)                          // nobody has created it
//
// # Many nodes
//
// With the packages room/redisroom, presence/redispresence, auth/redissession and
// limit/redislimit any number of servers are one. [Store], [Broker] and the
// interfaces of those packages are contracts, and package roomtest has suites
// for them.
//
// # Watching and ending
//
// [Server.Health] says which store fails, [Server.Stats] and [Server.Rooms] how
// much there is on this node. What happens is logged as events with stable names
// ([WithLogger], [WithAudit]). [Server.Shutdown] sends clients away so that they
// come back elsewhere.
//
// # One message, from a socket to the members
//
// This is for those who read the code. Each step calls downward only; hall.append
// is the one way back up.
//
//   - internal/transport reads a frame, under a size cap and a deadline, and
//     calls Conn.handle (dispatch.go) on the connection's own goroutine.
//   - internal/wire decodes it into a Request.
//   - Conn.tooFast (pace.go) applies the connection's limits, then the
//     host's middleware runs, then Server.dispatch finds the request's method.
//   - Conn.publish (publish.go) finds the seat: whoever has one was let in by
//     join.go. It applies the limits of user and room, validates the data, and
//     asks the OnMessage hook.
//   - Broker.Publish (broker.go, memory_broker.go) gives the message its place
//     in the room's order and stores it. With a BatchBroker (batchbroker.go) it
//     waits for what the same read brought, and all of it is published and
//     answered together (burst.go).
//   - hall.append (hall.go) encodes it once and appends it to the room's logs.
//   - Conn.answer (dispatch.go) queues the reply.
//   - Conn.flush (conn.go) writes to every member, and the reply, when the
//     input that one read brought is handled.
//
// handshake.go is everything before the upgrade, join.go and leave.go are how
// one gets in and out of a room, permission.go and moderate.go are who may do
// what. store.go and broker.go are the contracts that memory_store.go,
// memory_broker.go and other packages fulfil.
//
// [docs/PROTOCOL.md]: https://github.com/wardroom/wardroom/blob/main/docs/PROTOCOL.md
package room
