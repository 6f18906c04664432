package presence_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/presence"
)

// soon is how long it may take after a failover until the store is right. It
// takes no time at all where the store takes none.
const soon = time.Millisecond

func everything(presence.Scope) bool { return true }

func roomOf(name string) func(presence.Scope) bool {
	return func(s presence.Scope) bool { return s.Room == name }
}

// TestSweepAfterFailover has the store lose what two nodes have written last,
// without anything failing, and be right again at once when they are told:
// entries that are missing, entries of who has left, and old ones.
func TestSweepAfterFailover(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		f      func(w *world, a, b *node, ada, bob *presence.Conn)
		r      []string // who is there in the end
		here   []string // and everywhere, of ada and bob
		events []string // announced after the failover
	}{
		{
			"join", func(_ *world, a, _ *node, _, _ *presence.Conn) { a.joins("cyd", "r") },
			[]string{"ada online 1", "bob online 1", "cyd online 1"},
			[]string{"ada", "bob"},
			[]string{"r: cyd joined"},
		},
		{
			"first join of a node", func(w *world, a, _ *node, ada, _ *presence.Conn) {
				w.must(ada.Join(w.ctx, "s"))
				a.joins("cyd", "")
			},
			[]string{"ada online 1", "bob online 1"},
			[]string{"ada", "bob"},
			[]string{": cyd joined", "s: ada joined"},
		},
		{
			"leave", func(w *world, a, _ *node, ada, _ *presence.Conn) {
				a.joins("cyd", "r")
				w.must(ada.Leave(w.ctx, "r", presence.ReasonLeft))
			},
			[]string{"bob online 1", "cyd online 1"},
			[]string{"ada", "bob"},
			[]string{"r: ada timeout", "r: cyd joined"},
		},
		{
			"last leave of a node", func(w *world, _, _ *node, ada, _ *presence.Conn) {
				w.must(ada.Leave(w.ctx, "r", presence.ReasonLeft))
			},
			[]string{"bob online 1"},
			[]string{"ada", "bob"},
			[]string{"r: ada timeout"},
		},
		{
			"last leave of all", func(w *world, _, _ *node, ada, bob *presence.Conn) {
				w.must(ada.Close(w.ctx, presence.ReasonLeft))
				w.must(bob.Close(w.ctx, presence.ReasonLeft))
			},
			nil, nil,
			[]string{": ada timeout", ": bob timeout", "r: ada timeout", "r: bob timeout"},
		},
		{
			"change of status", func(w *world, _, _ *node, ada, _ *presence.Conn) {
				w.must(ada.Set(w.ctx, presence.Away, []byte("1")))
			},
			[]string{"ada away 1", "bob online 1"},
			[]string{"ada", "bob"},
			[]string{": ada away 1", "r: ada away 1"},
		},
		{
			"kick", func(w *world, _, b *node, ada, _ *presence.Conn) {
				w.must(b.Remove(w.ctx, "r", "ada", presence.ReasonKicked))
				w.must(ada.Leave(w.ctx, "r", presence.ReasonKicked))
			},
			[]string{"bob online 1"},
			[]string{"ada", "bob"},
			[]string{"r: ada timeout"},
		},
		{
			"nothing", func(_ *world, _, _ *node, _, _ *presence.Conn) {},
			[]string{"ada online 1", "bob online 1"},
			[]string{"ada", "bob"},
			nil,
		},
	} {
		for which, nodes := range map[string]bool{"all": true, "but not of nodes": false} {
			t.Run(test.name+", "+which, func(t *testing.T) {
				t.Parallel()
				inWorld(t, func(w *world) {
					a, b := w.node("a"), w.node("b")
					ada, bob := a.joins("ada", "r", ""), b.joins("bob", "r", "")
					w.after(10 * time.Second)
					lost := w.memory.Snapshot()
					test.f(w, a, b, ada, bob)
					w.take()
					w.memory.Revert(lost, everything, nodes)
					a.Sweep()
					b.Sweep()
					w.after(soon)
					w.announcesInAnyOrder(test.events...)
					for _, n := range []*node{a, b} {
						n.lists("r", test.r...)
						for _, user := range []string{"ada", "bob"} {
							m, err := n.Get(w.ctx, "", user, false)
							w.must(err)
							if there := m.Connections > 0; there != slices.Contains(test.here, user) {
								t.Errorf("%s is somewhere: %t", user, there)
							}
						}
					}
					w.after(10 * time.Minute)
					w.announces()
					b.lists("r", test.r...)
				})
			})
		}
	}
}

