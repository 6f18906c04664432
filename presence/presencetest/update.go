package presencetest

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/wardroom/wardroom/presence"
)

// updateCases are about what a batch does.
var updateCases = []testCase{
	{
		name: "entries",
		why:  "An entry that comes back other than it was written shows a user with a wrong name, status or meta on all other nodes.",
		run: func(s *script) {
			r := room("r")
			full := s.entry("n", "ada", "c1")
			bare := presence.Entry{User: "ada", Connection: "c2", Node: "n", Status: presence.Away, Since: s.now.Add(time.Millisecond)}
			hidden := s.entry("n", "bob", "c3")
			hidden.Status = presence.Offline
			hidden.Meta = []byte("{\"a\":\"\\u0000 \x00 \xff \n\"}")
			out := s.do(r, "n", put(full), put(bare), put(hidden))
			s.changes(out, 2, transition("ada", nil, entries(full, bare)), transition("bob", nil, entries(hidden)))
			s.holds(r, "ada", full, bare)
			s.holds(r, "bob", hidden)
			records, _ := s.list(r, "", 10)
			if len(records) != 2 || !sameEntries(records[0].Entries, entries(full, bare)) || !sameEntries(records[1].Entries, entries(hidden)) {
				s.t.Fatalf("List: %+v", records)
			}
		},
	},
	{
		name: "put",
		why:  "A node that has lost its lease writes its connections again under a new one. If the old entry stays beside the new one, or in its place, users are announced as gone when the old lease is cleared away.",
		run: func(s *script) {
			r := room("r")
			first, second := s.entry("n1", "ada", "c"), s.entry("n2", "ada", "c")
			second.Status = presence.Away
			s.do(r, "n1", put(first))
			s.changes(s.do(r, "n2", put(second)), 1, transition("ada", entries(first), entries(second)))
			s.holds(r, "ada", second)
			if out := s.do(r, "n3", removeNode("n1", 10)); len(out.Transitions) != 0 || out.More {
				s.t.Fatalf("RemoveNode on a node whose entry went to another: %+v", out)
			}
			s.holds(r, "ada", second)
			s.changes(s.do(r, "n3", removeNode("n2", 10)), 0, transition("ada", entries(second), nil))
		},
	},
	{
		name: "amend",
		why:  "A change of status that is under way while the user is kicked must not bring them back.",
		run: func(s *script) {
			r := room("r")
			e := s.entry("n", "ada", "c1")
			s.changes(s.do(r, "n", amend(e)), 0, transition("ada", nil, nil))
			s.holds(r, "ada")
			s.do(r, "n", put(e))
			other := s.entry("n", "ada", "c2")
			s.changes(s.do(r, "n", amend(other)), 1, transition("ada", entries(e), entries(e)))
			away := e
			away.Status, away.Meta, away.Name = presence.Away, []byte(`{}`), "Countess"
			s.changes(s.do(r, "n", amend(away)), 1, transition("ada", entries(e), entries(away)))
			s.holds(r, "ada", away)
		},
	},
	{
		name: "remove",
		why:  "Who is the last connection of a user to go decides that the user has left. Before and After are all that the node has to tell by.",
		run: func(s *script) {
			r := room("r")
			one, two := s.entry("n1", "ada", "c1"), s.entry("n2", "ada", "c2")
			s.changes(s.do(r, "n1", put(one)), 1, transition("ada", nil, entries(one)))
			s.changes(s.do(r, "n2", put(two)), 1, transition("ada", entries(one), entries(one, two)))
			s.changes(s.do(r, "n1", remove("ada", "c9")), 1, transition("ada", entries(one, two), entries(one, two)))
			s.changes(s.do(r, "n1", remove("bob", "c1")), 1, transition("bob", nil, nil))
			// Whichever node it belongs to: the lease may have changed meanwhile.
			s.changes(s.do(r, "n2", remove("ada", "c1")), 1, transition("ada", entries(one, two), entries(two)))
			s.changes(s.do(r, "n2", remove("ada", "c2")), 0, transition("ada", entries(two), nil))
			s.changes(s.do(r, "n2", remove("ada", "c2")), 0, transition("ada", nil, nil))
		},
	},
	{
		name: "remove user",
		why:  "A user who is kicked leaves once and at once, with all connections on all nodes. Those on other nodes go on writing there without having lost anything.",
		run: func(s *script) {
			r := room("r")
			one, two, bob := s.entry("n1", "ada", "c1"), s.entry("n2", "ada", "c2"), s.entry("n1", "bob", "c3")
			s.do(r, "n1", put(one), put(bob))
			last := s.batch(r, "n2", put(two))
			s.update(last)
			s.changes(s.do(r, "n1", removeUser("ada")), 1, transition("ada", entries(one, two), nil))
			s.changes(s.do(r, "n1", removeUser("ada")), 1, transition("ada", nil, nil))
			s.holds(r, "bob", bob)
			next := s.batch(r, "n2", amend(two))
			next.Prev = last.Op
			s.changes(s.update(next), 1, transition("ada", nil, nil))
		},
	},
	{
		name: "remove node",
		why:  "A survivor clears a dead node away in pieces, and announces each user whose last connection went. What it misses stays for ever; what it takes from others is a user that vanishes.",
		run: func(s *script) {
			r := room("r")
			both, mine := s.entry("dead", "ada", "c1"), s.entry("live", "ada", "c2")
			s.do(r, "live", put(mine))
			s.do(r, "dead", put(both))
			users := []string{"u1", "u2", "u3", "u4", "u5"}
			for _, u := range users {
				s.do(r, "dead", put(s.entry("dead", u, "c"+u)))
			}
			left := map[string]bool{}
			count := 0
			for more := true; more; {
				out := s.do(r, "live", removeNode("dead", 2))
				if len(out.Transitions) > 2 {
					s.t.Fatalf("%d transitions with a limit of 2", len(out.Transitions))
				}
				for _, tr := range out.Transitions {
					count++
					if len(tr.After) == 0 {
						left[tr.User] = true
					}
				}
				more = out.More
				if more == (count == 6) {
					s.t.Fatalf("More is %t when %d of 6 entries are removed", more, count)
				}
			}
			if len(left) != 5 || left["ada"] {
				s.t.Fatalf("users with nothing left: %v", left)
			}
			s.holds(r, "ada", mine)
			if out := s.do(r, "live", removeNode("dead", 2)); out.More || len(out.Transitions) != 0 || out.Users != 1 {
				s.t.Fatalf("RemoveNode with nothing there: %+v", out)
			}
			s.do(r, "dead", put(s.entry("dead", "ada", "c1")), put(s.entry("dead", "ada", "c3")))
			if out := s.do(r, "live", removeNode("dead", 2)); out.More || len(out.Transitions) != 1 || !sameEntries(out.Transitions[0].After, entries(mine)) {
				s.t.Fatalf("RemoveNode with two entries of a user: %+v", out)
			}
		},
	},
	{
		name: "batch",
		why:  "A user who changes from one connection to another in one batch was there all the time, and one who came and went in it was never there. A transition for each step would announce both.",
		run: func(s *script) {
			r := room("r")
			one, two := s.entry("n", "ada", "c1"), s.entry("n", "ada", "c2")
			bob, away := s.entry("n", "bob", "c3"), s.entry("n", "bob", "c3")
			away.Status = presence.Away
			s.do(r, "n", put(one))
			out := s.do(r, "n",
				put(bob), remove("ada", "c1"), put(two), amend(away),
				put(s.entry("n", "zoe", "c4")), remove("zoe", "c4"),
				put(s.entry("n", "Bob", "c5")))
			s.changes(out, 3,
				transition("Bob", nil, entries(s.entry("n", "Bob", "c5"))),
				transition("ada", entries(one), entries(two)),
				transition("bob", nil, entries(away)),
				transition("zoe", nil, nil))
			s.changes(s.do(r, "n"), 3)
			out = s.do(r, "n", removeUser("ada"), put(one), removeNode("n", 2))
			if out.Users != 1 || !out.More {
				s.t.Fatalf("RemoveNode for 2 of 3 entries in the batch: %+v", out)
			}
		},
	},
	{
		name: "scopes",
		why:  "Rooms and users may have the same names, and any characters. One that is taken for another shows people where they are not.",
		run: func(s *script) {
			scopes := []presence.Scope{
				room("a"), everywhere("a"), room("A"), room("a "), room("a\x00"), room("a\x00b"), room("a:b"), room("{a}"),
				room("a/b"), room("*"), room("a\n"), room("ä"), room("a\u0308"), room("\xff"), room(strings.Repeat("a", 300)), everywhere("a:b"),
			}
			for i, sc := range scopes {
				user := "a"
				if sc.Room == "" {
					user = sc.User
				}
				if out := s.do(sc, "n", put(s.entry("n", user, "c"))); out.Users != 1 || len(out.Transitions) != 1 || len(out.Transitions[0].Before) != 0 {
					s.t.Fatalf("scope %d, %+v, is not empty at first: %+v", i, sc, out)
				}
			}
			for _, sc := range scopes {
				if sc != room("a") {
					s.do(sc, "m", removeNode("n", 1))
				}
			}
			s.holds(room("a"), "a", s.entry("n", "a", "c"))
		},
	},
	{
		name: "names",
		why:  "User, connection and node IDs are the host's own, and may be any bytes.",
		run: func(s *script) {
			r := room("r")
			ids := []string{"a", "A", "a ", "a\x00", "a\x00b", "a:b", "b", "{a}", "*", "\n", "ä", "a\u0308", "\xff", "1", "01", "1.0", strings.Repeat("a", 300)}
			for _, user := range ids {
				s.do(r, "n"+user, put(s.entry("n"+user, user, "c"+user)), put(s.entry("n"+user, user, "d"+user)))
			}
			for _, user := range ids {
				s.holds(r, user, s.entry("n"+user, user, "c"+user), s.entry("n"+user, user, "d"+user))
			}
			for i, user := range ids {
				out := s.do(r, "m", removeNode("n"+user, 5))
				if len(out.Transitions) != 1 || out.Transitions[0].User != user || out.Users != len(ids)-i-1 {
					s.t.Fatalf("RemoveNode of %q: %+v", "n"+user, out)
				}
			}
			// Parts that could run into each other.
			s.do(r, "n", put(s.entry("n", "a", "bc")), put(s.entry("n", "ab", "c")), put(s.entry("n", "a:b", "c")), put(s.entry("n", "a", "b:c")))
			s.holds(r, "a", s.entry("n", "a", "b:c"), s.entry("n", "a", "bc"))
			s.holds(r, "ab", s.entry("n", "ab", "c"))
		},
	},
	{
		name: "revision",
		why:  "Two nodes announce changes of one user at about the same time; the revision is how a receiver tells which holds.",
		run: func(s *script) {
			r := room("r")
			var last uint64
			for i := range 20 {
				node := []string{"n1", "n2"}[i%2]
				out := s.do(r, node, put(s.entry(node, "ada", node)))
				if i%5 == 4 {
					out = s.do(r, node, removeNode("n1", 5), removeNode("n2", 5))
				}
				if out.Revision <= last || out.Revision > math.MaxInt64 {
					s.t.Fatalf("revision %d after %d", out.Revision, last)
				}
				last = out.Revision
			}
		},
	},
	{
		name: "ownership",
		why:  "A slice that the store and a caller both write to is a data race, or a list that changes while it is sent.",
		run: func(s *script) {
			r := room("r")
			one, two := s.entry("n", "ada", "c1"), s.entry("n", "ada", "c2")
			b := s.batch(r, "n", put(one), put(two))
			changes := b.Changes
			out, err := s.store.Update(s.t.Context(), b)
			if err != nil {
				s.t.Fatal(err)
			}
			changes[0], changes[1] = remove("ada", "c1"), put(s.entry("x", "x", "x"))
			again := s.update(b)
			for _, list := range [][]presence.Entry{out.Transitions[0].After, again.Transitions[0].After, s.get(r, "ada").Entries} {
				list[0] = presence.Entry{}
				_ = append(list[:1], presence.Entry{})
			}
			out.Transitions[0].User = "x"
			again.Transitions[0].User = "x"
			records, _ := s.list(r, "", 5)
			records[0].Entries[0] = presence.Entry{}
			records[0].User = "x"
			s.changes(s.update(b), 1, transition("ada", nil, entries(one, two)))
			s.holds(r, "ada", one, two)
			s.lists(r, "", 5, false, "ada")
		},
	},
	{
		name: "context",
		why:  "A caller that gave up must hear so, in words that errors.Is understands, and not hang.",
		run: func(s *script) {
			r := room("r")
			s.beat("n", s.unit)
			e := s.entry("n", "ada", "c")
			s.do(r, "n", put(e))
			ctx, cancel := context.WithCancel(s.t.Context())
			cancel()
			_, updated := s.store.Update(ctx, s.batch(r, "n", put(s.entry("n", "bob", "d"))))
			_, got := s.store.Get(ctx, r, "ada")
			_, _, listed := s.store.List(ctx, r, "", 5)
			_, beaten := s.store.Beat(ctx, "n", s.unit)
			_, handed := s.store.Orphans(ctx, "n", 5)
			for name, err := range map[string]error{"Update": updated, "Get": got, "List": listed, "Beat": beaten, "Orphans": handed} {
				if !errors.Is(err, context.Canceled) {
					s.t.Errorf("%s with a cancelled context: %v", name, err)
				}
			}
			s.holds(r, "ada", e)
		},
	},
	{
		name: "many",
		why:  "After a loss a node writes everything it has in batches of some hundred changes.",
		run: func(s *script) {
			r := room("r")
			var changes []presence.Change
			for i := range 300 {
				changes = append(changes, put(s.entry("n", "user"+strings.Repeat("x", i), "c")))
			}
			out := s.do(r, "n", changes...)
			if len(out.Transitions) != 300 || out.Users != 300 {
				s.t.Fatalf("%d transitions and %d users of 300", len(out.Transitions), out.Users)
			}
			if out = s.do(r, "m", removeNode("n", 256)); !out.More || len(out.Transitions) != 256 || out.Users != 44 {
				s.t.Fatalf("RemoveNode: %d transitions, %d users, more %t", len(out.Transitions), out.Users, out.More)
			}
		},
	},
}
