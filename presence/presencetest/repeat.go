package presencetest

import (
	"errors"
	"time"

	"github.com/wardroom/wardroom/presence"
)

// repeatCases are about answers that got lost, and stores that have lost data.
var repeatCases = []testCase{
	{
		name: "repeat",
		why:  "When an answer gets lost the node asks again. An answer that says nothing has changed loses the announcement; a batch that is made twice undoes what others did in between.",
		run: func(s *script) {
			r := room("r")
			one, two := s.entry("n", "ada", "c1"), s.entry("m", "ada", "c2")
			join := s.batch(r, "n", put(one))
			s.changes(s.update(join), 1, transition("ada", nil, entries(one)))
			s.changes(s.update(join), 1, transition("ada", nil, entries(one)))
			s.do(r, "m", put(two), remove("ada", "c1"))
			out := s.update(join)
			if !sameTransitions(out.Transitions, []presence.Transition{transition("ada", nil, entries(one))}) {
				s.t.Fatalf("repeated, after another node's batch: %+v", out.Transitions)
			}
			s.holds(r, "ada", two)

			leave := s.batch(r, "m", remove("ada", "c2"))
			first := s.update(leave)
			s.changes(first, 0, transition("ada", entries(two), nil))
			again := s.update(leave)
			s.changes(again, 0, transition("ada", entries(two), nil))
			if again.Revision != first.Revision {
				s.t.Fatalf("revision %d, when repeated %d", first.Revision, again.Revision)
			}

			s.do(r, "n", put(one), put(s.entry("n", "bob", "c3")), put(s.entry("n", "zoe", "c4")))
			reap := s.batch(r, "m", removeNode("n", 2))
			s.update(reap)
			if out := s.update(reap); len(out.Transitions) != 2 || !out.More {
				s.t.Fatalf("repeated RemoveNode: %+v", out)
			}
			if _, more := s.list(r, "", 1); more {
				s.t.Fatal("RemoveNode with a limit of 2 was made twice, or not at all")
			}
		},
	},
	{
		name: "repeat elsewhere",
		why:  "A node has many rooms in flight, and nodes number their batches alike. A batch that is taken for that of another room or node is never made.",
		run: func(s *script) {
			a, b := room("a"), room("b")
			e, f := s.entry("n", "ada", "c1"), s.entry("m", "bob", "c2")
			in := func(scope presence.Scope, node string, op uint64, e presence.Entry) presence.Outcome {
				return s.update(presence.Batch{Scope: scope, Node: node, Op: op, At: s.now, Changes: []presence.Change{put(e)}})
			}
			s.changes(in(a, "n", 7, e), 1, transition("ada", nil, entries(e)))
			s.changes(in(a, "m", 7, f), 2, transition("bob", nil, entries(f)))
			s.changes(in(b, "n", 8, e), 1, transition("ada", nil, entries(e)))
			s.changes(in(everywhere("ada"), "n", 9, e), 1, transition("ada", nil, entries(e)))
			s.do(a, "n2", removeUser("ada"))
			out := in(a, "n", 7, e)
			if len(out.Transitions) != 1 || len(out.Transitions[0].After) != 1 {
				s.t.Fatalf("repeated after batches elsewhere: %+v", out)
			}
			s.holds(a, "ada")
			// It builds upon 7, and 7 alone.
			s.lost(presence.Batch{Scope: a, Node: "n", Op: 10, Prev: 8, At: s.now})
			s.lost(presence.Batch{Scope: b, Node: "n", Op: 10, Prev: 7, At: s.now})
			s.lost(presence.Batch{Scope: everywhere("bob"), Node: "n", Op: 10, Prev: 9, At: s.now})
			s.update(presence.Batch{Scope: a, Node: "n", Op: 10, Prev: 7, At: s.now})
		},
	},
	{
		name: "late copy",
		why:  "A batch that timed out may still be on its way when its repetition and others were answered. Made then, it brings back who has left.",
		run: func(s *script) {
			r := room("r")
			join := s.batch(r, "n", put(s.entry("n", "ada", "c1")))
			s.update(join)
			leave := s.batch(r, "n", remove("ada", "c1"))
			leave.Prev = join.Op
			s.update(leave)
			if out, err := s.store.Update(s.t.Context(), join); err == nil || errors.Is(err, presence.ErrLost) {
				s.t.Fatalf("a late copy: %+v, %v, want an error that is not ErrLost", out, err)
			}
			s.holds(r, "ada")
		},
	},
	{
		name: "repeat later",
		why:  "Nodes try again for as long as the store is away.",
		run: func(s *script) {
			if !s.exact() {
				return
			}
			r := room("r")
			one, two := s.entry("n", "ada", "c1"), s.entry("m", "bob", "c2")
			join := s.batch(r, "n", put(one))
			s.update(join)
			s.do(r, "m", put(two))
			leave := s.batch(r, "m", remove("bob", "c2"))
			s.update(leave)
			time.Sleep(time.Minute - time.Millisecond)
			s.do(room("other"), "x", put(s.entry("x", "zoe", "c")))
			s.changes(s.update(leave), 1, transition("bob", entries(two), nil))
			time.Sleep(time.Hour)
			s.do(room("other"), "x", remove("zoe", "c"))
			s.changes(s.update(join), 1, transition("ada", nil, entries(one)))
			next := s.batch(r, "n", amend(one))
			next.Prev = join.Op
			s.changes(s.update(next), 1, transition("ada", entries(one), entries(one)))
		},
	},
	{
		name: "lost",
		why:  "A store that was emptied, or went back to older data, holds other than the node believes. The node must hear of it before anything is built upon it, or users stay missing, or stay for ever.",
		run: func(s *script) {
			r := room("r")
			e := s.entry("n", "ada", "c1")
			nothing := s.batch(r, "n", put(e))
			nothing.Prev = 99
			s.lost(nothing)
			s.holds(r, "ada")
			s.lists(r, "", 5, false)

			first := s.batch(r, "n", put(e))
			s.update(first)
			older := s.batch(r, "n", remove("ada", "c1"))
			older.Prev = first.Op + 50
			s.lost(older)
			s.holds(r, "ada", e)
			// The batch that failed is not the last one.
			next := s.batch(r, "n", put(s.entry("n", "bob", "c2")))
			next.Prev = first.Op
			s.update(next)
			empty := s.batch(r, "n")
			empty.Prev = first.Op
			s.lost(empty)
			empty.Prev = next.Op
			s.changes(s.update(empty), 2)
			// Without Prev there is nothing to be wrong about.
			s.changes(s.do(r, "n", amend(e)), 2, transition("ada", entries(e), entries(e)))
		},
	},
	{
		name: "bare",
		why:  "A failover may give back to a node whom it has removed. Unless the node hears of it when it comes to the room again, or asks, they stay for as long as it lives.",
		run: func(s *script) {
			bare := func(scope presence.Scope, node string, changes ...presence.Change) presence.Batch {
				b := s.batch(scope, node, changes...)
				b.Bare = true
				return b
			}
			for _, scope := range []presence.Scope{room("r"), everywhere("ada")} {
				e, later := s.entry("n", "ada", "c1"), s.entry("n", "ada", "c2")
				e.Status = presence.Offline
				s.changes(s.update(bare(scope, "n")), 0)
				join := bare(scope, "n", put(e))
				s.changes(s.update(join), 1, transition("ada", nil, entries(e)))
				s.changes(s.update(join), 1, transition("ada", nil, entries(e)))
				s.lost(bare(scope, "n"))
				s.lost(bare(scope, "n", put(later), removeNode("n", 5)))
				s.holds(scope, "ada", e)
				// What was refused is not the node's last batch.
				next := s.batch(scope, "n", amend(e))
				next.Prev = join.Op
				s.update(next)
				// Others may be there.
				other := s.entry("m", "ada", "c3")
				s.changes(s.update(bare(scope, "m", put(other))), 1, transition("ada", entries(e), entries(e, other)))
				s.changes(s.update(bare(room("elsewhere"), "n")), 0)
				s.do(scope, "k", removeUser("ada"))
				s.update(bare(scope, "n", put(later)))
				s.update(bare(scope, "m"))
				s.do(scope, "n", remove("ada", "c2"))
				s.update(bare(scope, "n"))
			}
			r := room("two")
			s.do(r, "n", put(s.entry("n", "ada", "c1")), put(s.entry("n", "bob", "c2")))
			s.do(r, "m", removeNode("n", 1))
			s.lost(bare(r, "n"))
			s.do(r, "m", removeNode("n", 1))
			s.update(bare(r, "n", put(s.entry("n", "zoe", "c3"))))
			s.lists(r, "", 5, false, "zoe")
		},
	},
	{
		name: "lost to a survivor",
		why:  "A node that slept while others cleared its entries away has to hear of it. Otherwise its users stay missing as long as they are connected.",
		run: func(s *script) {
			r := room("r")
			b := s.batch(r, "n", put(s.entry("n", "ada", "c1")), put(s.entry("n", "bob", "c2")))
			s.update(b)
			s.do(r, "m", removeNode("n", 1))
			next := s.batch(r, "n", put(s.entry("n", "zoe", "c3")))
			next.Prev = b.Op
			s.lost(next)
			s.do(r, "m", removeNode("n", 5))
			s.lost(next)
			s.lists(r, "", 5, false)
			// Others' Remove is something else: see "remove user".
			b = s.batch(r, "k", put(s.entry("k", "ada", "c4")))
			s.update(b)
			s.do(r, "m", remove("ada", "c4"))
			next = s.batch(r, "k", remove("ada", "c4"))
			next.Prev = b.Op
			s.changes(s.update(next), 0, transition("ada", nil, nil))
		},
	},
}
