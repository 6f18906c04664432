package presence_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wardroom/wardroom/presence"
)

func TestListPages(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a")
		for i := range 250 {
			c := a.connect(fmt.Sprintf("u%03d", i), func(p *presence.Peer) {
				if i%10 != 0 {
					p.Status = presence.Online
				} else {
					p.Status = presence.Offline
				}
			})
			w.must(c.Join(w.ctx, "r"))
		}
		var want []string
		for i := range 250 {
			if i%10 != 0 || i == 70 {
				want = append(want, fmt.Sprintf("u%03d", i))
			}
		}
		for _, c := range []struct{ limit, page int }{{0, 100}, {1, 1}, {7, 7}, {100, 100}, {226, 226}, {5000, 1000}} {
			var got []string
			q := presence.Query{Limit: c.limit, Viewer: "u070"}
			for {
				p, err := a.List(w.ctx, "r", q)
				w.must(err)
				for _, m := range p.Members {
					got = append(got, m.User)
				}
				if len(p.Members) != min(c.page, len(want)-len(got)+len(p.Members)) {
					t.Fatalf("limit %d: a page of %d behind %d", c.limit, len(p.Members), len(got))
				}
				if p.Next == "" {
					break
				}
				if last := p.Members[len(p.Members)-1].User; p.Next != last {
					t.Fatalf("cursor %q, which is not the last user listed, %q", p.Next, last)
				}
				q.After = p.Next
			}
			if !slices.Equal(got, want) {
				t.Errorf("limit %d lists %q", c.limit, got)
			}
		}
		if p, err := a.List(w.ctx, "nowhere", presence.Query{}); err != nil || p.Members != nil || p.Next != "" {
			t.Errorf("an empty room: %+v, %v", p, err)
		}
	})
}

// TestCursorUnderChurn shows that who is there all the time is listed, once.
func TestCursorUnderChurn(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		rng := rand.New(rand.NewPCG(1, 2))
		var passing []*presence.Conn
		for i := range 60 {
			a.joins(fmt.Sprintf("stays%02d", i), "r")
			passing = append(passing, b.joins(fmt.Sprintf("s%02d", i), "r"))
		}
		for range 20 {
			seen := map[string]int{}
			q := presence.Query{Limit: 5}
			for {
				p, err := a.List(w.ctx, "r", q)
				w.must(err)
				for _, m := range p.Members {
					seen[m.User]++
				}
				if q.After = p.Next; p.Next == "" {
					break
				}
				for range 10 {
					c := passing[rng.IntN(len(passing))]
					if rng.IntN(2) == 0 {
						w.must(c.Join(w.ctx, "r"))
					} else {
						w.must(c.Leave(w.ctx, "r", presence.ReasonLeft))
					}
				}
			}
			for i := range 60 {
				if u := fmt.Sprintf("stays%02d", i); seen[u] != 1 {
					t.Fatalf("%s listed %d times", u, seen[u])
				}
			}
		}
	})
}

// TestListOwnNotes shows that a node lists what it has noted before the store
// has it, on whichever page it belongs.
func TestListOwnNotes(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		bob, two := a.joins("bob", "r"), a.joins("dan", "r")
		b.joins("dan", "r")
		b.joins("fay", "r")
		a.link.Store = slow{w.memory, time.Second}
		go bob.Leave(w.ctx, "r", presence.ReasonLeft)
		for _, u := range []string{"ada", "cat", "gil"} {
			go a.connect(u).Join(w.ctx, "r")
		}
		go two.Set(w.ctx, presence.Away, nil)
		hidden := a.connect("eve", func(p *presence.Peer) { p.Status = presence.Offline })
		go hidden.Join(w.ctx, "r")
		w.after(time.Millisecond)
		b.lists("r", "bob online 1", "dan online 2", "fay online 1")
		want := []string{"ada online 1", "cat online 1", "dan online 2", "fay online 1", "gil online 1"}
		a.lists("r", want...)
		for limit := range 6 {
			var got []string
			q := presence.Query{Limit: limit + 1}
			for {
				p, err := a.List(w.ctx, "r", q)
				w.must(err)
				for _, m := range p.Members {
					got = append(got, fmt.Sprintf("%s %s %d", m.User, m.Status, m.Connections))
				}
				if q.After = p.Next; p.Next == "" {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("in pages of %d: %q", limit+1, got)
			}
		}
		for user, connections := range map[string]int{"ada": 1, "bob": 0, "dan": 2, "eve": 0, "fay": 1} {
			if m, err := a.Get(w.ctx, "r", user, false); err != nil || m.Connections != connections || m.User != user {
				t.Errorf("%s: %+v, %v", user, m, err)
			}
		}
		w.after(5 * time.Second)
		b.lists("r", want...)
	})
}

// TestListNotesBehindPage has a note that belongs behind a page of which nobody
// is visible.
func TestListNotesBehindPage(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		for _, u := range []string{"h1", "h2"} {
			c := b.connect(u, func(p *presence.Peer) { p.Status = presence.Offline })
			w.must(c.Join(w.ctx, "r"))
		}
		b.joins("mid", "r")
		a.link.Store = slow{w.memory, time.Second}
		go a.connect("zed").Join(w.ctx, "r")
		w.after(time.Millisecond)
		p, err := a.List(w.ctx, "r", presence.Query{Limit: 1})
		if err != nil || len(p.Members) != 1 || p.Members[0].User != "mid" || p.Next != "mid" {
			t.Errorf("first page: %+v, %v", p, err)
		}
		p, err = a.List(w.ctx, "r", presence.Query{Limit: 1, After: p.Next})
		if err != nil || len(p.Members) != 1 || p.Members[0].User != "zed" || p.Next != "" {
			t.Errorf("second page: %+v, %v", p, err)
		}
	})
}
