package faults

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/room"
)

// stopwatch sees to it that calls on the path of a request end by their
// deadline.
type stopwatch struct {
	o *sheet
	// most is the deadline that a store has for each call.
	most  time.Duration
	pulse *pulse
	late  sync.WaitGroup // of what looks at calls that took too long
}

// start begins a call. The result ends it.
func (w *stopwatch) start(ctx context.Context, what string) func() {
	began, most := time.Now(), w.most
	if end, ok := ctx.Deadline(); ok {
		most = max(0, min(most, time.Until(end)))
	}
	return func() {
		ended := time.Now()
		took := ended.Sub(began)
		w.o.took("call of "+what, took)
		over := took - most - max(most/5, 10*time.Millisecond) - raceSlack // 10 ms is what a timer is late by
		if over <= 0 {
			return
		}
		// What the machine did not let run is not the store's fault. It is known
		// when it runs again.
		w.late.Go(func() {
			time.Sleep(afterwards)
			if stalled := w.pulse.stalled(began, ended); over > stalled {
				w.o.violate(overdue, "%s took %v of %v, of which the machine took %v", what, took, most, stalled)
			} else {
				w.o.count("calls that the machine made late", 1)
			}
		})
	}
}

// afterwards is after how long all that did not run has run.
const afterwards = 300 * time.Millisecond

// pulse knows for how long something of this process did not run that should
// have, because the machine or the process itself was too busy.
type pulse struct {
	veins [8]vein
	stop  chan struct{}
	wg    sync.WaitGroup
}

// vein is one goroutine that only wants to wake up. There are several because
// each waits for one processor, and others may be free.
type vein struct {
	mu     sync.Mutex // protects stalls
	stalls []stall
}

type stall struct {
	at   time.Time
	long time.Duration
}

const tick = 5 * time.Millisecond

func newPulse() *pulse {
	p := &pulse{stop: make(chan struct{})}
	for i := range p.veins {
		p.wg.Go(func() { p.veins[i].beat(p.stop) })
	}
	return p
}

func (v *vein) beat(stop chan struct{}) {
	for {
		began := time.Now()
		select {
		case <-stop:
			return
		case <-time.After(tick):
		}
		runtime.Gosched() // to the end of the queue, where calls that have ended are
		if long := time.Since(began) - tick; long > tick {
			v.note(long)
		}
	}
}

func (v *vein) note(long time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.stalls) > 10_000 {
		v.stalls = append(v.stalls[:0], v.stalls[5_000:]...)
	}
	v.stalls = append(v.stalls, stall{time.Now(), long})
}

// stalled is for how long one of them did not run in total in a span of time.
func (p *pulse) stalled(from, to time.Time) (most time.Duration) {
	for i := range p.veins {
		v := &p.veins[i]
		v.mu.Lock()
		var sum time.Duration
		for i := len(v.stalls) - 1; i >= 0 && v.stalls[i].at.After(from); i-- {
			if s := v.stalls[i]; s.at.Add(-s.long).Before(to) {
				sum += s.long
			}
		}
		v.mu.Unlock()
		most = max(most, sum)
	}
	return most
}

func (p *pulse) end() {
	close(p.stop)
	p.wg.Wait()
}

// timed are stores whose calls on the path of a request are timed.
func (w *stopwatch) timed(s stores) stores {
	s.broker = timedBroker{s.broker, w}
	if more, ok := s.store.(sharedStore); ok {
		s.store = timedSharedStore{timedStore{more, w}, more}
	} else {
		s.store = timedStore{s.store, w}
	}
	s.sessions = timedSessions{s.sessions, w}
	s.limiter = timedLimiter{s.limiter, w}
	return s
}

type timedBroker struct {
	room.Broker
	w *stopwatch
}

func (b timedBroker) Publish(ctx context.Context, m room.Message, keep room.Retention) (room.Receipt, error) {
	defer b.w.start(ctx, "Broker.Publish")()
	return b.Broker.Publish(ctx, m, keep)
}

func (b timedBroker) Replay(ctx context.Context, name string, r room.Range) (room.Page, error) {
	defer b.w.start(ctx, "Broker.Replay")()
	return b.Broker.Replay(ctx, name, r)
}

type timedStore struct {
	room.Store
	w *stopwatch
}

func (s timedStore) Record(ctx context.Context, name string) (room.Record, error) {
	defer s.w.start(ctx, "Store.Record")()
	return s.Store.Record(ctx, name)
}

func (s timedStore) Admit(ctx context.Context, seat room.Seat, version int64, most int) (room.Admission, error) {
	defer s.w.start(ctx, "Store.Admit")()
	return s.Store.Admit(ctx, seat, version, most)
}

func (s timedStore) Dismiss(ctx context.Context, seat room.Seat) (bool, error) {
	defer s.w.start(ctx, "Store.Dismiss")()
	return s.Store.Dismiss(ctx, seat)
}

func (s timedStore) Members(ctx context.Context, name, after string, most int) ([]room.Member, bool, error) {
	defer s.w.start(ctx, "Store.Members")()
	return s.Store.Members(ctx, name, after, most)
}

// sharedStore is a store with all that there is to a store.
type sharedStore interface {
	room.NodeStore
	room.Inspector
}

type timedSharedStore struct {
	timedStore
	more sharedStore
}

func (s timedSharedStore) Beat(ctx context.Context, node string, ttl time.Duration) (room.NodeLease, error) {
	return s.more.Beat(ctx, node, ttl)
}

func (s timedSharedStore) Reap(ctx context.Context, node string, most int) (room.Reaped, error) {
	return s.more.Reap(ctx, node, most)
}

func (s timedSharedStore) Seats(ctx context.Context, node string, after room.Seat, most int) ([]room.Seat, bool, error) {
	return s.more.Seats(ctx, node, after, most)
}

func (s timedSharedStore) Expel(ctx context.Context, name, user string) error {
	return s.more.Expel(ctx, name, user)
}

func (s timedSharedStore) Inspect(ctx context.Context, asks []room.Inspection) ([]room.Finding, error) {
	return s.more.Inspect(ctx, asks)
}

var _ sharedStore = timedSharedStore{}

type timedSessions struct {
	auth.SessionStore
	w *stopwatch
}

func (s timedSessions) Create(ctx context.Context, in auth.Session) (auth.Session, error) {
	defer s.w.start(ctx, "SessionStore.Create")()
	return s.SessionStore.Create(ctx, in)
}

type timedLimiter struct {
	limit.Limiter
	w *stopwatch
}

func (l timedLimiter) Allow(ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
	defer l.w.start(ctx, "Limiter.Allow")()
	return l.Limiter.Allow(ctx, key, r, n)
}
