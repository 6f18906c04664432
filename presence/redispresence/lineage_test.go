package redispresence_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/presence/redispresence"
)

// lineage is what a store says, and goes on to say for a while.
func lineage(t *testing.T, s *redispresence.Store, other string) string {
	t.Helper()
	last, same := "", 0
	for end := time.Now().Add(patience); same < 10; time.Sleep(20 * time.Millisecond) {
		now, err := s.Lineage(t.Context())
		if err != nil || now != last || now == other {
			last, same = now, 0
		} else {
			same++
		}
		if time.Now().After(end) {
			t.Fatalf("after %q it is %q, %v", other, now, err)
		}
	}
	return last
}

func TestLineage(t *testing.T) {
	t.Parallel()
	t.Run("restart", func(t *testing.T) {
		t.Parallel()
		server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
		s := redispresence.New(server.Client(), redispresence.WithTimeout(2*time.Second))
		was := lineage(t, s, "")
		server.Kill()
		if text, err := s.Lineage(t.Context()); err == nil {
			t.Errorf("of a server that is gone: %q", text)
		}
		server.Restart()
		lineage(t, s, was)
	})
	t.Run("replica", func(t *testing.T) {
		t.Parallel()
		server := redistest.Start(t)
		s := redispresence.New(server.Client(), redispresence.WithTimeout(2*time.Second))
		was := lineage(t, s, "")
		server.Do("REPLICAOF", "127.0.0.1", "1")
		if text, err := s.Lineage(t.Context()); err == nil {
			t.Errorf("of a server that takes nothing: %q", text)
		}
		server.Do("REPLICAOF", "NO", "ONE")
		lineage(t, s, was)
	})
	t.Run("sentinel", func(t *testing.T) {
		t.Parallel()
		servers := redistest.StartSentinel(t)
		s := redispresence.New(servers.Client(), redispresence.WithTimeout(2*time.Second))
		was := lineage(t, s, "")
		servers.Failover()
		lineage(t, s, was)
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		c := redistest.StartCluster(t)
		s := redispresence.New(c.Client(), redispresence.WithTimeout(2*time.Second))
		was := lineage(t, s, "")
		slot := c.Slot("wardroom:{n:}:leases")
		c.Failover(slot)
		now := lineage(t, s, was)
		c.Migrate(slot, c.Primary((slot+6000)%16384))
		if moved := lineage(t, s, ""); moved != now {
			t.Errorf("a slot was moved, and nothing lost: %q, then %q", now, moved)
		}
		primary := c.Primary((slot + 6000) % 16384)
		primary.Kill()
		c.Promoted(slot, primary)
		lineage(t, s, now)
	})
}

// watches has a node sweep when its store has another past, as package room does.
func (n *node) watches(t *testing.T) {
	store := n.store.Store.(*redispresence.Store)
	last := lineage(t, store, "")
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			if now, err := store.Lineage(t.Context()); err == nil && now != last {
				last = now
				n.Sweep()
			}
			select {
			case <-ended:
				return
			case <-time.After(time.Second):
			}
		}
	}()
	t.Cleanup(func() { close(ended); <-done })
}

// present waits until a room has these users, as "user status", as a node sees
// it.
func (n *node) present(what, room string, want ...string) {
	n.w.t.Helper()
	var got []string
	n.w.until(fmt.Sprintf("%s, %s: want %q", what, room, want), func() bool {
		page, err := n.List(n.w.t.Context(), room, presence.Query{})
		got = nil
		for _, m := range page.Members {
			got = append(got, fmt.Sprintf("%s %s", m.User, m.Status))
		}
		return err == nil && slices.Equal(got, want)
	})
}

func (n *node) somewhere(user string, want bool) {
	n.w.t.Helper()
	n.w.until(fmt.Sprintf("%s is somewhere: %t", user, want), func() bool {
		m, err := n.Get(n.w.t.Context(), "", user, false)
		return err == nil && m.Connections > 0 == want
	})
}

