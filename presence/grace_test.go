package presence_test

import (
	"testing"
	"time"

	"github.com/wardroom/wardroom/presence"
)

func TestGrace(t *testing.T) {
	t.Parallel()
	drop := func(w *world, c *presence.Conn) { w.must(c.Close(w.ctx, presence.ReasonDisconnected)) }
	for _, c := range []struct {
		name string
		run  func(w *world, a, b *node, ada *presence.Conn)
	}{
		{"gone", func(w *world, a, _ *node, ada *presence.Conn) {
			drop(w, ada)
			w.after(10*time.Second - time.Millisecond)
			w.announces()
			a.lists("r", "ada online 1")
			w.after(time.Millisecond)
			w.announces("r: ada disconnected")
			a.lists("r")
		}},
		{"heartbeat lost", func(w *world, _, _ *node, ada *presence.Conn) {
			w.must(ada.Close(w.ctx, presence.ReasonTimeout))
			w.announces()
			w.after(10 * time.Second)
			w.announces("r: ada timeout")
		}},
		{"kicked", func(w *world, _, _ *node, ada *presence.Conn) {
			w.must(ada.Close(w.ctx, presence.ReasonKicked))
			w.announces("r: ada kicked")
		}},
		{"back on the node", func(w *world, a, _ *node, ada *presence.Conn) {
			drop(w, ada)
			w.after(9 * time.Second)
			again := a.joins("ada", "r")
			a.lists("r", "ada online 1")
			if m := a.members("r", "")[0]; !m.Since.Equal(w.start) {
				t.Errorf("since %v, want %v: the user has been there all the time", m.Since, w.start)
			}
			w.after(time.Minute)
			w.announces()
			// What lingered is no reason to wait with saying goodbye.
			drop(w, again)
			third := a.joins("ada", "r")
			w.must(third.Leave(w.ctx, "r", presence.ReasonLeft))
			w.announces("r: ada left")
		}},
		{"back on another node", func(w *world, a, b *node, ada *presence.Conn) {
			drop(w, ada)
			w.after(9 * time.Second)
			b.joins("ada", "r")
			a.lists("r", "ada online 2")
			w.after(time.Minute)
			w.announces()
			a.lists("r", "ada online 1")
		}},
		{"flaky", func(w *world, a, b *node, ada *presence.Conn) {
			for i := range 50 {
				drop(w, ada)
				w.after(time.Duration(i%10) * time.Second)
				if n := a; i%3 == 0 {
					ada = n.joins("ada", "r")
				} else {
					ada = b.joins("ada", "r")
				}
				w.after(time.Duration(i%7) * time.Second)
			}
			w.announces()
			drop(w, ada)
			w.after(time.Minute)
			w.announces("r: ada disconnected")
		}},
		{"others stay", func(w *world, a, _ *node, ada *presence.Conn) {
			tab := a.joins("ada", "r")
			drop(w, ada)
			w.must(tab.Leave(w.ctx, "r", presence.ReasonLeft))
			w.announces()
			w.after(10 * time.Second)
			w.announces("r: ada disconnected")
		}},
		{"one room of two", func(w *world, a, _ *node, ada *presence.Conn) {
			w.must(ada.Join(w.ctx, "s"))
			w.take()
			w.must(ada.Leave(w.ctx, "s", presence.ReasonTimeout))
			w.after(5 * time.Second)
			w.must(ada.Join(w.ctx, "s"))
			w.after(20 * time.Second)
			w.announces()
			a.lists("s", "ada online 1")
		}},
		{"removed meanwhile", func(w *world, a, b *node, ada *presence.Conn) {
			drop(w, ada)
			w.must(b.Remove(w.ctx, "r", "ada", presence.ReasonBanned))
			w.announces("r: ada banned")
			w.after(time.Minute)
			w.announces()
			a.lists("r")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				a, b := w.node("a"), w.node("b")
				ada := a.joins("ada", "r")
				w.take()
				c.run(w, a, b, ada)
			})
		})
	}
}

func TestNoGrace(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a", func(o *presence.Options) { o.Grace = -1 })
		c := a.joins("ada", "r")
		w.must(c.Close(w.ctx, presence.ReasonDisconnected))
		w.announces("r: ada joined", "r: ada disconnected")
	})
}

// TestReconnectKeepsStatus shows that a connection goes on as the one whose
// place it takes: otherwise an invisible user would appear whenever the network
// changes.
func TestReconnectKeepsStatus(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a")
		c := a.joins("ada", "r", "s")
		w.must(c.Set(w.ctx, presence.Away, []byte(`{"n":1}`)))
		w.must(c.SetIn(w.ctx, "s", presence.Offline, nil))
		w.take()
		w.must(c.Close(w.ctx, presence.ReasonDisconnected))
		c = a.joins("ada", "r", "s")
		w.after(time.Minute)
		w.announces()
		a.lists("r", "ada away 1")
		a.lists("s")
		if m := a.members("r", "")[0]; string(m.Meta) != `{"n":1}` {
			t.Errorf("meta %s", m.Meta)
		}
		// Unless the new connection says otherwise.
		w.must(c.Close(w.ctx, presence.ReasonDisconnected))
		c = a.connect("ada", func(p *presence.Peer) { p.Status = presence.Online })
		w.must(c.Join(w.ctx, "r"))
		w.announces("r: ada online")
	})
}
