package faults

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/room"
)

// crowd is many guests on some nodes.
type crowd struct {
	o      *oracle
	nodes  []*node
	guests []*guest
	named  map[string]*guest
	every  time.Duration // a guest says something, on average
	// closed are nodes that nobody connects to, by index.
	closed []atomic.Bool
	// hoarder is not among the guests; nil when there is none.
	hoarder *hoarder
	stop    func()
	wg      sync.WaitGroup
}

// plan says how many there are.
type plan struct {
	prefix               string // of the users' IDs, "u" when empty
	guests, halls, lives int
	every                time.Duration
	hoarder              string // the user's ID; empty when there is none
}

// full is the plan of the storm.
var full = plan{guests: 300, halls: 12, lives: 5, every: 4 * time.Second, hoarder: "h"}

// gather makes a crowd and has everyone come in.
func gather(o *oracle, nodes []*node, p plan, seed uint64) *crowd {
	c := &crowd{o: o, nodes: nodes, every: p.every, closed: make([]atomic.Bool, len(nodes)), named: make(map[string]*guest)}
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	prefix := cmp.Or(p.prefix, "u")
	for i := range p.guests {
		g := &guest{
			crowd: c, user: fmt.Sprintf("%s%d", prefix, i), status: "online", rng: rand.New(rand.NewPCG(seed, uint64(i))), node: -1,
			rooms: []string{fmt.Sprintf("hall:%d", i%p.halls)}, pending: make(map[string][]string),
			lost: make(chan struct{}, 1), churn: make(chan struct{}, 1),
			views: make(map[string]*view), since: make(map[string]time.Time), held: make(map[string]bool),
		}
		g.token = newToken(g.user)
		if i%2 == 0 {
			g.rooms = append(g.rooms, fmt.Sprintf("live:%d", i/2%p.lives))
		}
		for _, name := range g.rooms {
			g.views[name] = &view{o: o, user: g.user, room: name, history: hasHistory(name)}
		}
		c.guests = append(c.guests, g)
		c.named[g.user] = g
		c.wg.Go(func() { g.run(ctx) })
	}
	if p.hoarder != "" {
		c.hoard(ctx, p.hoarder, seed)
	}
	return c
}

// leave has everyone go.
func (c *crowd) leave() {
	c.stop()
	c.wg.Wait()
}

// pick is a node to connect to.
func (c *crowd) pick(rng *rand.Rand) int {
	for {
		if i := rng.IntN(len(c.nodes)); !c.closed[i].Load() {
			return i
		}
	}
}

// churn has some guests lose their connections.
func (c *crowd) churn(rng *rand.Rand, n int) {
	for range n {
		select {
		case c.guests[rng.IntN(len(c.guests))].churn <- struct{}{}:
		default:
		}
	}
}

