package presence_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/wardroom/wardroom/presence"
)

func TestRename(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		one := a.joins("ada", "r", "s")
		w.take()
		name := func(want string) {
			t.Helper()
			for _, room := range []string{"r", "s"} {
				m, err := b.Get(w.ctx, room, "ada", false)
				w.must(err)
				if m.Name != want {
					t.Errorf("in %s: name %q, want %q", room, m.Name, want)
				}
			}
		}
		name("ADA")
		a.link.set(away)
		if err := one.Rename(w.ctx, "Ada L."); err == nil {
			t.Error("renamed while the store was away")
		}
		a.link.set(up)
		w.after(time.Minute)
		name("Ada L.")
		w.must(one.Leave(w.ctx, "s", presence.ReasonLeft))
		w.must(one.Rename(w.ctx, "Ada"))
		w.must(one.Join(w.ctx, "s"))
		name("Ada")
		w.must(one.Rename(w.ctx, ""))
		name("")
		if got, want := w.take(), []string{"s: ada left", "s: ada joined"}; !slices.Equal(got, want) {
			t.Errorf("announced %q, want %q", got, want)
		}
		w.must(one.Close(w.ctx, presence.ReasonLeft))
		if err := one.Rename(w.ctx, "x"); !errors.Is(err, presence.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}
