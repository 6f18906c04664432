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
// Clients speak the protocol of docs/PROTOCOL.md; room/js is one. The host
// answers calls with [Handle], wraps requests with [Server.Use], takes part
// through the On… options, and acts with [Server.Room] and [Server.User].
//
// # One message, from a socket to the members
//
// Each step calls downward only; hall.append is the one way back up.
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
// # Files
//
// handshake.go is everything before the upgrade, join.go and leave.go are how
// one gets in and out of a room, permission.go and moderate.go are who may do
// what. store.go and broker.go are the contracts that memory_store.go,
// memory_broker.go and other packages fulfil.
package room
