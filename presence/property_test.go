package presence_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wardroom/wardroom/presence"
)

// TestOracle has 1,000 users on four nodes connect, join, set, leave, break off
// and be removed, and nodes die, at random. At every step, what was announced
// and what is listed is what the oracle says, at the millisecond.
func TestOracle(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	inWorld(t, func(w *world) {
		p := &play{w: w, t: t, rng: rand.New(rand.NewPCG(seed, 0)), oracle: newOracle(w.start), dead: map[*node]time.Time{}}
		for range 4 {
			p.startNode()
		}
		for i := range 1000 {
			p.pass(time.Duration(1+p.rng.IntN(50)) * time.Millisecond)
			c := p.connect(fmt.Sprintf("u%03d", i))
			p.join(c)
			p.check(false)
		}
		for step := range 4000 {
			p.pass(p.pause())
			p.step()
			p.check(step%100 == 0)
		}
		p.pass(3 * time.Minute)
		p.check(true)
		if p.kills < 2 || p.said < 3000 {
			t.Errorf("only %d nodes died, and %d things were announced: this shows little", p.kills, p.said)
		}
	})
}

// A play is what happens to a world and to its oracle.
type play struct {
	w      *world
	t      *testing.T
	rng    *rand.Rand
	oracle *oracle
	nodes  []*node
	ties   []*tie
	dead   map[*node]time.Time // and when they will be given up
	killed time.Time
	serial int
	kills  int
	said   int
	last   string // what was done
}

const roomCount = 8

func (p *play) startNode() {
	p.serial++
	p.nodes = append(p.nodes, p.w.node(fmt.Sprint("n", p.serial), func(o *presence.Options) { o.LargeRoom = -1 }))
}

func (p *play) pause() time.Duration {
	most := 300
	switch p.rng.IntN(20) {
	case 0:
		most = 12_000
	case 1:
		most = 40_000
	}
	return time.Duration(1+p.rng.IntN(most)) * time.Millisecond
}

func (p *play) pass(d time.Duration) {
	p.w.after(d)
	for _, when := range p.dead {
		// Survivors look at the moment of the lapse, or a millisecond later.
		if late := time.Since(when); late >= 0 && late < time.Millisecond {
			p.w.after(time.Millisecond)
		}
	}
	p.oracle.advance(time.Now(), p.dead)
}

func (p *play) room() string {
	if n := p.rng.IntN(roomCount + 1); n > 0 {
		return fmt.Sprint("r", n)
	}
	return ""
}

func (p *play) connect(user string) *tie {
	p.serial++
	c := &tie{id: fmt.Sprintf("c%05d", p.serial), user: user, node: p.nodes[p.rng.IntN(len(p.nodes))], status: presence.Online, rooms: map[string]*place{}}
	peer := presence.Peer{User: user, Connection: c.id, Name: "Name " + c.id}
	if p.rng.IntN(4) == 0 {
		c.status, c.chosen = p.status(), true
		peer.Status = c.status
	}
	if p.rng.IntN(8) == 0 {
		c.meta, c.metaAt, c.chosen = p.meta(), time.Now(), true
		peer.Meta = []byte(c.meta)
	}
	var err error
	c.conn, err = c.node.Connect(peer)
	p.w.must(err)
	p.ties = append(p.ties, c)
	return c
}

func (p *play) status() presence.Status {
	return []presence.Status{presence.Online, presence.Online, presence.Away, presence.Offline}[p.rng.IntN(4)]
}

func (p *play) meta() string { return fmt.Sprintf(`{"n":%d}`, p.rng.IntN(3)) }

func (p *play) reason() presence.Reason {
	return []presence.Reason{
		presence.ReasonLeft, presence.ReasonDisconnected, presence.ReasonDisconnected, presence.ReasonDisconnected,
		presence.ReasonTimeout, presence.ReasonKicked, presence.ReasonRevoked,
	}[p.rng.IntN(7)]
}

func (p *play) join(c *tie) {
	room := p.room()
	p.last = fmt.Sprintf("%s of %s on %s joins %q", c.id, c.user, c.node.name, room)
	p.w.must(c.conn.Join(p.w.ctx, room))
	p.oracle.join(c, room)
}