// TestPromotionLoses has a replica promoted that has not got what two nodes have
// written last, in rooms and everywhere: who has come, gone, and changed. Nobody
// writes there afterwards, the nodes beat every 30 seconds, sweep by themselves
// every five minutes, and their leases last for 90 seconds.
func TestPromotionLoses(t *testing.T) {
	t.Parallel()
	seldom := func(o *presence.Options) {
		o.Beat, o.Timeout, o.Check, o.Grace = 30*time.Second, 90*time.Second, 30*time.Second, -1
	}
	run := func(w *world, rooms []string, users [3]string, lose, promote func()) {
		t := w.t
		t.Helper()
		stay, left, back := rooms[0], rooms[1], rooms[2]
		ada, bob, cyd := users[0], users[1], users[2]
		a, b := w.node("a", seldom), w.node("b", seldom)
		a.watches(t)
		b.watches(t)
		adas, bobs := a.joins(ada, stay, left, back, ""), a.joins(bob, stay)
		b.joins("dan", stay, back)
		for _, n := range []*node{a, b} {
			n.well()
			n.present("before", stay, sorted(ada+" online", bob+" online", "dan online")...)
			n.somewhere(ada, true)
		}
		lose()
		if err := adas.Close(t.Context(), presence.ReasonLeft); err != nil {
			t.Fatal(err)
		}
		if err := bobs.Set(t.Context(), presence.Away, nil); err != nil {
			t.Fatal(err)
		}
		a.joins(cyd, stay, back, "")
		b.joins("eve", left)
		a.well()
		b.well()
		w.forget()
		promote()
		healed := time.Now()
		for _, n := range []*node{b, a} {
			n.present("after", stay, sorted(bob+" away", cyd+" online", "dan online")...)
			n.present("after", left, "eve online")
			n.present("after", back, sorted(cyd+" online", "dan online")...)
			n.somewhere(ada, false)
			n.somewhere(cyd, true)
		}
		t.Logf("right %v after the promotion; announced %q", time.Since(healed), w.announced())
		a.well()
		b.well()
	}
	t.Run("sentinel", func(t *testing.T) {
		t.Parallel()
		s := redistest.StartSentinel(t)
		w := &world{t: t, client: s.Client, timeout: 2 * time.Second}
		run(w, []string{"stay", "left", "back"}, [3]string{"ada", "bob", "cyd"}, func() {
			s.Replicated()
			s.Primary().Strand()
		}, func() {
			was := s.Primary()
			was.Kill()
			s.Promoted(was)
		})
	})
	// Of a cluster the primary of the rooms, and not that of the leases; or both.
	for name, leases := range map[string]bool{"cluster, without leases": false, "cluster, with leases": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := redistest.StartCluster(t)
			w := &world{t: t, client: c.Client, timeout: 2 * time.Second}
			nodes := c.Primary(c.Slot("wardroom:{n:}:leases"))
			var primary *redistest.Server
			pick := func(kind, name string) string {
				for i := 0; ; i++ {
					id := fmt.Sprint(name, i)
					p := c.Primary(c.Slot("wardroom:{" + kind + ":" + id + "}:entries"))
					if (p == nodes) == leases && (primary == nil || p == primary) {
						primary = p
						return id
					}
				}
			}
			rooms := []string{pick("pr", "stay"), pick("pr", "left"), pick("pr", "back")}
			run(w, rooms, [3]string{pick("pu", "ada"), "bob", pick("pu", "cyd")}, func() {
				replica := primary.Do("WAIT", "1", "5000")
				if replica != "1" {
					t.Fatalf("WAIT: %s", replica)
				}
				primary.Strand()
			}, func() {
				slot := c.Slot("wardroom:{pr:" + rooms[0] + "}:entries")
				primary.Kill()
				c.Promoted(slot, primary)
			})
		})
	}
}

func sorted(list ...string) []string {
	slices.Sort(list)
	return list
}
