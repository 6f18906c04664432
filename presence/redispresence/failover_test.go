package redispresence_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/presence"
)

// TestFailover has slots of a cluster move from server to server, with and
// without warning: that of the leases, and that of a room.
func TestFailover(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	w := &world{t: t, client: c.Client, timeout: 2 * time.Second}
	patient := func(o *presence.Options) { o.Timeout = 15 * time.Second }
	a, b := w.node("a", patient), w.node("b", patient)
	leases, room := c.Slot("wardroom:{n:}:leases"), c.Slot("wardroom:{pr:r}:entries")

	users := []string{}
	grow := func(step string) {
		t.Helper()
		for i, n := range []*node{a, b} {
			u := fmt.Sprintf("u%d%c", len(users)/2, 'a'+i)
			users = append(users, u)
			n.joins(u, "r", "of "+u)
		}
		t.Log(step)
		a.lists("r", users...)
		a.well()
		b.well()
		b.lists("r", users...)
	}
	grow("begin")
	for name, slot := range map[string]int{"leases": leases, "room": room} {
		c.Failover(slot)
		grow(name + ": failover")
		i := slices.IndexFunc(c.Servers, func(s *redistest.Server) bool { return s != c.Primary(slot) && s == c.Primary((slot+6000)%16384) })
		c.Migrate(slot, c.Servers[i])
		grow(name + ": migrated")
	}
	was := c.Primary(leases)
	was.Kill()
	c.Promoted(leases, was)
	grow("leases: killed")
	// Nobody was ever announced as gone, and each came once, unless what was
	// written last was lost with the server.
	count := map[string]int{}
	for _, e := range w.announced() {
		count[e]++
	}
	for _, u := range users {
		if n := count["r: "+u+" user_joined"]; n < 1 || n > 2 {
			t.Errorf("%s is announced %d times", u, n)
		}
		if count["r: "+u+" user_left timeout"] > 0 {
			t.Errorf("%s is taken for gone", u)
		}
	}
	w.forget()
	// Who dies now is found.
	var left, stay []string
	for i, u := range users {
		if i%2 == 0 {
			left = append(left, "r: "+u+" user_left timeout", "of "+u+": "+u+" user_left timeout")
		} else {
			stay = append(stay, u)
		}
	}
	a.kill()
	w.announces(left...)
	b.lists("r", stay...)
}
