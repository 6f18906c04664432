// Package presence knows who is here: in a room, and anywhere.
//
// A [Tracker] is one node's part. It is told of the node's connections, which
// rooms they join and leave, and which [Status] they have. It writes that into
// a [Store] that all nodes share, and tells the host of every change that
// others can see, as an [Event], on one node and once.
//
// # Users and connections
//
// Users join and leave, not connections. A user is in a room while one of
// their connections is, on any node. What others see of a user is merged from
// those connections:
//
//   - Status is that of the most present one: Online before Away before Offline.
//   - Meta is the one that was set last.
//   - Name is that of the newest connection, Since that of the oldest.
//
// A connection whose status is Offline is invisible. It contributes nothing to
// what others see, and a user who has only such ones looks gone: lists omit
// them, though they still receive what is said.
//
// # Events
//
// What others see of a user in a room is either something or nothing. Each
// change of it is announced:
//
//	nothing → something      Joined; then Updated if there is more to say than
//	                         "online", or if the user was there unseen
//	something → something    Updated, when status or meta are others than before
//	something → nothing      Left, with a reason; or Updated with Offline when
//	                         the user stays and has become invisible
//
// So a user who joins invisible is not announced before they show, and one who
// leaves invisible is not announced at all.
//
// Events are those of the state in the store. A visit that begins and ends
// before it could be written down is not announced, neither its beginning nor
// its end.
//
// # When things fail
//
// A connection that breaks off is kept for [Options.Grace]; when its user is
// back by then, on any node, nobody notices. A node that dies is noticed when
// its lease in the store lapses, after [Options.Timeout] at most, and another
// node takes its connections out of the store and announces who has left.
//
// A Tracker knows what it wants the store to hold and what the store has
// confirmed. A call that failed is repeated as the same operation, so that the
// store can answer what it answered, or would have, the first time, and no
// transition is lost or announced twice. A store that lost its data is filled
// again by the nodes; the users in it are then announced anew.
//
// A store that goes back to older data, as a server does that took over from
// another and had not got all, lacks some entries and has some again that were
// removed. The next batch in such a scope finds that, and so does a sweep in
// all of them: every Options.Sweep, and at once when the host says so with
// [Tracker.Sweep]. Of who was lost, and who was there again, others are then
// told once more what is so: Joined, Updated, or Left with ReasonTimeout.
//
// What may be lost with a process that is killed are the announcements of changes which
// the store took in its last moment; lists are right even then.
//
// Package presencetest has the conformance suite for implementations of Store.
package presence
