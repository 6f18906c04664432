package presence

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// A Peer is who is at the other end of a connection.
type Peer struct {
	// User is the user's ID.
	User string
	// Name is the user's display name; it may be empty.
	Name string
	// Connection identifies the connection among all that there are, were and
	// will be, on any node.
	Connection string
	// Status and Meta are those to begin with, as [Conn.Set] takes them. An empty
	// Status stands for Online. With it and without Meta the connection takes over,
	// in each room, what a connection of the user had there whose grace it ends.
	Status Status
	Meta   []byte
}

// A Conn is a connection of a node. Close it when the connection has ended.
type Conn struct {
	tracker          *Tracker
	user, connection string

	// active is when something was last heard, in nanoseconds since the epoch;
	// idle is whether that is too long ago.
	active atomic.Int64
	idle   atomic.Bool

	// The Tracker's lock protects what follows.
	name   string
	set    *setting
	chosen bool    // set is the user's choice
	seats  []*seat // few: a map would cost more than looking through them
	alarm  *alarm  // to look whether it is idle; nil where nobody does
	closed bool
}

// Connect returns a Conn for a connection, which is in no room yet. Nothing is
// written or announced. The errors are [ErrClosed], [ErrInvalidStatus],
// [ErrMetaTooLarge], and one for a Peer without a user or connection.
func (t *Tracker) Connect(p Peer) (*Conn, error) {
	if p.User == "" || p.Connection == "" {
		return nil, errors.New("presence: Peer without user or connection")
	}
	c := &Conn{
		tracker: t, user: p.User, name: p.Name, connection: p.Connection,
		chosen: p.Status != "" || p.Meta != nil, set: plain,
	}
	now := time.Now()
	if c.chosen {
		set := setting{status: cmp.Or(p.Status, Online)}
		if err := t.check(set.status, p.Meta); err != nil {
			return nil, err
		}
		if p.Meta != nil {
			set.meta, set.metaAt = cloneMeta(p.Meta), stamp(now)
		}
		c.set = &set
	}
	c.active.Store(now.UnixNano())
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closing {
		return nil, ErrClosed
	}
	if t.options.AwayAfter > 0 {
		c.alarm = new(alarm)
		t.set(c.alarm, now.Add(t.options.AwayAfter), c)
	}
	return c, nil
}

func (t *Tracker) check(status Status, meta []byte) error {
	if !status.Valid() {
		return fmt.Errorf("%w: %q", ErrInvalidStatus, string(status))
	}
	if len(meta) > t.options.MaxMeta {
		return fmt.Errorf("%w: %d bytes, at most %d are taken", ErrMetaTooLarge, len(meta), t.options.MaxMeta)
	}
	return nil
}

// cloneMeta copies what a caller may modify. Unlike bytes.Clone it tells empty
// from nil.
func cloneMeta(meta []byte) []byte { return append(make([]byte, 0, len(meta)), meta...) }

// Join takes the connection into a room. The empty room stands for presence
// everywhere: a user is somewhere while one of their connections has joined it.
// Joining a room that the connection is in does nothing.
//
// It waits as [Tracker] says. Besides, the error is [ErrClosed].
func (c *Conn) Join(ctx context.Context, room string) error {
	t := c.tracker
	w := newWaiter()
	t.mu.Lock()
	if t.closing || c.closed {
		t.mu.Unlock()
		return ErrClosed
	}
	if s := c.seatIn(room); s != nil && s.state == seated {
		t.mu.Unlock()
		return nil
	}
	t.seat(c, room, w)
	return t.unlockAndWait(ctx, w)
}

// Leave takes the connection out of a room. With [ReasonDisconnected] and
// [ReasonTimeout] it stays there for the grace, and Leave does not wait.
// Leaving a room that the connection is not in does nothing.
//
// It waits as [Tracker] says. Besides, the error is [ErrClosed].
func (c *Conn) Leave(ctx context.Context, room string, reason Reason) error {
	t := c.tracker
	w := newWaiter()
	t.mu.Lock()
	if t.closing || c.closed {
		t.mu.Unlock()
		return ErrClosed
	}
	if s := c.seatIn(room); s != nil {
		t.depart(s, reason, w)
	}
	return t.unlockAndWait(ctx, w)
}

// Close leaves all rooms, with the reason, and makes the Conn unusable. A Conn
// is closed once: another Close does nothing.
//
// It waits as [Tracker] says. Besides, the error is [ErrClosed], for a Tracker
// that was closed before.
func (c *Conn) Close(ctx context.Context, reason Reason) error {
	t := c.tracker
	w := newWaiter()
	t.mu.Lock()
	if c.closed {
		t.mu.Unlock()
		return nil
	}
	if t.closing {
		t.mu.Unlock()
		return ErrClosed
	}
	c.closed = true
	t.unset(c.alarm)
	for _, s := range c.seats {
		t.depart(s, reason, w)
	}
	return t.unlockAndWait(ctx, w)
}