func (p *play) step() {
	w, o := p.w, p.oracle
	i := p.rng.IntN(len(p.ties))
	c := p.ties[i]
	switch p.rng.IntN(16) {
	case 0, 1, 2:
		// Often one who has just gone, on the same node or another.
		p.join(p.connect(fmt.Sprintf("u%03d", p.rng.IntN(1000))))
	case 3, 4, 5, 6:
		p.join(c)
	case 7:
		room, reason := p.room(), p.reason()
		p.last = fmt.Sprintf("%s of %s leaves %q: %s", c.id, c.user, room, reason)
		w.must(c.conn.Leave(w.ctx, room, reason))
		o.leave(c, room, reason)
	case 8, 9:
		reason := p.reason()
		p.last = fmt.Sprintf("%s of %s closes: %s", c.id, c.user, reason)
		p.ties = slices.Delete(p.ties, i, i+1)
		w.must(c.conn.Close(w.ctx, reason))
		o.close(c, reason)
	case 10:
		// A phone changes networks.
		p.ties = slices.Delete(p.ties, i, i+1)
		rooms := c.rooms
		p.last = fmt.Sprintf("%s of %s reconnects", c.id, c.user)
		w.must(c.conn.Close(w.ctx, presence.ReasonDisconnected))
		o.close(c, presence.ReasonDisconnected)
		p.pass(time.Duration(1+p.rng.IntN(15_000)) * time.Millisecond)
		again := p.connect(c.user)
		p.last += fmt.Sprintf(" from %s to %s as %s", c.node.name, again.node.name, again.id)
		for _, room := range sortedKeys(rooms) {
			w.must(again.conn.Join(w.ctx, room))
			o.join(again, room)
		}
	case 11, 12:
		status, meta := p.status(), ""
		var raw []byte
		if p.rng.IntN(2) == 0 {
			meta = p.meta()
			raw = []byte(meta)
		}
		p.last = fmt.Sprintf("%s of %s sets %s %s", c.id, c.user, status, meta)
		w.must(c.conn.Set(w.ctx, status, raw))
		o.set(c, "*", status, meta)
	case 13:
		for _, room := range sortedKeys(c.rooms) {
			if !c.rooms[room].until.IsZero() {
				continue
			}
			status := p.status()
			p.last = fmt.Sprintf("%s of %s sets %s in %q", c.id, c.user, status, room)
			w.must(c.conn.SetIn(w.ctx, room, status, nil))
			o.set(c, room, status, "")
			break
		}
	case 14:
		if p.rng.IntN(4) > 0 {
			return
		}
		room := p.room()
		p.last = fmt.Sprintf("%s is removed from %q", c.user, room)
		for _, other := range p.ties {
			// The other nodes are told, too, as a room does.
			if other.user == c.user && other.node != c.node && other.rooms[room] != nil {
				defer func() { w.must(other.conn.Leave(w.ctx, room, presence.ReasonBanned)) }()
			}
		}
		w.must(c.node.Remove(w.ctx, room, c.user, presence.ReasonBanned))
		o.remove(room, c.user, presence.ReasonBanned)
	case 15:
		if p.rng.IntN(8) > 0 || time.Since(p.killed) < 4*time.Minute {
			return
		}
		p.killed = time.Now()
		p.kills++
		i := p.rng.IntN(len(p.nodes))
		n := p.nodes[i]
		p.last = n.name + " dies"
		n.kill()
		o.kill(n)
		p.dead[n] = n.link.lapse()
		p.nodes = slices.Delete(p.nodes, i, i+1)
		p.ties = slices.DeleteFunc(p.ties, func(c *tie) bool { return c.node == n })
		p.startNode()
	}
}

func sortedKeys(m map[string]*place) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// check compares the world with the oracle: all that was announced, and the
// rooms that this was about, or all of them.
func (p *play) check(all bool) {
	p.t.Helper()
	w := p.w
	rooms, said := map[string]bool{}, map[spot][]string{}
	w.announced()
	w.mu.Lock()
	for _, e := range w.events {
		at := spot{e.Room, e.User}
		said[at] = append(said[at], short(e.Event))
		rooms[e.Room] = true
	}
	p.said += len(w.events)
	w.events = nil
	w.mu.Unlock()
	for at, want := range p.oracle.said {
		rooms[at.room] = true
		if !slices.Equal(said[at], want) {
			p.t.Fatalf("after %v, %s: announced %q, want %q", time.Since(w.start), p.last, said[at], want)
		}
		delete(said, at)
	}
	clear(p.oracle.said)
	if len(said) > 0 {
		p.t.Fatalf("after %v, %s: announced %q, want nothing", time.Since(w.start), p.last, said)
	}
	if all {
		for i := range roomCount {
			rooms[fmt.Sprint("r", i+1)] = true
		}
	}
	n := p.nodes[p.rng.IntN(len(p.nodes))]
	for room := range rooms {
		if room == "" {
			p.checkEverywhere(n, all)
			continue
		}
		got, want := n.members(room, ""), p.oracle.members(room)
		if !slices.EqualFunc(got, want, sameMember) {
			p.t.Fatalf("after %v, %s: %s lists in %s\n     %+v\nwant %+v", time.Since(w.start), p.last, n.name, room, got, want)
		}
	}
}

// checkEverywhere looks for some users, or all of them.
func (p *play) checkEverywhere(n *node, all bool) {
	p.t.Helper()
	users := []int{p.rng.IntN(1000), p.rng.IntN(1000), p.rng.IntN(1000)}
	if all {
		users = users[:0]
		for i := range 1000 {
			users = append(users, i)
		}
	}
	for _, i := range users {
		at := spot{"", fmt.Sprintf("u%03d", i)}
		got, err := n.Get(p.w.ctx, "", at.user, false)
		p.w.must(err)
		want, ok := p.oracle.view(at)
		if !ok {
			want = presence.Member{User: at.user, Status: presence.Offline, Seen: p.oracle.seen[at.user]}
		}
		if !sameMember(got, want) {
			p.t.Fatalf("after %v, %s: %s is everywhere\n     %+v\nwant %+v", time.Since(p.w.start), p.last, at.user, got, want)
		}
	}
}

func sameMember(a, b presence.Member) bool {
	return a.User == b.User && a.Name == b.Name && a.Status == b.Status && string(a.Meta) == string(b.Meta) &&
		a.Since.Equal(b.Since) && a.Connections == b.Connections && a.Seen.Sub(b.Seen).Abs() <= time.Millisecond
}
