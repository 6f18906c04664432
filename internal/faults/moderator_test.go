package faults

import (
	"context"
	"math/rand/v2"
	"time"
)

// moderator takes access from guests, one after the other, and gives it back.
type moderator struct {
	c   *crowd
	rng *rand.Rand
	// first is what it begins with: 0 to kick, 1 to ban, 2 to revoke.
	first int
	// within is how soon after a call has returned without an error nothing may
	// reach the user any more.
	within time.Duration
	// on are the nodes that calls are made on.
	on []*node
	// unbanned are those whose bans were ended, by room.
	unbanned []seatKey
}

// settleTime is how long the moderator watches after that, and more.
const settleTime = 300 * time.Millisecond

// run goes on until the context ends. What was begun is finished.
func (m *moderator) run(ctx context.Context) {
	for turn := m.first; ctx.Err() == nil; turn++ {
		g := m.c.guests[m.rng.IntN(len(m.c.guests))]
		switch turn % 3 {
		case 0:
			m.kick(ctx, g)
		case 1:
			m.ban(ctx, g)
		case 2:
			m.revoke(ctx, g)
		}
		pause(ctx, 100*time.Millisecond)
	}
	if m.c.o.losing() {
		for _, k := range m.unbanned {
			m.unban(k.room, k.user) // that may be lost
		}
	}
}

func (m *moderator) node() *node { return m.on[m.rng.IntN(len(m.on))] }

// do makes a call until it has been done. A guest is held meanwhile, so that
// only what was sent too late can come.
func (m *moderator) do(ctx context.Context, g *guest, name, what string, call func(context.Context, *node) error) bool {
	g.hold(name, true)
	began := time.Now()
	for ctx.Err() == nil {
		n := m.node()
		callCtx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := call(callCtx, n)
		cancel()
		if err != nil {
			m.c.o.count("moderation that failed, and was tried again", 1)
			pause(ctx, 100*time.Millisecond)
			continue
		}
		m.c.o.took(what+" took", time.Since(began))
		m.c.o.shut(seatKey{g.user, name}, time.Now().Add(m.within), what)
		return true
	}
	return false
}

// watch waits until nothing may come any more, and that the guest was told.
func (m *moderator) watch(g *guest, what string, told func() bool) {
	began := time.Now()
	for !told() {
		if time.Since(began) > m.within {
			m.c.o.violate(late, "%s was not told of the %s within %v", g.user, what, m.within)
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	m.c.o.took(what+" told after", time.Since(began))
	time.Sleep(max(0, m.within-time.Since(began)) + settleTime)
}

func (m *moderator) kick(ctx context.Context, g *guest) {
	name := g.rooms[m.rng.IntN(len(g.rooms))]
	if m.do(ctx, g, name, "kick", func(ctx context.Context, n *node) error { return n.srv.Room(name).Kick(ctx, g.user, "") }) {
		m.watch(g, "kick", func() bool { return !g.isIn(name) })
	}
	g.hold(name, false)
}

func (m *moderator) ban(ctx context.Context, g *guest) {
	name := g.rooms[m.rng.IntN(len(g.rooms))]
	if m.do(ctx, g, name, "ban", func(ctx context.Context, n *node) error {
		return n.srv.Room(name).Ban(ctx, g.user, time.Time{}, "")
	}) {
		m.watch(g, "ban", func() bool { return !g.isIn(name) })
		m.closed(g, name)
	}
	m.unban(name, g.user)
	m.unbanned = append(m.unbanned, seatKey{g.user, name})
	g.hold(name, false)
}

func (m *moderator) unban(name, user string) {
	for tries := 0; ; tries++ {
		callCtx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := m.node().srv.Room(name).Unban(callCtx, user)
		cancel()
		if err == nil {
			break
		}
		if tries > 300 {
			m.c.o.violate(unhealed, "unban: %v", err)
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// closed checks that a banned guest cannot join.
func (m *moderator) closed(g *guest, name string) {
	g.mu.Lock()
	l := g.link
	g.mu.Unlock()
	if l == nil {
		return
	}
	if err := l.ask(request{Type: "join", Room: name}, func(f *frame) {
		if f.OK && m.c.o.losing() {
			g.joined(name, nil, f) // bans too
		}
	}, nil); err == nil && !m.c.o.losing() {
		m.c.o.violate(late, "%s joined %s being banned", g.user, name)
	}
}

func (m *moderator) revoke(ctx context.Context, g *guest) {
	g.revoked.Store(true) // also where the call fails, and is done nevertheless
	if m.do(ctx, g, "", "revoke", func(ctx context.Context, n *node) error { return n.srv.User(g.user).Revoke(ctx) }) {
		m.watch(g, "revoke", func() bool {
			g.mu.Lock()
			defer g.mu.Unlock()
			return g.link == nil
		})
		m.barred(g)
	}
	time.Sleep(2 * time.Millisecond) // tokens have the millisecond that they are of, and are revoked by what came before
	g.mu.Lock()
	g.token = newToken(g.user)
	g.mu.Unlock()
	g.hold("", false)
}

// barred checks that the token that was revoked lets nobody in.
func (m *moderator) barred(g *guest) {
	token, _ := g.signIn()
	l, err := dial(context.Background(), m.node().addr, token, func(*frame) {})
	if err == nil {
		if !m.c.o.losing() { // revocations too
			m.c.o.violate(late, "%s signed in with a revoked token", g.user)
		}
		l.start()
		l.bye(true)
	}
}
