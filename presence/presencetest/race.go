package presencetest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/presence"
)

// raceCases are about calls at the same time.
var raceCases = []testCase{
	{
		name: "first and last",
		why:  "Of all connections of a user that come at once exactly one is the first, and exactly one the last to go. Otherwise the user is announced twice, or never.",
		run: func(s *script) {
			r := room("r")
			for range s.rounds() {
				var first, last atomic.Int32
				s.crowd(8, func(i int, op uint64) {
					node := fmt.Sprintf("n%d", i)
					c := fmt.Sprintf("c%d", i)
					if out, ok := s.try(presence.Batch{Scope: r, Node: node, Op: op, At: s.now, Changes: []presence.Change{put(s.entry(node, "ada", c))}}); ok && len(out.Transitions[0].Before) == 0 {
						first.Add(1)
					}
				})
				s.crowd(8, func(i int, op uint64) {
					c := fmt.Sprintf("c%d", i)
					if out, ok := s.try(presence.Batch{Scope: r, Node: fmt.Sprintf("n%d", i), Op: op, At: s.now, Changes: []presence.Change{remove("ada", c)}}); ok && len(out.Transitions[0].After) == 0 {
						last.Add(1)
					}
				})
				if first.Load() != 1 || last.Load() != 1 {
					s.t.Fatalf("%d were the first and %d the last", first.Load(), last.Load())
				}
			}
		},
	},
	{
		name: "whole batches",
		why:  "A user who reconnects changes from one connection to another in one batch. Whoever looks in between must see them.",
		run: func(s *script) {
			r := room("r")
			s.do(r, "n", put(s.entry("n", "ada", "c0")))
			var wg sync.WaitGroup
			var over atomic.Bool
			for range 3 {
				wg.Go(func() {
					for !over.Load() {
						rec, err := s.store.Get(s.t.Context(), r, "ada")
						if err != nil || len(rec.Entries) != 1 {
							s.t.Errorf("Get while connections change: %+v, %v", rec.Entries, err)
							return
						}
						time.Sleep(time.Microsecond)
					}
				})
			}
			for i := range 10 * s.rounds() {
				out := s.do(r, "n", remove("ada", fmt.Sprintf("c%d", i)), put(s.entry("n", "ada", fmt.Sprintf("c%d", i+1))))
				if len(out.Transitions) != 1 || len(out.Transitions[0].Before) != 1 || len(out.Transitions[0].After) != 1 {
					s.t.Errorf("transitions: %+v", out.Transitions)
					break
				}
			}
			over.Store(true)
			wg.Wait()
		},
	},
	{
		name: "clearing away",
		why:  "Two survivors may clear one dead node away, when the first is slow and taken for dead itself. Each user is still announced once.",
		run: func(s *script) {
			r := room("r")
			for range s.rounds() {
				var changes []presence.Change
				for i := range 20 {
					changes = append(changes, put(s.entry("dead", fmt.Sprintf("u%02d", i), "c")))
				}
				s.do(r, "dead", changes...)
				var mu sync.Mutex
				var left []string
				s.crowd(4, func(i int, op uint64) {
					for more := true; more; op += 100 {
						out, ok := s.try(presence.Batch{Scope: r, Node: fmt.Sprintf("n%d", i), Op: op, At: s.now, Changes: []presence.Change{removeNode("dead", 3)}})
						if !ok {
							return
						}
						mu.Lock()
						for _, tr := range out.Transitions {
							left = append(left, tr.User)
						}
						mu.Unlock()
						more = out.More
					}
				})
				s.op += 10_000
				slices.Sort(left)
				if n := len(left); n != 20 || len(slices.Compact(left)) != 20 {
					s.t.Fatalf("%d announcements for 20 users", n)
				}
			}
		},
	},
	{
		name: "repeat overtakes",
		why:  "A batch that timed out may still be on its way when it is repeated. It is made once, and both answers are the same.",
		run: func(s *script) {
			r := room("r")
			for i := range s.rounds() {
				e := s.entry("n", "ada", fmt.Sprint(i))
				s.op++
				b := presence.Batch{Scope: r, Node: "n", Op: s.op, At: s.now, Changes: []presence.Change{put(e)}}
				var firsts atomic.Int32
				s.crowd(3, func(int, uint64) {
					if out, ok := s.try(b); ok && len(out.Transitions) == 1 && len(out.Transitions[0].Before) == 0 {
						firsts.Add(1)
					}
				})
				if firsts.Load() != 3 {
					s.t.Fatalf("%d of 3 answers to one batch are that of the first", firsts.Load())
				}
				s.do(r, "n", removeUser("ada"))
			}
		},
	},
}

// rounds is how often a race is run.
func (s *script) rounds() int {
	if s.exact() {
		return 30
	}
	return 5
}

// try is update for goroutines.
func (s *script) try(b presence.Batch) (presence.Outcome, bool) {
	out, err := s.store.Update(s.t.Context(), b)
	if err != nil {
		s.t.Errorf("Update(%+v): %v", b, err)
		return out, false
	}
	if len(out.Transitions) == 0 && b.Changes[0].Action != presence.RemoveNode {
		s.t.Errorf("Update(%+v) has no transition", b)
		return out, false
	}
	return out, true
}

// crowd calls f from n goroutines at once, with an Op for each.
func (s *script) crowd(n int, f func(i int, op uint64)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		s.op++
		op := s.op
		wg.Go(func() {
			<-start
			f(i, op)
		})
	}
	close(start)
	wg.Wait()
}
