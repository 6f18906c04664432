package presence_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/presence"
)

func TestLargeRoom(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		calls := 0
		a := w.node("a", func(o *presence.Options) {
			o.LargeRoom = 10
			o.Window = time.Second
			notify := o.Notify
			o.Notify = func(ctx context.Context, events []presence.Event) (int, error) {
				w.mu.Lock()
				calls++
				w.mu.Unlock()
				return notify(ctx, events)
			}
		})
		var conns []*presence.Conn
		for i := range 10 {
			conns = append(conns, a.joins(fmt.Sprint("u", i), "r"))
		}
		if n := w.announced(); n != 10 {
			t.Fatalf("%d announced, want 10: the room is not large yet", n)
		}
		conns = append(conns, a.joins("u10", "r"))
		if n := w.announced(); n != 11 {
			t.Fatalf("%d announced, want 11: the room was not large when the last one came", n)
		}
		w.take()
		synctest.Wait()
		w.mu.Lock()
		calls = 0
		w.mu.Unlock()
		a.link.counts()

		// Now it is.
		start := time.Now()
		for i := range 20 {
			a.joins(fmt.Sprint("v", i), "r")
		}
		w.must(conns[3].Leave(w.ctx, "r", presence.ReasonLeft))
		flicker := a.joins("flicker", "r")
		w.must(flicker.Close(w.ctx, presence.ReasonLeft))
		w.must(conns[4].Leave(w.ctx, "r", presence.ReasonLeft))
		w.must(conns[4].Join(w.ctx, "r"))
		w.must(conns[5].Set(w.ctx, presence.Away, nil))
		w.must(conns[5].Set(w.ctx, presence.Online, nil))
		w.must(conns[6].Set(w.ctx, presence.Online, []byte(`1`)))
		w.must(conns[6].Set(w.ctx, presence.Away, []byte(`2`)))
		if d := time.Since(start); d != 0 {
			t.Errorf("changes in a large room took %v", d)
		}
		w.after(time.Second - time.Millisecond)
		w.announces()
		// This node's lists have it all the same.
		if n := len(a.members("r", "")); n != 30 {
			t.Errorf("%d members, want 30", n)
		}
		w.after(time.Millisecond)
		want := []string{"r: u3 left", "r: u6 away 2"}
		for i := range 20 {
			want = append(want, fmt.Sprintf("r: v%d joined", i))
		}
		w.announcesInAnyOrder(want...)
		if n := a.link.counts()["Update"]; n != 1 || calls != 1 {
			t.Errorf("%d updates and %d calls of Notify, want one of each", n, calls)
		}
		// A small room beside it is not concerned.
		w.must(conns[0].Join(w.ctx, "small"))
		w.announces("small: u0 joined")
	})
}

// TestStorm has more changes in a window than fit into a batch.
func TestStorm(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		for i := range 300 {
			a.joins(fmt.Sprintf("early%d", i), "r")
		}
		w.after(time.Second)
		w.take()
		a.link.counts()
		start := time.Now()
		for i := range 2000 {
			a.joins(fmt.Sprintf("u%d", i), "r")
		}
		w.after(500 * time.Millisecond)
		if n := w.announced(); n != 2000 {
			t.Errorf("%d announced after %v", n, time.Since(start))
		}
		if n := a.link.counts()["Update"]; n > 10 {
			t.Errorf("%d updates for 2000 joins", n)
		}
		if n := len(b.members("r", "")); n != 2300 {
			t.Errorf("%d members", n)
		}
	})
}

func TestNeverLarge(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a", func(o *presence.Options) { o.LargeRoom = -1 })
		for i := range 300 {
			a.joins(fmt.Sprint("u", i), "r")
		}
		w.take()
		a.joins("ada", "r")
		w.announces("r: ada joined")
	})
}

// TestCloseLarge shows that Close does not wait for a window.
func TestCloseLarge(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a", func(o *presence.Options) { o.LargeRoom = 1; o.Window = time.Hour })
		a.joins("u1", "r")
		c := a.joins("u2", "r")
		w.must(c.Leave(w.ctx, "r", presence.ReasonLeft))
		w.take()
		start := time.Now()
		w.must(a.Close(w.ctx))
		if d := time.Since(start); d != 0 {
			t.Errorf("Close took %v", d)
		}
		w.announces("r: u2 left")
	})
}

// TestCloseLargeAmidst is the same when a batch is under way.
func TestCloseLargeAmidst(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a", func(o *presence.Options) { o.LargeRoom = 1; o.Window = time.Hour })
		one, two := a.joins("u1", "r"), a.joins("u2", "r")
		a.joins("u3", "r")
		a.joins("u4", "r")
		w.after(time.Hour)
		w.take()
		a.link.Store = slow{w.memory, time.Second}
		w.must(one.Leave(w.ctx, "r", presence.ReasonLeft))
		w.after(time.Hour)
		w.must(two.Leave(w.ctx, "r", presence.ReasonLeft))
		start := time.Now()
		w.must(a.Close(w.ctx))
		if d := time.Since(start); d != 2*time.Second {
			t.Errorf("Close took %v, want two calls of the store", d)
		}
		w.announces("r: u1 left", "r: u2 left")
	})
}