// TestJoinsWhereItWas has a node come again to a room that it had left, after a
// failover of which it has not heard yet.
func TestJoinsWhereItWas(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		ada := a.joins("ada", "r")
		a.joins("eve", "s")
		lost := w.memory.Snapshot()
		w.must(ada.Close(w.ctx, presence.ReasonLeft))
		w.take()
		w.memory.Revert(lost, roomOf("r"), false)
		b.lists("r", "ada online 1")
		cyd := a.connect("cyd")
		w.must(cyd.Join(w.ctx, "r"))
		b.lists("r", "cyd online 1")
		w.announcesInAnyOrder("r: cyd joined", "r: ada timeout")
		w.must(cyd.Leave(w.ctx, "r", presence.ReasonLeft))
		w.announces("r: cyd left")
		b.lists("s", "eve online 1")
	})
}

// TestReturnsElsewhere has a user whose end is lost come back on another node,
// which sees no change. What others have been told, and are told, agrees.
func TestReturnsElsewhere(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		ada := a.joins("ada", "r")
		lost := w.memory.Snapshot()
		w.must(ada.Leave(w.ctx, "r", presence.ReasonLeft))
		w.memory.Revert(lost, everything, true)
		b.joins("ada", "r")
		w.announces("r: ada joined", "r: ada left")
		a.Sweep()
		b.Sweep()
		w.after(soon)
		w.announces("r: ada joined")
		a.lists("r", "ada online 1")
	})
}

// TestLostTwice has failovers that lose the repair of the one before, so that
// there is something of every lease that a node has had.
func TestLostTwice(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		ada := a.joins("ada", "r")
		bob := a.joins("bob", "r", "s")
		first := w.memory.Snapshot()
		w.must(ada.Leave(w.ctx, "r", presence.ReasonLeft))
		w.must(bob.Leave(w.ctx, "s", presence.ReasonLeft))
		for round := range 5 {
			w.take()
			w.memory.Revert(first, everything, round%2 == 0)
			b.lists("r", "ada online 1", "bob online 1")
			b.lists("s", "bob online 1")
			a.Sweep()
			w.after(10 * time.Second)
			w.announcesInAnyOrder("r: ada timeout", "s: bob timeout")
			b.lists("r", "bob online 1")
			b.lists("s")
		}
	})
}

// TestClearedAgain has a failover lose that a dead node was cleared away, and
// not that it was forgotten.
func TestClearedAgain(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		a.joins("ada", "r", "s")
		a.joins("bob", "r")
		b.joins("cyd", "r")
		lost := w.memory.Snapshot()
		a.kill()
		w.after(2 * time.Minute)
		w.take()
		w.memory.Revert(lost, everything, false)
		b.lists("r", "ada online 1", "bob online 1", "cyd online 1")
		b.Sweep()
		w.after(soon)
		w.announcesInAnyOrder("r: ada timeout", "r: bob timeout", "s: ada timeout")
		b.lists("r", "cyd online 1")
		b.lists("s")
	})
}

// TestLargeFailover has a failover lose more than fits into a batch. Who stays
// is never announced as gone.
func TestLargeFailover(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b", func(o *presence.Options) { o.Window = time.Hour })
		var conns []*presence.Conn
		for i := range 900 {
			conns = append(conns, a.joins(fmt.Sprintf("u%03d", i), "r"))
		}
		w.after(time.Second)
		lost := w.memory.Snapshot()
		var stay, come []string
		for i, c := range conns {
			if i%3 > 0 {
				w.must(c.Close(w.ctx, presence.ReasonLeft))
			} else {
				stay = append(stay, fmt.Sprintf("u%03d online 1", i))
			}
		}
		for i := range 300 {
			a.joins(fmt.Sprintf("v%03d", i), "r")
			come = append(come, fmt.Sprintf("v%03d online 1", i))
		}
		w.after(time.Second)
		w.take()
		w.memory.Revert(lost, everything, true)
		a.Sweep()
		w.after(time.Second)
		b.lists("r", append(stay, come...)...)
		left := 0
		for _, e := range w.take() {
			switch {
			case strings.HasSuffix(e, "timeout"):
				left++
			case !strings.HasPrefix(e, "r: v"):
				t.Fatalf("announced %q", e)
			}
		}
		if left != 600 {
			t.Errorf("%d announced as gone, want 600", left)
		}
	})
}