// rooms are the names of all rooms.
func (c *crowd) rooms() []string {
	names := make(map[string]bool)
	for _, g := range c.guests {
		for _, name := range g.rooms {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// expected are the users who have to be in a room, and whether they think that
// they are.
func (c *crowd) expected(name string) (users map[string]bool, settled bool) {
	users, settled = make(map[string]bool), true
	for _, g := range c.guests {
		if !slices.Contains(g.rooms, name) || g.isHeld(name) || g.isHeld("") {
			continue
		}
		users[g.user] = true
		settled = settled && g.isIn(name)
	}
	return users, settled
}

// there are the guests of a node who have been in a room since some time.
func (c *crowd) there(name string, node int, since time.Time) (users []string) {
	for _, g := range c.guests {
		if at, on, in := g.inSince(name); in && on == node && at.Before(since) {
			users = append(users, g.user)
		}
	}
	return users
}

// difference says what is wrong with who is in the rooms, as every node and
// one of each node's members see it; empty when nothing is.
func (c *crowd) difference() string {
	for _, name := range c.rooms() {
		want, settled := c.expected(name)
		if !settled {
			var out []string
			for _, g := range c.guests {
				if want[g.user] && !g.isIn(name) {
					out = append(out, g.user)
				}
			}
			return fmt.Sprintf("%s: %d are not in it: %v", name, len(out), first(out))
		}
		for i, n := range c.nodes {
			if c.closed[i].Load() || n.srv == nil {
				continue
			}
			if diff := membersDiffer(n, name, want); diff != "" {
				return diff
			}
		}
		if diff := c.presenceDiffers(name, want); diff != "" {
			return diff
		}
	}
	return ""
}

func first(list []string) []string { return list[:min(len(list), 5)] }

func membersDiffer(n *node, name string, want map[string]bool) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	list, more, err := n.srv.Room(name).Members(ctx, "", 1000)
	if err != nil || more {
		return fmt.Sprintf("%s by %s: %v %v", name, n.name, err, more)
	}
	got := make(map[string]bool)
	for _, m := range list {
		got[m.User] = true
		if m.Connections != 1 {
			return fmt.Sprintf("%s by %s: %s has %d connections", name, n.name, m.User, m.Connections)
		}
	}
	return differ(name+" by "+n.name, got, want)
}

// presenceDiffers asks one member on each node.
func (c *crowd) presenceDiffers(name string, want map[string]bool) string {
	asked := make(map[int]bool)
	for _, g := range c.guests {
		_, node, in := g.inSince(name)
		if !in || asked[node] {
			continue
		}
		asked[node] = true
		r, err := g.members(name)
		if err != nil {
			return fmt.Sprintf("%s asked by %s: %v", name, g.user, err)
		}
		got := make(map[string]bool)
		for _, m := range r.Members {
			if g := c.named[m.User]; g != nil && !g.shown(m.Status) {
				return fmt.Sprintf("%s asked by %s: %s is %q", name, g.user, m.User, m.Status)
			}
			got[m.User] = true
		}
		if diff := differ(name+" asked by "+g.user, got, want); diff != "" {
			return diff
		}
	}
	return ""
}

func differ(what string, got, want map[string]bool) string {
	var absent, extra []string
	for u := range want {
		if !got[u] {
			absent = append(absent, u)
		}
	}
	for u := range got {
		if !want[u] && u != witnessID {
			extra = append(extra, u)
		}
	}
	if len(absent)+len(extra) == 0 {
		return ""
	}
	return fmt.Sprintf("%s: %d missing %v, %d too many %v", what, len(absent), first(absent), len(extra), first(extra))
}

// settle waits until everyone is in their rooms and everybody can see that, for
// so long as is allowed since the fault healed.
func (c *crowd) settle(healed time.Time, most time.Duration) bool {
	diff := ""
	for {
		over := c.o.over(healed, most)
		before := time.Now()
		if diff = c.difference(); diff == "" {
			c.o.took("membership and presence equal after", time.Since(healed))
			return true
		}
		if over {
			c.o.violate(unequal, "%v after the fault healed: %s", before.Sub(healed).Round(time.Millisecond), diff)
			return false
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// arrive waits until everyone is in at first.
func (c *crowd) arrive() error {
	diff := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if diff = c.difference(); diff == "" {
			return nil
		}
	}
	return fmt.Errorf("not everyone is in: %s", diff)
}

// histories compares every room's log with what was acknowledged.
func (c *crowd) histories(n *node) {
	for _, name := range c.rooms() {
		if !hasHistory(name) {
			continue
		}
		due := c.o.due(name)
		log, err := history(n, name)
		if err != nil {
			c.o.violate(unhealed, "history of %s: %v", name, err)
			continue
		}
		c.o.history(due, log)
	}
}

// history reads a room's whole log.
func history(n *node, name string) (map[place]string, error) {
	log := make(map[place]string)
	ask := room.Range{Limit: 1000}
	for tries := 0; ; {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		page, err := n.srv.Room(name).History(ctx, ask)
		cancel()
		if err != nil {
			if tries++; tries > 20 {
				return nil, err
			}
			time.Sleep(100 * time.Millisecond)
			continue
		}
		for _, m := range page.Messages {
			if ask.After+1 != m.Offset {
				return nil, fmt.Errorf("%d after %d", m.Offset, ask.After)
			}
			log[place{name, m.Epoch, m.Offset}] = m.ID
			ask.After = m.Offset
		}
		if !page.More {
			return log, nil
		}
	}
}

// speaks waits until every room takes messages again, from every node.
func (c *crowd) speaks(healed time.Time, most time.Duration) {
	for _, name := range c.rooms() {
		if !hasHistory(name) {
			continue
		}
		for i, n := range c.nodes {
			if c.closed[i].Load() || n.srv == nil {
				continue
			}
			var err error
			if !c.o.within(healed, most, func() bool { err = c.speak(n, name); return err == nil }) {
				c.o.violate(unhealed, "%s by %s %v after the fault healed: %v", name, n.name, time.Since(healed), err)
			}
		}
	}
	c.o.took("every room takes messages again after", time.Since(healed))
}

// speak has the host say something.
func (c *crowd) speak(n *node, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	id := fmt.Sprintf("host-%d", time.Now().UnixNano())
	r, err := n.srv.Room(name).Publish(ctx, "message", "x", room.MessageID(id))
	if err == nil {
		c.o.ack(place{name, r.Epoch, r.Offset}, id)
	}
	return err
}

// arrived waits until everyone in a room has got everything that is in its log.
func (c *crowd) arrived(n *node, most time.Duration) {
	began := time.Now()
	for _, name := range c.rooms() {
		if !hasHistory(name) {
			continue
		}
		var page room.Page
		var err error
		if !c.o.within(began, most, func() bool {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			page, err = n.srv.Room(name).History(ctx, room.Range{Limit: 1, Newest: true})
			return err == nil
		}) {
			c.o.violate(unhealed, "history of %s: %v", name, err)
			continue
		}
		for _, g := range c.guests {
			for g.behind(name, page.Last) {
				if c.o.over(began, most) {
					c.o.violate(gap, "%s in %s never gets %d", g.user, name, page.Last.Offset)
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
	c.o.took("everything has reached everyone after", time.Since(began))
}
