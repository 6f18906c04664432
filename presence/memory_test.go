package presence

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestMemoryForgets shows that nothing is left of those who were there.
func TestMemoryForgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(WithLastSeen(10, time.Hour))
		ctx := t.Context()
		tr, err := NewTracker(m, Options{AwayAfter: time.Minute, Notify: func(_ context.Context, e []Event) (int, error) { return len(e), nil }})
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close(ctx)
		for i := range 500 {
			c, err := tr.Connect(Peer{User: fmt.Sprint("u", i), Connection: fmt.Sprint("c", i)})
			if err != nil {
				t.Fatal(err)
			}
			for _, room := range []string{"", "r", fmt.Sprint("r", i)} {
				if err := c.Join(ctx, room); err != nil {
					t.Fatal(err)
				}
			}
			reason := ReasonLeft
			if i%2 == 0 {
				reason = ReasonDisconnected
			}
			if err := c.Close(ctx, reason); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		tr.mu.Lock()
		if len(tr.lanes) != 0 || len(tr.lingering) != 0 || len(tr.alarms) != 0 || tr.active != 0 || tr.workers != 0 {
			t.Errorf("tracker: %d lanes, %d lingering, %d alarms, %d active, %d workers", len(tr.lanes), len(tr.lingering), len(tr.alarms), tr.active, tr.workers)
		}
		tr.mu.Unlock()
		m.mu.Lock()
		defer m.mu.Unlock()
		if len(m.seen.users) > 10 {
			t.Errorf("%d users last seen, want 10 at most", len(m.seen.users))
		}
		if len(m.scopes) != 0 || len(m.spent) != 0 {
			t.Errorf("memory: %d scopes, %d answers", len(m.scopes), len(m.spent))
		}
		for id, l := range m.leases.nodes {
			if len(l.scopes) != 0 {
				t.Errorf("memory: %s has %d scopes", id, len(l.scopes))
			}
		}
	})
}

func TestLastSeenBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory(WithLastSeen(3, time.Hour))
		op := uint64(0)
		visit := func(user string) {
			e := Entry{User: user, Connection: user, Node: "n", Status: Online}
			for _, a := range []Action{Put, Remove} {
				op++
				_, err := m.Update(t.Context(), Batch{Scope: Scope{User: user}, Node: "n", Op: op, At: time.Now(), Changes: []Change{{Action: a, Entry: e}}})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		seen := func(user string) bool {
			r, err := m.Get(t.Context(), Scope{User: user}, user)
			if err != nil {
				t.Fatal(err)
			}
			return !r.Seen.IsZero()
		}
		for _, u := range []string{"a", "b", "c"} {
			visit(u)
			time.Sleep(time.Second)
		}
		visit("a")
		visit("d") // b has been gone longest
		for user, want := range map[string]bool{"a": true, "b": false, "c": true, "d": true} {
			if seen(user) != want {
				t.Errorf("%s is remembered: %t, want %t", user, seen(user), want)
			}
		}
		time.Sleep(time.Hour)
		if seen("d") {
			t.Error("d is remembered for more than an hour")
		}
		if _, err := m.Beat(t.Context(), "x", time.Hour); err != nil {
			t.Fatal(err)
		}
		if n := len(m.seen.users); n != 0 {
			t.Errorf("%d are kept for nothing", n)
		}
		m = NewMemory(WithLastSeen(0, -1))
		visit("a")
		time.Sleep(29 * 24 * time.Hour)
		if !seen("a") {
			t.Error("the defaults are not kept")
		}
	})
}
