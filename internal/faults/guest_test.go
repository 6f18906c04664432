package faults

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/wardroom/wardroom/room"
)

// guest is one user with one connection: it stays in its rooms, says something
// now and then, and comes back when it has lost its connection.
type guest struct {
	crowd *crowd
	user  string
	rooms []string
	rng   *rand.Rand
	token string
	said  int
	// pending is what was said and not acknowledged, by room: it is said again
	// with the same IDs until it is.
	pending map[string][]string

	lost  chan struct{} // has an element when something is to be done about rooms
	churn chan struct{} // asks for the end of the connection

	joining sync.Mutex // held during a join
	// mu protects what follows, and the views.
	mu    sync.Mutex
	views map[string]*view
	since map[string]time.Time // of being in a room
	held  map[string]bool      // rooms not to come back to; "" is everywhere
	node  int                  // of the connection; -1: none
	link  *link
	// status is what the guest has shown itself as last, was what it did before
	// that, until turned. While unsure is set it is not known whether others see it
	// so: who comes back soon is seen as before.
	status, was string
	turned      time.Time
	unsure      bool

	leave atomic.Bool // the connection is to end
	// revoked says that it was tried to revoke the guest's sign-in.
	revoked atomic.Bool
	links   int // how many connections there were; run's alone
}

// run lives until the context ends.
func (g *guest) run(ctx context.Context) {
	for ctx.Err() == nil {
		if g.isHeld("") {
			pause(ctx, 50*time.Millisecond)
			continue
		}
		i := g.crowd.pick(g.rng)
		n := g.crowd.nodes[i]
		token, _ := g.signIn()
		l, err := dial(ctx, n.addr, token, g.take)
		if err != nil {
			if ctx.Err() == nil {
				g.refused(err, token)
				pause(ctx, 200*time.Millisecond+time.Duration(g.rng.IntN(300))*time.Millisecond)
			}
			continue
		}
		g.crowd.o.readmit(seatKey{g.user, ""})
		g.leave.Store(false)
		g.links++
		g.mu.Lock()
		g.node, g.link = i, l
		g.unsure = g.unsure || g.status == "away"
		g.mu.Unlock()
		l.start()
		g.stay(ctx, l)
		g.leave.Store(true)
		l.bye(g.rng.IntN(2) == 0)
		g.mu.Lock()
		g.node, g.link = -1, nil
		g.mu.Unlock()
		pause(ctx, time.Duration(g.rng.IntN(300))*time.Millisecond)
	}
}

// signIn is the token to sign in with, and whether the guest may.
func (g *guest) signIn() (token string, may bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.token, !g.held[""]
}

// refused counts handshakes that failed, by how.
func (g *guest) refused(err error, token string) {
	var r *refusal
	if errors.As(err, &r) {
		g.crowd.o.count(fmt.Sprintf("handshakes refused with %d", r.status), 1)
		if now, may := g.signIn(); r.status == 401 && may && now == token { // else it was revoked just then
			g.crowd.o.violate(dropped, "%s is refused with 401", g.user)
		}
		return
	}
	g.crowd.o.count("handshakes that failed", 1)
}

// take is the link's reader.
func (g *guest) take(f *frame) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if f == nil {
		for _, v := range g.views {
			v.gone()
		}
		clear(g.since)
		revoked := g.revoked.Load() && g.link.status() == statusRevoked
		if !g.leave.Load() && !g.held[""] && !revoked && !g.crowd.nodes[g.node].dead.Load() {
			g.crowd.o.violate(dropped, "%s on %s: %v", g.user, g.crowd.nodes[g.node].name, g.link.ended)
		}
		g.wake()
		return
	}
	switch f.Type {
	case "message":
		if v := g.views[f.Room]; v != nil {
			v.message(f, g.links, g.node)
		}
	case "removed":
		if v := g.views[f.Room]; v != nil {
			v.gone()
			delete(g.since, f.Room)
			g.crowd.o.count("removals told", 1)
			g.wake()
		}
	}
}

