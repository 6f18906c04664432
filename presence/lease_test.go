package presence_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wardroom/wardroom/presence"
)

func TestBeats(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a", func(o *presence.Options) { o.Sweep = 100 * time.Hour })
		cost := func(d time.Duration) map[string]int {
			w.after(d)
			return a.link.counts()
		}
		cost(0)
		for _, users := range []int{0, 1000} {
			for i := range users {
				a.joins(fmt.Sprint("u", i), "r")
			}
			cost(30 * time.Second)
			got := cost(30 * time.Minute)
			if got["Beat"] != 60 || len(got) != 1 {
				t.Errorf("with %d users half an hour costs %v, want 60 beats and nothing else", users, got)
			}
		}
	})
}

func TestSweepCost(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a")
		for i := range 100 {
			a.joins(fmt.Sprint("u", i), "r", "s")
		}
		w.after(time.Second)
		a.link.counts()
		w.after(300 * time.Second)
		if got := a.link.counts(); got["Update"] != 2 || got["Beat"] != 10 && got["Beat"] != 11 {
			t.Errorf("five minutes cost %v, want an update for each of 2 rooms, and 10 or 11 beats", got)
		}
	})
}

// TestDeadNode shows that survivors announce, once, who was on a node that
// died, and not later than the timeout.
func TestDeadNode(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		nodes := []*node{w.node("a"), w.node("b"), w.node("c"), w.node("d")}
		w.after(47 * time.Second)
		a, b := nodes[0], nodes[1]
		a.joins("ada", "r", "s", "")
		a.joins("ada", "r")
		a.joins("bob", "r")
		b.joins("bob", "r")
		a.joins("zoe", "s").Close(w.ctx, presence.ReasonDisconnected)
		hidden := a.joins("eve", "s")
		w.must(hidden.Set(w.ctx, presence.Offline, nil))
		w.after(9 * time.Second)
		w.take()
		a.kill()
		died := time.Now()
		for w.announced() == 0 && time.Since(died) < 200*time.Second {
			w.after(time.Second)
		}
		if d := time.Since(died); d < 60*time.Second || d > 90*time.Second {
			t.Errorf("reaped after %v, want it after 60 to 90 s", d)
		}
		w.announcesInAnyOrder("r: ada timeout", "s: ada timeout", ": ada timeout", "s: zoe timeout")
		b.lists("r", "bob online 1")
		b.lists("s")
		if m, _ := b.Get(w.ctx, "", "ada", false); m.Seen.IsZero() {
			t.Error("ada was never seen")
		}
		w.after(20 * time.Minute)
		w.announces()
		cleared := 0
		for _, n := range nodes[1:] {
			cleared += n.link.counts()["Orphans"]
		}
		if cleared < 2 || cleared > 10 {
			t.Errorf("orphans were asked for %d times", cleared)
		}
	})
}

// TestLargeDeadNode shows that what does not fit into one batch, or one page of
// orphans, is reaped as well.
func TestLargeDeadNode(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		// What is left of a large batch does not wait for the window.
		a, b := w.node("a"), w.node("b", func(o *presence.Options) { o.Window = time.Hour })
		c := a.connect("ada")
		const rooms, users = 600, 700
		for i := range rooms {
			w.must(c.Join(w.ctx, fmt.Sprint("room", i)))
		}
		for i := range users {
			a.joins(fmt.Sprint("u", i), "r")
		}
		w.after(time.Minute)
		w.take()
		a.kill()
		w.after(2 * time.Minute)
		seen := map[string]int{}
		for _, e := range w.take() {
			seen[e]++
		}
		for e, n := range seen {
			if n != 1 || !strings.HasSuffix(e, "timeout") {
				t.Errorf("%d times %q", n, e)
			}
		}
		if len(seen) != rooms+users {
			t.Errorf("%d announcements, want %d", len(seen), rooms+users)
		}
		b.lists("r")
	})
}

