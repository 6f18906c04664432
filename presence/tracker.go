package presence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// What the methods of [Tracker] and [Conn] answer, wrapped or not.
var (
	// ErrClosed: the Tracker or the Conn is closed.
	ErrClosed = errors.New("presence: closed")
	// ErrNotJoined: the connection is not in this room.
	ErrNotJoined = errors.New("presence: connection is not in the room")
	// ErrInvalidStatus: the status is none of the three.
	ErrInvalidStatus = errors.New("presence: invalid status")
	// ErrMetaTooLarge: there are more bytes of meta than Options.MaxMeta.
	ErrMetaTooLarge = errors.New("presence: meta is too large")
)

// A Tracker is one node's part of presence. Make one with [NewTracker], and
// close it.
//
// It has two goroutines, one for all that is due at a time and one for the
// lease, and up to Options.Parallel others while there is something to write,
// of which one stays.
//
// A Tracker is safe for concurrent use, and so are its Conns.
//
// # Waiting
//
// Methods that change something note it and wait until the store has it and
// Notify was called for what others can see of it. When an attempt fails, or
// has failed and will be repeated, they return the error at once; when the
// context ends first they return an error that wraps ctx.Err(). In both cases
// the change is noted, and the Tracker keeps trying until it is made or undone
// by a later one: do not repeat the call. In a room that is large (see
// [Options.LargeRoom]) they do not wait at all.
//
// What a method has noted is seen by List and Get of the same Tracker at once.
type Tracker struct {
	store   Store
	options Options
	ctx     context.Context // of calls of the store and Notify
	cancel  context.CancelFunc
	wg      sync.WaitGroup // all goroutines

	stop    chan struct{} // closed to end the clock's and the lease's goroutine
	drained chan struct{} // closed when a Tracker that closes has nothing to do
	closed  chan struct{} // closed when Close has
	tick    chan struct{} // capacity 1: the clock has an earlier alarm
	look    chan struct{} // capacity 1: the lease needs looking at
	rest    chan struct{} // ends the rest of a worker; a sender never waits

	mu        sync.Mutex // protects everything below, and all lanes, seats and Conns
	lanes     map[Scope]*lane
	active    int // lanes that are not idle
	ready     queue
	workers   int  // that are not resting
	resting   bool // one is
	alarms    alarms
	lingering map[absent][]*seat
	op        uint64
	lease     string // under which entries are written; empty: there is none
	leaseErr  error  // why beats fail
	suspect   bool   // the store has lost entries of this lease, or has too many
	asked     bool   // for a sweep
	traces    traces
	reaping   int // scopes of dead nodes that are to be cleared
	failing   int // lanes that fail, and the lease if it does
	lastErr   error
	unsaid    []func(*slog.Logger) // for the log, when the lock is not held
	closing   bool
	stopped   bool
}

// absent is whom a lingering seat is kept for.
type absent struct {
	scope Scope
	user  string
}

// NewTracker returns a Tracker on store, with its goroutines started. It calls
// the store in the background only; a store that is not there yet is waited
// for.
func NewTracker(store Store, o Options) (*Tracker, error) {
	if store == nil {
		return nil, errors.New("presence: no Store")
	}
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	t := &Tracker{
		store:     store,
		options:   o,
		stop:      make(chan struct{}),
		drained:   make(chan struct{}),
		closed:    make(chan struct{}),
		tick:      make(chan struct{}, 1),
		look:      make(chan struct{}, 1),
		rest:      make(chan struct{}, o.Parallel),
		lanes:     make(map[Scope]*lane),
		lingering: make(map[absent][]*seat),
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.wg.Go(t.runClock)
	t.wg.Go(t.keepLease)
	return t, nil
}

// Err returns nil when all is well, and otherwise why the store or Notify last
// failed: there are changes that could not be written or announced yet.
func (t *Tracker) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failing == 0 {
		return nil
	}
	return t.lastErr
}

// Close writes and announces what is still to be, waits for all goroutines, and
// gives the lease up. If ctx ends before, what could not be written is given up
// too, and Close returns an error that wraps ctx.Err(). A second Close waits for
// the first.
//
// Connections that have not left, or whose grace is running, are not announced
// as gone: their users may be on their way to another node. The lease lapses
// when the grace is over, and the other nodes then announce who has not come
// back.
func (t *Tracker) Close(ctx context.Context) error {
	t.mu.Lock()
	if t.closing {
		t.mu.Unlock()
		<-t.closed
		return nil
	}
	t.closing = true
	for _, l := range t.lanes {
		if l.state == timed {
			t.makeReady(l)
		}
	}
	t.checkDrained()
	t.mu.Unlock()

	var err error
	select {
	case <-t.drained:
	case <-ctx.Done():
		err = fmt.Errorf("presence: changes given up: %w", ctx.Err())
	}

	t.mu.Lock()
	t.stopped = true
	if t.resting {
		t.workers++
		t.rouse()
	}
	t.mu.Unlock()
	t.cancel()
	close(t.stop)
	t.wg.Wait()

	t.mu.Lock()
	for _, l := range t.lanes {
		l.serve(ErrClosed)
	}
	lease, ttl := t.lease, t.graceLeft(time.Now())
	t.mu.Unlock()
	if lease != "" && err == nil {
		ctx, cancel := context.WithTimeout(ctx, t.options.StoreTimeout)
		defer cancel()
		if _, beat := t.store.Beat(ctx, lease, ttl); beat != nil && !errors.Is(beat, ErrLapsed) {
			err = fmt.Errorf("presence: lease not given up: %w", beat)
		}
	}
	close(t.closed)
	return err
}

// graceLeft is how long connections of this node may still be replaced by
// others.
func (t *Tracker) graceLeft(now time.Time) time.Duration {
	var left time.Duration
	for _, l := range t.lanes {
		for s := l.seats; s != nil; s = s.next {
			switch s.state {
			case seated:
				return t.options.Grace
			case lingering:
				left = max(left, s.alarm.at.Sub(now))
			}
		}
	}
	return left
}

// checkDrained tells Close when there is nothing to do any more.
func (t *Tracker) checkDrained() {
	if !t.closing || t.active > 0 {
		return
	}
	select {
	case <-t.drained:
	default:
		close(t.drained)
	}
}

// fail and recovered keep account of what fails, and say when that begins and
// when it is over.
func (t *Tracker) fail(was *error, err error, room string) {
	if *was == nil {
		t.failing++
		if t.failing == 1 {
			t.say(func(log *slog.Logger) { log.Warn("presence failing", "room", room, "error", err) })
		}
	}
	*was, t.lastErr = err, err
}

func (t *Tracker) recovered(was *error) {
	if *was == nil {
		return
	}
	*was = nil
	t.failing--
	if t.failing == 0 {
		t.say(func(log *slog.Logger) { log.Info("presence recovered") })
	}
}

func (t *Tracker) say(line func(*slog.Logger)) { t.unsaid = append(t.unsaid, line) }

// speak logs what is to be said. The lock is held when it is called and when it
// returns, but not in between.
func (t *Tracker) speak() {
	for len(t.unsaid) > 0 {
		list := t.unsaid
		t.unsaid = nil
		t.mu.Unlock()
		for _, say := range list {
			say(t.options.Logger)
		}
		t.mu.Lock()
	}
}

// poke makes whoever listens on c look, without waiting for it.
func poke(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// stamp is a time as it is stored: in milliseconds.
func stamp(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }
