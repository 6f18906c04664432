package presence_test

import (
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/presence"
)

func TestAway(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a", func(o *presence.Options) { o.AwayAfter = 5 * time.Minute })
		c := a.joins("ada", "r")
		w.take()
		for range 4 {
			w.after(4 * time.Minute)
			c.Active()
		}
		w.announces()
		w.after(5*time.Minute - time.Millisecond)
		w.announces()
		w.after(time.Millisecond)
		w.announces("r: ada away")
		// Rooms that are joined while idle are so, too.
		w.must(c.Join(w.ctx, "s"))
		w.announces("s: ada joined", "s: ada away")
		w.after(time.Hour)
		w.announces()
		c.Active()
		w.announcesInAnyOrder("r: ada online", "s: ada online")
		w.after(5*time.Minute - time.Millisecond)
		w.announces()
		w.after(time.Millisecond)
		w.announcesInAnyOrder("r: ada away", "s: ada away")
		// Setting something is a sign of life.
		w.must(c.Set(w.ctx, presence.Online, []byte(`{}`)))
		w.announcesInAnyOrder("r: ada online {}", "s: ada online {}")
		w.must(c.Leave(w.ctx, "s", presence.ReasonLeft))
		w.take()
		// A status that the user chose is not changed, and comes back.
		for _, s := range []presence.Status{presence.Away, presence.Offline} {
			w.must(c.Set(w.ctx, s, nil))
			w.take()
			w.after(time.Hour)
			w.must(c.Join(w.ctx, "t"))
			if s == presence.Offline {
				w.announces()
			} else {
				w.announces("t: ada joined", "t: ada away {}")
			}
			w.must(c.Leave(w.ctx, "t", presence.ReasonSilent))
			c.Active()
			w.announces()
		}
		// Who has gone is not idle.
		w.must(c.Set(w.ctx, presence.Online, nil))
		w.must(c.Close(w.ctx, presence.ReasonLeft))
		w.take()
		w.after(time.Hour)
		c.Active()
		w.announces()
	})
}

func TestAwayOfSome(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a", func(o *presence.Options) { o.AwayAfter = 5 * time.Minute })
		one, two := a.joins("ada", "r"), a.joins("ada", "r")
		w.take()
		for range 10 {
			w.after(3 * time.Minute)
			one.Active()
		}
		w.announces() // the other tab has long been idle
		w.after(5 * time.Minute)
		w.announces("r: ada away")
		two.Active()
		w.announces("r: ada online")
	})
}

func TestNeverAway(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a")
		c := a.joins("ada", "r")
		w.take()
		w.after(10 * time.Hour)
		c.Active()
		w.announces()
		a.lists("r", "ada online 1")
	})
}

// TestActiveRaces has connections become active when they are found idle.
// Whatever comes first, they end as online.
func TestActiveRaces(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a", func(o *presence.Options) { o.AwayAfter = time.Minute })
		var conns []*presence.Conn
		for _, u := range []string{"a", "b", "c", "d"} {
			conns = append(conns, a.joins(u, "r"))
		}
		for range 100 {
			var wg sync.WaitGroup
			for _, c := range conns {
				wg.Go(func() {
					time.Sleep(time.Minute) // when the clock looks
					c.Active()
				})
			}
			wg.Wait()
			w.take()
			a.lists("r", "a online 1", "b online 1", "c online 1", "d online 1")
		}
	})
}