func (g *guest) wake() {
	select {
	case g.lost <- struct{}{}:
	default:
	}
}

// stay is the life of one connection.
func (g *guest) stay(ctx context.Context, l *link) {
	g.show(ctx, l)
	g.enter(ctx, l)
	talk := time.NewTimer(g.interval())
	defer talk.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.done:
			return
		case <-g.churn:
			return
		case <-g.lost:
			g.enter(ctx, l)
		case <-talk.C:
			if g.rng.IntN(20) == 0 {
				g.turn(ctx, l)
			} else {
				g.say(ctx, l)
			}
			talk.Reset(g.interval())
		}
	}
}

func (g *guest) interval() time.Duration {
	mean := g.crowd.every
	return mean/2 + time.Duration(g.rng.Int64N(int64(mean)))
}

// enter joins the rooms that the guest is not in.
func (g *guest) enter(ctx context.Context, l *link) {
each:
	for _, name := range g.rooms {
		for ctx.Err() == nil && !l.over() && !g.isIn(name) {
			switch err := g.join(l, name); {
			case err == nil:
			case errors.Is(err, errHeld):
				continue each // hold wakes the guest when the room is let go
			case errors.Is(err, errEnded):
				return
			default:
				g.crowd.o.count("joins refused with "+code(err), 1)
				pause(ctx, 100*time.Millisecond+time.Duration(g.rng.IntN(200))*time.Millisecond)
			}
		}
	}
}

func (l *link) over() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

const statusRevoked = websocket.StatusCode(4004)

var errHeld = errors.New("the room is not to be joined now")

func (g *guest) join(l *link, name string) error {
	g.joining.Lock()
	defer g.joining.Unlock()
	g.mu.Lock()
	since, held := g.views[name].since(), g.held[name]
	g.mu.Unlock()
	if held {
		return errHeld
	}
	return g.timed("reply to a join", func() error {
		return l.ask(request{Type: "join", Room: name, Since: since}, func(f *frame) {
			if f.OK {
				g.joined(name, since, f)
			}
		}, nil)
	})
}

