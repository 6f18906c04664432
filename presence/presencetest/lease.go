package presencetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/wardroom/wardroom/presence"
)

// leaseCases are about nodes that live and die.
var leaseCases = []testCase{
	{
		name: "lease",
		why:  "A node that is alive must not be taken for dead, nor one that is dead for alive: its users would stay for ever.",
		run: func(s *script) {
			if l := s.beat("n", 2*s.unit); !l.Fresh || l.Lapsed || l.Next != 0 {
				s.t.Fatalf("first beat: %+v", l)
			}
			for range 3 {
				s.sleep(1)
				if l := s.beat("n", 2*s.unit); l.Fresh || l.Lapsed || l.Next != 0 {
					s.t.Fatalf("further beat: %+v", l)
				}
			}
			if s.exact() {
				time.Sleep(2*s.unit - 1)
				s.beat("n", 2*s.unit)
				time.Sleep(2 * s.unit)
			} else {
				s.sleep(3)
			}
			s.lapsed("n")
			s.lapsed("n") // asking has not renewed it
			if l := s.beat("m", s.unit); !l.Fresh || !l.Lapsed || l.Next != 0 {
				s.t.Fatalf("another node's first beat, after the lapse: %+v", l)
			}
		},
	},
	{
		name: "shorter lease",
		why:  "A node that shuts down leaves its lease for the time of the grace. Its users would stay for the rest of the old one.",
		run: func(s *script) {
			s.beat("n", 20*s.unit)
			s.beat("n", s.unit)
			s.beat("m", 20*s.unit)
			s.sleep(1.5)
			s.lapsed("n")
			s.beat("m", 0)
			s.lapsed("m")
			s.beat("k", -s.unit)
			s.lapsed("k")
		},
	},
	{
		name: "next",
		why:  "Next is when survivors look for the dead. Without it they come late, by as much as their own interval.",
		run: func(s *script) {
			// beat checks a beat's Next against that of another node's lease.
			type lease struct{ least, most time.Time } // when it lapses
			beat := func(node string, ttl time.Duration, next lease, lapsed bool) lease {
				from := time.Now()
				l := s.beat(node, ttl)
				to := time.Now()
				if l.Lapsed != lapsed {
					s.t.Fatalf("%s: %+v, want a lapse: %t", node, l, lapsed)
				}
				least, most := next.least.Sub(to)-s.slack(), next.most.Sub(from)+s.slack()
				if next == (lease{}) {
					least, most = 0, 0
				}
				if l.Next < least || l.Next > most {
					s.t.Fatalf("%s: the next lapse is in %v, want it in %v to %v", node, l.Next, least, most)
				}
				return lease{from.Add(ttl), to.Add(ttl)}
			}
			a := beat("a", 3*s.unit, lease{}, false)
			b := beat("b", 5*s.unit, a, false)
			beat("c", s.unit/2, a, false)
			s.sleep(1)
			// c has lapsed, which says nothing about the next one.
			a = beat("a", 20*s.unit, b, true)
			beat("b", 20*s.unit, a, true)
		},
	},
	{
		name: "orphans",
		why:  "Orphans is how survivors find the entries of the dead. A scope that is missing stays full of ghosts; one of a live node would be emptied.",
		run: func(s *script) {
			for _, node := range []string{"dead", "live"} {
				s.beat(node, 20*s.unit)
				s.do(room("r"), node, put(s.entry(node, "ada", "c1"+node)))
				s.do(everywhere("ada"), node, put(s.entry(node, "ada", "c1"+node)))
				s.do(room("gone"), node, put(s.entry(node, "bob", "c2"+node)))
				s.do(room("gone"), node, remove("bob", "c2"+node))
			}
			s.do(room("s"), "dead", put(s.entry("dead", "ada", "c")))
			s.hands("live")
			s.beat("dead", 0)
			if l := s.beat("live", 20*s.unit); !l.Lapsed {
				s.t.Fatal("a beat does not tell that a lease has lapsed")
			}
			seen := map[presence.Scope]bool{}
			for _, o := range s.orphans("live", 100) {
				if o.Node != "dead" || seen[o.Scope] {
					s.t.Fatalf("orphan %+v, of another node or twice", o)
				}
				seen[o.Scope] = true
			}
			delete(seen, room("gone")) // it may be there
			for _, scope := range []presence.Scope{room("r"), room("s"), everywhere("ada")} {
				if !seen[scope] {
					s.t.Fatalf("%+v is missing among the orphans", scope)
				}
				delete(seen, scope)
				if !s.beat("live", 20*s.unit).Lapsed {
					s.t.Fatal("a dead node is forgotten while it has entries")
				}
				s.do(scope, "live", removeNode("dead", 5))
			}
			if len(seen) > 0 {
				s.t.Fatalf("orphans that were never there: %v", seen)
			}
			s.do(room("gone"), "live", removeNode("dead", 5))
			s.hands("live")
			if s.beat("live", 20*s.unit).Lapsed {
				s.t.Fatal("a dead node without entries is not forgotten")
			}
			s.lapsed("dead")
			if s.exact() {
				for hour := range 23 {
					time.Sleep(time.Hour)
					s.beat(fmt.Sprint("other", hour), time.Minute)
				}
				s.lapsed("dead")
			}
		},
	},
	{
		name: "orphans in pages",
		why:  "A node dies with ten thousand rooms. They are cleared some at a time, and every one of them.",
		run: func(s *script) {
			s.beat("live", 50*s.unit)
			s.beat("dead", 50*s.unit)
			for i := range 25 {
				s.do(room(fmt.Sprint(i)), "dead", put(s.entry("dead", "ada", "c")))
			}
			s.beat("dead", 0)
			for cleared := 0; cleared < 25; {
				list := s.orphans("live", 10)
				if want := min(10, 25-cleared); len(list) != want {
					s.t.Fatalf("%d orphans of %d with a limit of 10", len(list), 25-cleared)
				}
				for _, o := range list {
					s.changes(s.do(o.Scope, "live", removeNode(o.Node, 5)), 0, transition("ada", entries(s.entry("dead", "ada", "c")), nil))
				}
				cleared += len(list)
			}
			s.hands("live")
		},
	},
	{
		name: "heirs",
		why:  "Clearing a dead node away is work for one survivor, and for another when that one dies over it.",
		run: func(s *script) {
			s.beat("dead", 50*s.unit)
			s.do(room("r"), "dead", put(s.entry("dead", "ada", "c")))
			s.beat("dead", 0)
			orphan := presence.Orphan{Node: "dead", Scope: room("r")}
			s.beat("a", s.unit)
			s.beat("b", 50*s.unit)
			s.hands("a", orphan)
			s.hands("b")
			s.hands("a", orphan)
			s.sleep(1.5)
			s.hands("b", orphan)
			if l, err := s.store.Orphans(s.t.Context(), "a", 5); !errors.Is(err, presence.ErrLapsed) {
				s.t.Fatalf("Orphans for a node whose lease has lapsed: %+v, %v, want ErrLapsed", l, err)
			}
			if l, err := s.store.Orphans(s.t.Context(), "stranger", 5); !errors.Is(err, presence.ErrLapsed) {
				s.t.Fatalf("Orphans for a node that has no lease: %+v, %v, want ErrLapsed", l, err)
			}
			s.do(room("r"), "b", removeNode("dead", 5))
			s.hands("b")
			s.lapsed("dead")
			s.lapsed("a")
		},
	},
	{
		name: "entries without a lease",
		why:  "A node that wakes from a long sleep may write before it beats. If it dies then, nobody would miss it.",
		run: func(s *script) {
			s.beat("live", 50*s.unit)
			s.do(room("r"), "late", put(s.entry("late", "ada", "c1")))
			s.do(room("r"), "never", put(s.entry("never", "bob", "c2")))
			if l := s.beat("live", 50*s.unit); !l.Lapsed {
				s.t.Fatalf("a node without a lease is not counted as lapsed: %+v", l)
			}
			if l := s.beat("late", 50*s.unit); !l.Fresh {
				s.t.Fatalf("first beat, after an Update: %+v", l)
			}
			s.hands("live", presence.Orphan{Node: "never", Scope: room("r")})
			s.do(room("r"), "live", removeNode("never", 5))
			s.hands("live")
			s.holds(room("r"), "ada", s.entry("late", "ada", "c1"))
			// A dead one that writes after it was forgotten.
			s.beat("late", 0)
			s.do(room("r"), "live", removeNode("late", 5))
			s.hands("live")
			s.do(room("s"), "late", put(s.entry("late", "ada", "c3")))
			s.hands("live", presence.Orphan{Node: "late", Scope: room("s")})
			s.lapsed("late")
		},
	},
	{
		name: "entries outlive their lease",
		why:  "A lease that lapses announces nothing. Entries that vanish with it leave users that nobody says goodbye for.",
		run: func(s *script) {
			e := s.entry("n", "ada", "c")
			s.beat("n", s.unit)
			b := s.batch(room("r"), "n", put(e))
			s.update(b)
			s.sleep(3)
			if s.exact() {
				time.Sleep(48 * time.Hour)
			}
			s.holds(room("r"), "ada", e)
			s.lists(room("r"), "", 5, false, "ada")
			s.beat("m", s.unit)
			s.hands("m", presence.Orphan{Node: "n", Scope: room("r")})
			s.changes(s.do(room("r"), "m", removeNode("n", 5)), 0, transition("ada", entries(e), nil))
		},
	},
}
