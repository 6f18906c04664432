package presence_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/presence"
)

// TestConcurrent calls everything from many goroutines. It is for the race
// detector; besides, all must be gone when all have left, and each must have
// been seen to come and go in turns.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		options := func(o *presence.Options) {
			o.AwayAfter = time.Second
			o.Grace = 50 * time.Millisecond
			o.LargeRoom = 5
			o.Parallel = 4
		}
		nodes := []*node{w.node("a", options), w.node("b", options)}
		var wg sync.WaitGroup
		for g := range 16 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(g), 7))
				n := nodes[g%2]
				for range 15 {
					c := n.connect(fmt.Sprint("u", rng.IntN(8)))
					for range 10 {
						room := fmt.Sprint("r", rng.IntN(3))
						ctx, cancel := context.WithTimeout(w.ctx, time.Duration(rng.IntN(2))*time.Second)
						switch rng.IntN(8) {
						case 0, 1, 2:
							c.Join(ctx, room)
						case 3:
							c.Leave(ctx, room, presence.ReasonLeft)
						case 4:
							c.Set(ctx, []presence.Status{presence.Online, presence.Away, presence.Offline}[rng.IntN(3)], []byte(`{}`))
						case 5:
							n.List(ctx, room, presence.Query{Limit: 3})
							n.Get(ctx, room, "u1", true)
						case 6:
							n.Remove(ctx, room, fmt.Sprint("u", rng.IntN(8)), presence.ReasonKicked)
						case 7:
							c.Active()
							n.Err()
						}
						cancel()
						time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
					}
					c.Close(w.ctx, []presence.Reason{presence.ReasonLeft, presence.ReasonDisconnected}[rng.IntN(2)])
				}
			})
		}
		wg.Wait()
		w.after(5 * time.Second)
		for _, n := range nodes {
			for r := range 3 {
				n.lists(fmt.Sprint("r", r))
			}
		}
		w.mu.Lock()
		events := w.events
		w.mu.Unlock()
		if len(events) < 100 {
			t.Errorf("only %d announcements", len(events))
		}
		checkTurns(t, events, map[string]bool{})
	})
}

// TestCloseAmidst closes a node that everybody is using.
func TestCloseAmidst(t *testing.T) {
	t.Parallel()
	for range 20 {
		inWorld(t, func(w *world) {
			a := w.node("a")
			var wg sync.WaitGroup
			for g := range 8 {
				wg.Go(func() {
					c := a.connect(fmt.Sprint("u", g))
					for i := range 50 {
						if c.Join(w.ctx, fmt.Sprint("r", i%3)) != nil {
							return
						}
						if i%10 == 9 {
							time.Sleep(time.Microsecond)
						}
						c.Leave(w.ctx, fmt.Sprint("r", i%3), presence.ReasonLeft)
					}
				})
			}
			time.Sleep(2 * time.Microsecond)
			w.must(a.Close(w.ctx))
			wg.Wait()
		})
	}
}
