package presence_test

import (
	"testing"
	"time"

	"github.com/wardroom/wardroom/presence"
)

// TestLossIsNoDeath has the store lose everything, and a node write there that
// does not know it yet. Others see it without a lease, and do not announce that
// its users have left.
func TestLossIsNoDeath(t *testing.T) {
	t.Parallel()
	for _, beats := range []time.Duration{time.Second, 14 * time.Second, 29 * time.Second} {
		inWorld(t, func(w *world) {
			a := w.node("a")
			w.after(beats) // by so much one beats before the other
			b := w.node("b")
			w.after(10 * time.Minute)
			w.memory = presence.NewMemory()
			for _, n := range []*node{a, b} {
				n.link.mu.Lock()
				n.link.Store = w.memory
				n.link.mu.Unlock()
			}
			a.joins("ada", "r")
			b.joins("bob", "r")
			w.announcesInAnyOrder("r: ada joined", "r: bob joined")
			w.after(10 * time.Minute)
			w.announces()
			a.lists("r", "ada online 1", "bob online 1")
		})
	}
}

// TestStoreIsBack shows that what failed is tried again as soon as the store is
// known to be back.
func TestStoreIsBack(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a", func(o *presence.Options) { o.Beat, o.Timeout = 2*time.Second, time.Minute })
		c := a.joins("ada", "r")
		w.take()
		a.link.set(away)
		if err := c.Leave(w.ctx, "r", presence.ReasonLeft); err == nil {
			t.Fatal("left a store that is away")
		}
		w.after(time.Minute) // the pauses are long now
		a.link.set(up)
		w.after(500 * time.Millisecond) // the beat's is a quarter of Beat
		w.announces("r: ada left")
	})
}