// TestReaperDies has the survivor die over its work.
func TestReaperDies(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		w.after(35 * time.Second)
		c := w.node("c")
		for i := range 300 {
			a.joins(fmt.Sprint("u", i), fmt.Sprint("r", i))
		}
		w.take()
		a.kill()
		// b gets the orphans, and writes down what it does with a hundred of them.
		n := 0
		b.link.mu.Lock()
		b.link.fault = func(op string) linkState {
			if op != "Update" {
				return up
			}
			if n++; n > 100 {
				return away
			}
			return up
		}
		b.link.mu.Unlock()
		w.after(100 * time.Second)
		if got := w.announced(); got != 100 {
			t.Fatalf("%d announced by the first survivor, want 100", got)
		}
		b.kill()
		w.after(3 * time.Minute)
		seen := map[string]int{}
		for _, e := range w.take() {
			seen[e]++
			if seen[e] > 1 {
				t.Errorf("%q twice", e)
			}
		}
		if len(seen) != 300 {
			t.Errorf("%d announcements, want 300", len(seen))
		}
		c.lists("r7")
	})
}

// TestRestart shows that a node that comes back under its name does not keep
// its predecessor's users alive.
func TestRestart(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		w.after(35 * time.Second)
		a.joins("ada", "r")
		a.joins("bob", "r")
		w.take()
		a.kill()
		again := w.node("a")
		again.joins("bob", "r")
		w.after(2 * time.Minute)
		w.announces("r: ada timeout")
		b.lists("r", "bob online 1")
	})
}

// TestRestartAlone is the same without a survivor: the node that comes back does
// it by itself.
func TestRestartAlone(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a")
		a.joins("ada", "r")
		w.take()
		a.kill()
		again := w.node("a")
		w.after(2 * time.Minute)
		w.announces("r: ada timeout")
		again.lists("r")
	})
}

// TestPause has a node sleep longer than its lease, as a machine does that is
// suspended.
func TestPause(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		w.after(35 * time.Second)
		c := a.joins("ada", "r")
		gone := a.joins("eve", "r")
		w.take()
		a.link.set(away)
		w.after(3 * time.Minute)
		w.announcesInAnyOrder("r: ada timeout", "r: eve timeout")
		gone.Close(w.ctx, presence.ReasonLeft)
		w.announces()
		a.link.set(up)
		w.after(5 * time.Second)
		w.announces("r: ada joined") // and not that eve has left again
		b.lists("r", "ada online 1")
		w.after(10 * time.Minute)
		w.announces()
		w.must(c.Leave(w.ctx, "r", presence.ReasonLeft))
		w.announces("r: ada left")
	})
}

// TestPauseAmidst is the same with a batch under way that is repeated only when
// the node has another lease.
func TestPauseAmidst(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		w.after(35 * time.Second)
		a.joins("ada", "r")
		gone := a.joins("eve", "r")
		w.take()
		a.link.set(away)
		gone.Close(w.ctx, presence.ReasonLeft)
		w.after(3 * time.Minute)
		w.announcesInAnyOrder("r: ada timeout", "r: eve timeout")
		a.link.mu.Lock()
		a.link.state = up
		a.link.fault = func(op string) linkState {
			if op == "Update" {
				return away
			}
			return up
		}
		a.link.mu.Unlock()
		w.after(20 * time.Second)
		w.announces()
		a.link.mu.Lock()
		a.link.fault = nil
		a.link.mu.Unlock()
		w.after(6 * time.Second)
		w.announces("r: ada joined")
		b.lists("r", "ada online 1")
		w.after(10 * time.Minute)
		w.announces()
	})
}

