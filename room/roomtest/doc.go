// Package roomtest tests what is built with package room, and what package
// room is built on.
//
// # Applications
//
// A [Server] and its clients live in the test's process, without a port, and
// speak through the real handler, handshake and wire protocol:
//
//	func TestVote(t *testing.T) {
//		srv := roomtest.NewServer(t, room.WithRooms("poll", room.Settings{Permission: room.Public}))
//		room.Handle(srv.Server, "vote", vote)
//
//		ada, bob := srv.Connect(t, "ada"), srv.Connect(t, "bob")
//		ada.Join("poll")
//		bob.Join("poll")
//		roomtest.Call[Tally](ada, "poll", "vote", Vote{For: "tea"})
//		bob.ExpectEvent("poll", "tally", Tally{Tea: 1})
//		ada.RefuteEvent("poll", "winner", time.Second)
//	}
//
// What an Expect method waits for must come within a few seconds, or the test
// fails with what came instead. Everything works inside a bubble of
// testing/synctest too, where that waiting, and every timeout of the server,
// takes no time.
//
// An application that makes its own room.Server, behind its own handlers, is
// reached with [Dial].
//
// # Stores and brokers
//
// [TestStore] and [TestBroker] are the conformance suites for implementations
// of room.Store and room.Broker:
//
//	func TestMyStore(t *testing.T) {
//		roomtest.TestStore(t, func(t *testing.T) room.Store { return mystore.New(…) })
//	}
//
// Each sentence of the contracts has a subtest, whose failure says what was
// asked, what came back, and why it matters.
package roomtest