// TestSweepFails has the store be away when it is asked for, as a whole or but
// for the beats, as a part of a cluster is.
func TestSweepFails(t *testing.T) {
	t.Parallel()
	for name, beats := range map[string]linkState{"all": away, "updates": up} {
		for how, state := range map[string]linkState{"not done": away, "answers lost": deaf} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				inWorld(t, func(w *world) {
					a, b := w.node("a"), w.node("b")
					ada := a.joins("ada", "r", "s")
					lost := w.memory.Snapshot()
					w.must(ada.Leave(w.ctx, "r", presence.ReasonLeft))
					a.joins("bob", "s")
					w.take()
					w.memory.Revert(lost, everything, true)
					a.link.mu.Lock()
					a.link.fault = func(op string) linkState {
						if op == "Beat" && beats == up {
							return up
						}
						return state
					}
					a.link.mu.Unlock()
					a.Sweep()
					w.after(20 * time.Second)
					a.link.mu.Lock()
					a.link.fault = nil
					a.link.mu.Unlock()
					w.after(5 * time.Second)
					w.announcesInAnyOrder("r: ada timeout", "s: bob joined")
					b.lists("r")
					b.lists("s", "ada online 1", "bob online 1")
				})
			})
		}
	}
}

// TestSweepTriesAgain shows that who waits because of a failure is not waited
// for when a sweep is asked for.
func TestSweepTriesAgain(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a")
		a.link.mu.Lock()
		a.link.fault = func(op string) linkState {
			if op == "Update" {
				return away
			}
			return up
		}
		a.link.mu.Unlock()
		_ = a.connect("ada").Join(w.ctx, "r")
		w.after(time.Minute) // the pauses are long now
		a.link.mu.Lock()
		a.link.fault = nil
		a.link.mu.Unlock()
		a.Sweep()
		w.after(soon)
		w.announces("r: ada joined")
	})
}

// TestSweepRequests shows what requests cost: one that is under way does not do
// for the next, and those that come together are one.
func TestSweepRequests(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a", func(o *presence.Options) { o.Parallel = 4 })
		ada := a.joins("ada", "gone", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9")
		w.must(ada.Leave(w.ctx, "gone", presence.ReasonLeft))
		w.after(time.Second)
		var mu sync.Mutex
		running, most := 0, 0
		a.link.Store = watching{w.memory, func() {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			running--
			mu.Unlock()
		}}
		cost := func(what string, beats, updates int) {
			t.Helper()
			got := a.link.counts()
			if got["Beat"] > beats || got["Update"] != updates {
				t.Errorf("%s: %v, want at most %d beats and %d updates", what, got, beats, updates)
			}
		}
		a.link.counts()
		for range 100 {
			a.Sweep()
		}
		w.after(500 * time.Millisecond)
		cost("at first", 2, 4)
		a.Sweep()
		a.Sweep()
		w.after(9 * time.Second)
		// Four were being asked already, and are asked again.
		cost("in all", 2, 10)
		mu.Lock()
		got := most
		mu.Unlock()
		if got != 4 {
			t.Errorf("%d at a time, want 4", got)
		}
		// What was left long ago is not looked for any more, nor by the sweep that
		// nobody has asked for.
		w.after(5 * time.Minute)
		a.link.counts()
		a.Sweep()
		w.after(9 * time.Second)
		cost("later", 2, 9)
	})
}

// watching is a store that says when something is written.
type watching struct {
	presence.Store
	update func()
}

func (s watching) Update(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
	s.update()
	return s.Store.Update(ctx, b)
}

// TestSweepClosing shows that a sweep does not keep a Tracker from closing, nor
// harms one that is closed.
func TestSweepClosing(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a")
		a.joins("ada", "r", "s")
		a.Sweep()
		w.must(a.Close(w.ctx))
		a.Sweep()
		w.after(time.Second)
	})
}