// TestReapingFails shows that a node which cannot clear another one away does
// not pile up work.
func TestReapingFails(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		w.after(35 * time.Second)
		a.joins("ada", "r")
		w.take()
		a.kill()
		b.link.mu.Lock()
		b.link.fault = func(op string) linkState {
			if op == "Update" {
				return away
			}
			return up
		}
		b.link.mu.Unlock()
		b.link.counts()
		w.after(time.Hour)
		if n := b.link.counts()["Orphans"]; n != 1 {
			t.Errorf("orphans were asked for %d times", n)
		}
		b.link.mu.Lock()
		b.link.fault = nil
		b.link.mu.Unlock()
		w.after(5 * time.Second)
		w.announces("r: ada timeout")
	})
}

// TestOutage has the store away for longer than leases live. When it is back,
// nodes do not declare each other dead.
func TestOutage(t *testing.T) {
	t.Parallel()
	for _, outage := range []time.Duration{10 * time.Second, 80 * time.Second, 5 * time.Minute} {
		t.Run(outage.String(), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				var nodes []*node
				for i := range 4 {
					nodes = append(nodes, w.node(fmt.Sprint("n", i)))
					w.after(8 * time.Second) // so that they beat at different times
				}
				w.after(time.Minute)
				var conns []*presence.Conn
				for i := range 20 {
					conns = append(conns, nodes[i%4].joins(fmt.Sprint("u", i), "r"))
				}
				w.take()
				for _, n := range nodes {
					n.link.set(away)
				}
				w.after(outage)
				conns[7].Close(w.ctx, presence.ReasonLeft)
				for _, n := range nodes {
					n.link.set(up)
				}
				w.after(5 * time.Second)
				w.announces("r: u7 left")
				w.after(10 * time.Minute)
				w.announces()
				if got := len(nodes[0].members("r", "")); got != 19 {
					t.Errorf("%d members, want 19", got)
				}
			})
		})
	}
}

// TestStoreLosesData has the store emptied.
func TestStoreLosesData(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		c := a.joins("ada", "r")
		a.joins("zoe", "r")
		b.joins("bob", "r")
		eve := b.joins("eve", "r")
		w.take()
		flush := func() {
			w.memory = presence.NewMemory()
			for _, n := range []*node{a, b} {
				n.link.mu.Lock()
				n.link.Store = w.memory
				n.link.mu.Unlock()
			}
		}
		flush()
		// The first who writes notices, and writes all that it has. Who leaves
		// just then is announced, though the store knows nothing of them.
		w.must(eve.Leave(w.ctx, "r", presence.ReasonLeft))
		w.announcesInAnyOrder("r: eve left", "r: bob joined")
		b.lists("r", "bob online 1")
		// The others notice with their next beat.
		w.after(30 * time.Second)
		w.announcesInAnyOrder("r: ada joined", "r: zoe joined")
		b.lists("r", "ada online 1", "bob online 1", "zoe online 1")
		w.after(10 * time.Minute)
		w.announces()
		flush()
		w.after(30 * time.Second)
		w.take()
		b.lists("r", "ada online 1", "bob online 1", "zoe online 1")
		w.must(c.Leave(w.ctx, "r", presence.ReasonLeft))
		w.announces("r: ada left")
	})
}

// TestRoomIsLost has a room vanish from a store that is well otherwise, as when
// one shard of it goes back to older data. The sweep notices.
func TestRoomIsLost(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		a.joins("ada", "r", "s")
		w.take()
		// Somebody else clears the node away in one room.
		var lease string
		r, err := w.memory.Get(w.ctx, presence.Scope{Room: "r"}, "ada")
		w.must(err)
		lease = r.Entries[0].Node
		_, err = w.memory.Update(w.ctx, presence.Batch{Scope: presence.Scope{Room: "r"}, Node: "x", Op: 1, Changes: []presence.Change{{
			Action: presence.RemoveNode, Entry: presence.Entry{Node: lease}, Limit: 10,
		}}})
		w.must(err)
		b.lists("r")
		w.after(301 * time.Second)
		w.announces("r: ada joined")
		b.lists("r", "ada online 1")
		b.lists("s", "ada online 1")
		w.after(time.Hour)
		w.announces()
	})
}
