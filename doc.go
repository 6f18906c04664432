// Package wardroom is the entrance to a library for rooms over WebSocket: who
// may connect, who may enter which room, what they may send and how fast, who
// is there, and what was said. It is safe by default, runs in one process
// without any service, and is mounted like every other http.Handler. This
// package holds no code; what there is to import stands below.
//
// # Quick start
//
// A server with a public room that keeps a day of history, for users who bring
// a JSON Web Token signed with a shared key:
//
//	func main() {
//		tokens, err := jwtauth.New(jwtauth.WithIssuer(jwtauth.Issuer{
//			Name:      "https://login.example.com",
//			Audiences: []string{"chat"},
//			Keys:      []jwtauth.Key{jwtauth.HMAC("", []byte(os.Getenv("TOKEN_KEY")))},
//		}))
//		if err != nil {
//			log.Fatal(err)
//		}
//		srv, err := room.New(
//			room.WithAuthenticator(tokens),
//			room.WithOrigins("https://app.example.com"),
//			room.WithRooms("lobby", room.Settings{Permission: room.Public, History: room.Keep(1000, 24*time.Hour)}),
//		)
//		if err != nil {
//			log.Fatal(err)
//		}
//		http.Handle("GET /ws", srv)
//		http.Handle("GET /js/", js.Handler())
//		server := &http.Server{Addr: "127.0.0.1:8080", ReadHeaderTimeout: 5 * time.Second}
//		log.Fatal(server.ListenAndServe())
//	}
//
// And in the page:
//
//	import { Client } from "/js/wardroom.js";
//	const client = new Client("/ws", { token: () => fetchToken() });
//	await client.connect();
//	const lobby = await client.join("lobby");
//	lobby.on("message", (m) => console.log(m.from, m.data));
//	await lobby.publish("hello");
//
// Without an authenticator [room.New] fails; from another origin nobody
// connects; a room that no pattern describes does not exist. Each way to be
// less strict has a name that begins with Insecure or Allow.
//
// # Reading order
//
// For those who build on it:
//
//   - examples/chat is a whole application, short and commented: start here.
//   - [github.com/wardroom/wardroom/room] is the server: options, rooms,
//     connections, handlers, hooks. Its package comment follows one message
//     through the files.
//   - [github.com/wardroom/wardroom/auth] is about who somebody is:
//     authenticators, where credentials come from, identities and what they
//     may do. [github.com/wardroom/wardroom/auth/jwtauth] verifies JSON Web
//     Tokens.
//   - [github.com/wardroom/wardroom/validate] is about what may be said,
//     [github.com/wardroom/wardroom/limit] how fast, and
//     [github.com/wardroom/wardroom/presence] who is there. Each stands by
//     itself and can be used without rooms.
//   - room/redisroom, presence/redispresence, auth/redissession and
//     limit/redislimit are what many nodes share, in Redis;
//     [github.com/wardroom/wardroom/redisclient] connects to one that need not
//     be up yet. examples/cluster shows it, and what happens when things break.
//   - [github.com/wardroom/wardroom/room/js] is the browser client, embedded.
//   - [github.com/wardroom/wardroom/room/roomtest] tests your handlers and
//     permissions in-process, without a port.
//
// For those who work on it, from the bytes up:
//
//   - docs/PROTOCOL.md is the contract on the wire, docs/DESIGN.md the reasons.
//   - internal/wire turns frames into requests and back: the only place that
//     knows the encoding.
//   - internal/transport owns sockets: accepting, reading under deadlines, and
//     the log of encoded bytes per room that members read through cursors.
//   - internal/origin matches Origin headers.
//   - internal/deps is a test of who may import what.
//
// Imports point one way: examples, then adapters such as jwtauth, then room,
// then the packages that know of no other.
//
// [room.New]: https://pkg.go.dev/github.com/wardroom/wardroom/room#New
package wardroom