// joined takes the reply to a join with since.
func (g *guest) joined(name string, since *position, f *frame) {
	var r joinReply
	if err := json.Unmarshal(f.Data, &r); err != nil {
		g.crowd.o.violate(gap, "%s in %s: %v", g.user, name, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.views[name].joined(since, &r)
	g.since[name] = time.Now()
}

// timed keeps how long replies take.
func (g *guest) timed(what string, f func() error) error {
	began := time.Now()
	err := f()
	if !errors.Is(err, errEnded) {
		g.crowd.o.took(what, time.Since(began))
	}
	if errors.Is(err, errNoReply) && g.crowd.o.over(began, replyMost/2) { // else it was the machine
		g.crowd.o.violate(unhealed, "%s: no %s in %v", g.user, what, replyMost)
	}
	return err
}

// say says something in one of the rooms that the guest is in.
func (g *guest) say(ctx context.Context, l *link) {
	name := g.rooms[g.rng.IntN(len(g.rooms))]
	if !g.isIn(name) {
		return
	}
	if !hasHistory(name) {
		g.sayLive(l, name)
		return
	}
	if len(g.pending[name]) == 0 {
		n := 1
		if g.rng.IntN(4) == 0 {
			n = breath
			g.crowd.o.count("messages said in one breath", n)
		}
		for range n {
			g.pending[name] = append(g.pending[name], g.newID())
		}
	}
	for ctx.Err() == nil {
		list := make([]request, 0, breath)
		for _, id := range g.pending[name] {
			list = append(list, request{Type: "message", Room: name, ID: id, Data: "x"})
		}
		var receipts []receipt
		var errs []error
		_ = g.timed("reply to a message", func() error {
			receipts, errs = l.say(list)
			return cmp.Or(errs...)
		})
		g.pending[name] = nil
		var last receipt
		again := false
		for i, r := range receipts {
			id := list[i].ID
			if errs[i] != nil {
				g.pending[name] = append(g.pending[name], id)
			}
			switch c := code(errs[i]); {
			case errs[i] == nil:
				g.crowd.o.ack(place{name, r.Epoch, r.Offset}, id)
				switch {
				case r.Duplicate:
					g.crowd.o.count("retries that had been stored before", 1)
				case r.Epoch == last.Epoch && r.Offset < last.Offset:
					g.crowd.o.violate(disordered, "%s in %s: %s is at %d, and what was said before it at %d", g.user, name, id, r.Offset, last.Offset)
				default:
					last = r
				}
			case c == "unavailable", c == "timeout", c == "internal", c == "rate_limited":
				g.crowd.o.count("messages refused with "+c, 1)
				again = true
			default:
				again = false // it is said again when the guest is back
			}
		}
		if !again {
			return
		}
		pause(ctx, 400*time.Millisecond+time.Duration(g.rng.IntN(400))*time.Millisecond)
	}
}

// breath is how much is said in one breath, at times.
const breath = 4

func (g *guest) sayLive(l *link, name string) {
	id := g.newID()
	g.mu.Lock()
	node := g.node
	g.mu.Unlock()
	g.crowd.o.speak(name, id, node)
	err := g.timed("reply to a message without history", func() error {
		return l.ask(request{Type: "message", Room: name, ID: id, Data: "x"}, nil, nil)
	})
	switch c := code(err); {
	case err == nil:
		g.crowd.o.spoken(id)
	case c == "unavailable", c == "timeout", c == "internal":
	default:
		g.crowd.o.unspoken(id) // the connection or the membership ended
	}
}

// turn shows the guest as away, or as online again.
func (g *guest) turn(ctx context.Context, l *link) {
	g.mu.Lock()
	g.was = g.status
	g.status = map[string]string{"online": "away", "away": "online"}[g.status]
	g.unsure = true
	g.mu.Unlock()
	g.show(ctx, l)
}

// show tells the server the guest's status, where it may not know.
func (g *guest) show(ctx context.Context, l *link) {
	for ctx.Err() == nil {
		g.mu.Lock()
		status, unsure := g.status, g.unsure
		g.mu.Unlock()
		if !unsure {
			return
		}
		err := g.timed("reply to a status", func() error { return l.ask(request{Type: "presence", Status: status}, nil, nil) })
		if errors.Is(err, errEnded) {
			return
		}
		if err == nil {
			g.mu.Lock()
			g.turned, g.unsure = time.Now(), false
			g.mu.Unlock()
			return
		}
		pause(ctx, 200*time.Millisecond)
	}
}

// shown says that the guest may be seen with some status.
func (g *guest) shown(status string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.unsure && (status == g.status || status == g.was && time.Since(g.turned) < time.Second)
}

func (g *guest) newID() string {
	g.said++
	return fmt.Sprintf("%s-%d", g.user, g.said)
}

// members asks who is in a room, as far as one page goes.
func (g *guest) members(name string) (roster, error) {
	g.mu.Lock()
	l := g.link
	g.mu.Unlock()
	if l == nil {
		return roster{}, errEnded
	}
	var r roster
	err := l.ask(request{Type: "members", Room: name}, nil, &r)
	return r, err
}

func (g *guest) isIn(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.views[name].in
}

// inSince says since when the guest is in a room through the connection that it
// has, and on which node.
func (g *guest) inSince(name string) (at time.Time, node int, in bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at, in = g.since[name]
	return at, g.node, in && g.node >= 0
}

func (g *guest) isHeld(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held[name]
}

// hold keeps the guest from coming back to a room until it is let go.
func (g *guest) hold(name string, yes bool) {
	g.joining.Lock() // a join that has begun is not one that was held
	defer g.joining.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held[name] = yes
	if !yes {
		g.wake()
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// behind says that the guest is in a room and has not got what is at some
// position.
func (g *guest) behind(name string, at room.Position) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	v := g.views[name]
	return v != nil && v.in && (v.epoch != at.Epoch || v.last < at.Offset)
}
