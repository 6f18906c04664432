package presencetest

import (
	"time"

	"github.com/wardroom/wardroom/presence"
)

// listCases are about looking.
var listCases = []testCase{
	{
		name: "list",
		why:  "Large rooms are listed in pages. A user who is there all the time must be in one of them, whoever comes and goes meanwhile.",
		run: func(s *script) {
			r := room("r")
			s.lists(r, "", 5, false)
			for _, u := range []string{"b", "d", "B", "a", "e", "c"} {
				s.do(r, "n", put(s.entry("n", u, "c1"+u)), put(s.entry("n", u, "c2"+u)))
			}
			s.lists(r, "", 10, false, "B", "a", "b", "c", "d", "e")
			s.lists(r, "", 6, false, "B", "a", "b", "c", "d", "e")
			s.lists(r, "", 5, true, "B", "a", "b", "c", "d")
			s.lists(r, "", 1, true, "B")
			s.lists(r, "B", 2, true, "a", "b")
			s.lists(r, "b", 3, false, "c", "d", "e")
			s.lists(r, "e", 3, false)
			s.lists(r, "zzz", 3, false)
			// The user of the cursor, and those before, may be gone.
			s.do(r, "n", removeUser("b"), removeUser("B"), put(s.entry("n", "bb", "x")))
			s.lists(r, "b", 2, true, "bb", "c")
			s.lists(r, "a\xff", 1, true, "bb")
			s.lists(everywhere("a"), "", 5, false)
		},
	},
	{
		name: "list invisible",
		why:  "Who is invisible is so to others. Users see themselves, and the Tracker decides who sees whom.",
		run: func(s *script) {
			hidden := s.entry("n", "ada", "c")
			hidden.Status = presence.Offline
			for _, scope := range []presence.Scope{room("r"), everywhere("ada")} {
				if out := s.do(scope, "n", put(hidden)); out.Users != 1 {
					s.t.Fatalf("%d users, want 1, who is invisible", out.Users)
				}
				s.lists(scope, "", 5, false, "ada")
				s.holds(scope, "ada", hidden)
			}
		},
	},
	{
		name: "absent",
		why:  "To ask for someone who is not there is no mistake.",
		run: func(s *script) {
			for _, scope := range []presence.Scope{room("r"), everywhere("ada")} {
				if r := s.get(scope, "ada"); len(r.Entries) != 0 || !r.Seen.IsZero() {
					s.t.Fatalf("Get in an empty scope: %+v", r)
				}
			}
			s.do(room("r"), "n", put(s.entry("n", "bob", "c")))
			s.holds(room("r"), "ada")
		},
	},
	{
		name: "last seen",
		why:  "When a user was last seen is when others last saw them: what they did while invisible is nobody's business.",
		run: func(s *script) {
			scope := everywhere("ada")
			e, other := s.entry("n", "ada", "c1"), s.entry("m", "ada", "c2")
			hidden := e
			hidden.Status = presence.Offline
			start := s.now
			at := func(minutes int, changes ...presence.Change) {
				s.now = start.Add(time.Duration(minutes) * time.Minute)
				s.do(scope, "n", changes...)
				s.do(room("r"), "n", changes...)
			}
			seen := func(when string, minutes int) {
				s.t.Helper()
				var want time.Time
				if minutes >= 0 {
					want = start.Add(time.Duration(minutes) * time.Minute)
				}
				if got := s.get(scope, "ada").Seen; !got.Equal(want) {
					s.t.Fatalf("%s: seen %v, want %v", when, got, want)
				}
				if got := s.get(room("r"), "ada").Seen; !got.IsZero() {
					s.t.Fatalf("%s: seen %v in a room, want nothing", when, got)
				}
			}
			at(0, put(hidden))
			seen("invisible from the start", -1)
			at(1, remove("ada", "c1"))
			seen("gone and never visible", -1)
			at(2, put(e), put(other))
			seen("visible", -1)
			at(3, remove("ada", "c2"))
			seen("visible with one connection less", -1)
			at(4, amend(hidden))
			seen("become invisible", 4)
			if r, _ := s.list(scope, "", 1); len(r) != 1 || !r[0].Seen.Equal(start.Add(4*time.Minute)) {
				s.t.Fatalf("List says otherwise than Get: %+v", r)
			}
			at(5, remove("ada", "c1"))
			seen("gone while invisible", 4)
			at(6, put(e))
			seen("back", -1)
			at(7, removeNode("n", 5))
			seen("gone with the node", 7)
			at(8, put(e))
			at(9, removeUser("ada"))
			seen("removed", 9)
			if s.exact() {
				time.Sleep(24 * time.Hour)
				s.do(room("x"), "n")
				seen("a day later", 9)
			}
		},
	},
}