// TestFailovers has users come and go at random, and the store go back now and
// then to what it had a moment before, in a part of the rooms, with or without
// what it knows of nodes. Every time it is right again at once, and what was
// announced agrees with it.
func TestFailovers(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	for round := range 8 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				defer func() {
					if t.Failed() {
						t.Logf("seed %d, round %d", seed, round)
					}
				}()
				failovers(w, rand.New(rand.NewPCG(seed, uint64(round))))
			})
		})
	}
}

func failovers(w *world, rng *rand.Rand) {
	type tab struct {
		*presence.Conn
		user string
		in   map[string]bool
		see  bool
	}
	var nodes []*node
	for i := range 3 {
		nodes = append(nodes, w.node(fmt.Sprint("n", i), func(o *presence.Options) { o.Grace = -1 }))
	}
	rooms := []string{"r0", "r1", "r2", "r3", ""}
	var tabs []*tab
	// An error says that it is tried again, when the node has another lease.
	step := func() {
		if len(tabs) < 5 || rng.IntN(4) == 0 {
			u := fmt.Sprint("u", rng.IntN(12))
			tabs = append(tabs, &tab{nodes[rng.IntN(3)].connect(u), u, map[string]bool{}, true})
		}
		i := rng.IntN(len(tabs))
		c, room := tabs[i], rooms[rng.IntN(len(rooms))]
		switch rng.IntN(8) {
		case 0, 1, 2:
			_ = c.Join(w.ctx, room)
			c.in[room] = true
		case 3, 4:
			_ = c.Leave(w.ctx, room, presence.ReasonLeft)
			delete(c.in, room)
		case 5:
			c.see = rng.IntN(3) > 0
			_ = c.Set(w.ctx, map[bool]presence.Status{true: presence.Away, false: presence.Offline}[c.see], nil)
		default:
			_ = c.Conn.Close(w.ctx, presence.ReasonLeft)
			tabs = slices.Delete(tabs, i, i+1)
		}
	}
	check := func(what string) {
		w.t.Helper()
		want := map[string]bool{}
		for _, c := range tabs {
			for room := range c.in {
				if c.see {
					want[room+": "+c.user] = true
				}
			}
		}
		got := map[string]bool{}
		for _, room := range rooms[:4] {
			for _, m := range nodes[rng.IntN(3)].members(room, "") {
				got[room+": "+m.User] = true
			}
		}
		for i := range 12 {
			m, err := nodes[rng.IntN(3)].Get(w.ctx, "", fmt.Sprint("u", i), false)
			w.must(err)
			if m.Connections > 0 {
				got[": "+m.User] = true
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			w.t.Fatalf("%s: listed\n     %v\nwant %v", what, got, want)
		}
		// What is known to who only hears what is announced.
		said := map[string]bool{}
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, e := range w.events {
			key := e.Room + ": " + e.User
			if e.Kind == presence.Joined {
				said[key] = true
			} else if e.Status == presence.Offline {
				delete(said, key)
			}
		}
		if fmt.Sprint(said) != fmt.Sprint(want) {
			w.t.Fatalf("%s: announced\n     %v\nwant %v", what, said, want)
		}
	}
	for round := range 60 {
		for range rng.IntN(30) {
			w.after(time.Duration(rng.IntN(500)) * time.Millisecond)
			step()
		}
		check("before")
		lost := w.memory.Snapshot()
		for range rng.IntN(10) {
			w.after(time.Duration(rng.IntN(500)) * time.Millisecond)
			step()
		}
		part := map[presence.Scope]bool{}
		w.memory.Revert(lost, func(s presence.Scope) bool {
			if _, known := part[s]; !known {
				part[s] = rng.IntN(2) == 0
			}
			return part[s]
		}, rng.IntN(2) == 0)
		for range rng.IntN(3) {
			w.after(time.Duration(rng.IntN(500)) * time.Millisecond)
			step()
		}
		for _, i := range rng.Perm(3) {
			nodes[i].Sweep()
		}
		w.after(6 * time.Second) // one that has lost its lease twice waits for the next
		check(fmt.Sprint("round ", round))
	}
}