// Set sets the status of the connection in all its rooms, and those it will
// join. A nil meta leaves meta as it is. Meta is JSON, or what else the host
// likes: nobody looks into it. The caller may reuse the slice.
//
// It waits as [Tracker] says. Besides, the errors are [ErrClosed],
// [ErrInvalidStatus] and [ErrMetaTooLarge].
func (c *Conn) Set(ctx context.Context, status Status, meta []byte) error {
	return c.change(ctx, status, meta, func(now setting) ([]*seat, error) {
		c.set, c.chosen = c.set.with(now), true
		return c.seats, nil
	})
}

// SetIn sets the status of the connection in one room, until the next Set.
//
// It waits as [Tracker] says. Besides, the errors are those of Set and
// [ErrNotJoined].
func (c *Conn) SetIn(ctx context.Context, room string, status Status, meta []byte) error {
	return c.change(ctx, status, meta, func(setting) ([]*seat, error) {
		s := c.seatIn(room)
		if s == nil || s.state != seated {
			return nil, ErrNotJoined
		}
		return []*seat{s}, nil
	})
}

// Rename gives the connection another display name, in all its rooms and those
// it will join. Lists have it, and so have the events that follow; a name is not
// presence, so nothing is announced for it alone.
//
// It waits as [Tracker] says. Besides, the error is [ErrClosed].
func (c *Conn) Rename(ctx context.Context, name string) error {
	t := c.tracker
	w := newWaiter()
	t.mu.Lock()
	if t.closing || c.closed {
		t.mu.Unlock()
		return ErrClosed
	}
	if c.name != name {
		c.name = name
		for _, s := range c.seats {
			if s.state == seated {
				t.touch(s, w)
			}
		}
	}
	return t.unlockAndWait(ctx, w)
}

// A setting is a status with its meta, nil when there is none, or none new.
// What a pointer shows to is never changed: most connections share one.
type setting struct {
	status Status
	meta   []byte
	metaAt time.Time
}

// plain is what a connection has that was set to nothing.
var plain = &setting{status: Online}

// with is the setting after another was made.
func (now *setting) with(to setting) *setting {
	if to.meta == nil {
		to.meta, to.metaAt = now.meta, now.metaAt
	}
	return &to
}

// change applies a status and meta to the seats that pick returns.
func (c *Conn) change(ctx context.Context, status Status, meta []byte, pick func(setting) ([]*seat, error)) error {
	t := c.tracker
	if err := t.check(status, meta); err != nil {
		return err
	}
	now := time.Now()
	to := setting{status: status}
	if meta != nil {
		to.meta, to.metaAt = cloneMeta(meta), stamp(now)
	}
	w := newWaiter()
	t.mu.Lock()
	if t.closing || c.closed {
		t.mu.Unlock()
		return ErrClosed
	}
	seats, err := pick(to)
	if err != nil {
		t.mu.Unlock()
		return err
	}
	for _, s := range seats {
		if s.state == seated && s.apply(to) {
			t.touch(s, w)
		}
	}
	// Who says something is not idle.
	c.active.Store(now.UnixNano())
	if c.idle.Swap(false) {
		c.show(w)
	}
	return t.unlockAndWait(ctx, w)
}

// Active notes that something was heard from the user, for Options.AwayAfter.
// It is cheap, never waits, and does nothing when that is not set.
func (c *Conn) Active() {
	if c.tracker.options.AwayAfter == 0 {
		return
	}
	c.active.Store(time.Now().UnixNano())
	if !c.idle.Load() {
		return
	}
	t := c.tracker
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closing && !c.closed && c.idle.Swap(false) {
		c.show(nil)
	}
}

// ring looks whether the user is idle.
func (c *Conn) ring(t *Tracker, now time.Time) {
	after := t.options.AwayAfter
	// In this order, so that Active sees idle or is seen here.
	was := c.idle.Swap(true)
	if left := after - now.Sub(time.Unix(0, c.active.Load())); left > 0 {
		if c.idle.Swap(false) && was {
			c.show(nil)
		}
		t.set(c.alarm, now.Add(left), c)
		return
	}
	if !was {
		c.show(nil)
	}
	t.set(c.alarm, now.Add(after), c)
}

// show writes down what being idle or not makes of the status.
func (c *Conn) show(w *waiter) {
	for _, s := range c.seats {
		if s.state == seated && s.set.status == Online {
			c.tracker.touch(s, w)
		}
	}
}

// seatIn returns the seat in a room, in whatever state, or nil.
func (c *Conn) seatIn(room string) *seat {
	for _, s := range c.seats {
		if s.room == room {
			return s
		}
	}
	return nil
}

// unlockAndWait ends a call that has noted its changes.
func (t *Tracker) unlockAndWait(ctx context.Context, w *waiter) error {
	nothing := w.lanes == 0 && !w.sent
	t.mu.Unlock()
	if nothing {
		return nil
	}
	return w.wait(ctx)
}
