package room

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/presence"
)

// Health is a look at what a server depends on. It is for the host: errors may
// hold addresses.
type Health struct {
	// Components are "store", "broker", "sessions", "limiter", "presence" and
	// "counter", in this order. What is not used never fails.
	Components []Component
}

// Component is one of the stores that a server works with.
type Component struct {
	Name string
	// OK: no call has failed for a second, or none at all. While one is not OK
	//
	//	store      who is in a room stays; joins, creates and changes fail
	//	broker     what is said in rooms with history fails, and elsewhere as
	//	           the broker has it
	//	sessions   new connections get 503; existing ones live on
	//	limiter    each node counts for itself
	//	counter    each node counts its own connections
	//	presence   joins and messages go on; who is there is told later
	OK bool
	// Since is since when that is so; zero for what has never failed.
	Since time.Time
	// Err is the last error; nil when OK.
	Err error
	// Failures counts the calls that failed, Overruns those that took more than
	// a fifth longer than Limits.StoreCall, which a store does that does not
	// heed its context.
	Failures, Overruns uint64
}

// OK reports whether every component is.
func (h Health) OK() bool {
	for i := range h.Components {
		if !h.Components[i].OK {
			return false
		}
	}
	return true
}

// Health looks. It asks nobody: a server notices failures as they happen, and
// sees by itself when they are over. A [HealthBroker] says itself what it knows.
func (s *Server) Health() Health {
	s.vitals.broker.confess()
	list := s.vitals.all()
	h := Health{Components: make([]Component, len(list))}
	for i, v := range list {
		h.Components[i] = v.look()
	}
	return h
}

const (
	// wellAfter is how long after a failure a call has to succeed for a
	// component to be well again, so that one which fails now and then does not
	// fill the log.
	wellAfter = time.Second
	// probeEvery is how often a component that fails is asked whether it still
	// does, when nobody else asks.
	probeEvery = 2 * time.Second
	// fairCall is how long a caller has to wait for it to count that there was no
	// answer.
	fairCall = 250 * time.Millisecond
	// limiterCall and limiterAgain are how long a shared limiter may take, and
	// how often it is asked while it fails.
	limiterCall  = 250 * time.Millisecond
	limiterAgain = time.Second
)

// vitals are the signs of life of the components.
type vitals struct{ store, broker, sessions, limiter, presence, counter *vital }

func newVitals(j *journal) *vitals {
	return &vitals{
		store: &vital{name: "store", journal: j}, broker: &vital{name: "broker", journal: j},
		sessions: &vital{name: "sessions", journal: j}, limiter: &vital{name: "limiter", journal: j},
		presence: &vital{name: "presence", journal: j}, counter: &vital{name: "counter", journal: j},
	}
}

func (v *vitals) all() []*vital {
	return []*vital{v.store, v.broker, v.sessions, v.limiter, v.presence, v.counter}
}

// vital is what is known of one component.
type vital struct {
	name     string
	journal  *journal
	failures atomic.Uint64
	overruns atomic.Uint64
	failing  atomic.Bool
	own      func() error // what the component says of itself, or nil
	well     func()       // called when it is well again, or nil

	mu    sync.Mutex // protects what follows; failing is written under it
	since time.Time
	last  time.Time // the last failure
	err   error
}

func (v *vital) look() Component {
	v.mu.Lock()
	defer v.mu.Unlock()
	return Component{
		Name: v.name, OK: !v.failing.Load(), Since: v.since, Err: v.err,
		Failures: v.failures.Load(), Overruns: v.overruns.Load(),
	}
}

// fail notes a call that failed, and says so if it is the first. One that began
// before the component was well again tells nothing new.
func (v *vital) fail(err error, began time.Time) {
	v.failures.Add(1)
	v.ill(err, began)
}

// confess has the component say that it fails, if it knows, though no call may
// have, and reports whether it does.
func (v *vital) confess() bool {
	if v.own == nil {
		return false
	}
	err := v.own()
	if err != nil {
		v.ill(err, time.Now())
	}
	return err != nil
}

func (v *vital) ill(err error, began time.Time) {
	v.mu.Lock()
	first := !v.failing.Load()
	if first && began.Before(v.since) {
		v.mu.Unlock()
		return
	}
	v.last, v.err = time.Now(), err
	if first {
		v.since = v.last
		v.failing.Store(true)
	}
	v.mu.Unlock()
	if first {
		v.journal.write(context.Background(), slog.LevelWarn, eventHealth, nil,
			slog.String("component", v.name), slog.Bool("ok", false), slog.Any("error", err))
	}
}

// succeed notes a call that was answered. at once: it is well from now on.
func (v *vital) succeed(atOnce bool) {
	if !v.failing.Load() || v.confess() {
		return
	}
	v.mu.Lock()
	now := time.Now()
	over := v.failing.Load() && (atOnce || now.Sub(v.last) >= wellAfter)
	after := now.Sub(v.since)
	if over {
		v.since, v.err = now, nil
		v.failing.Store(false)
	}
	v.mu.Unlock()
	if over {
		v.journal.write(context.Background(), slog.LevelInfo, eventHealth, nil,
			slog.String("component", v.name), slog.Bool("ok", true), slog.Duration("after", after))
		if v.well != nil {
			v.well()
		}
	}
}

// watch is how the calls of one component are watched.
type watch struct {
	*vital
	most    time.Duration        // the deadline of a call
	answers func(err error) bool // tells an answer from a failure
}

// watchedCall is one call. Whoever begins it ends it.
type watchedCall struct {
	w      *watch
	outer  context.Context
	cancel context.CancelFunc
	began  time.Time
	says   bool // that it succeeds says that the component is well
}

// begin gives a call its deadline.
func (w *watch) begin(ctx context.Context) (context.Context, watchedCall) {
	inner, cancel := context.WithTimeout(ctx, w.most)
	return inner, watchedCall{w, ctx, cancel, time.Now(), true}
}

// end is deferred and takes the outcome of a call, of which a panic becomes an
// error: most calls are made where nobody else contains it. That the caller has
// given up, or had no time to begin with, says nothing.
func (c *watchedCall) end(outcome *error) {
	if p := recover(); p != nil {
		*outcome = c.w.journal.panicked(context.Background(), p)
	}
	err := *outcome
	c.cancel()
	took := time.Since(c.began)
	if took > c.w.most+c.w.most/5 {
		c.w.overruns.Add(1)
	}
	outer := c.outer.Err()
	switch {
	case err == nil || c.w.answers(err):
		if c.says {
			c.w.succeed(false)
		}
	case outer == nil, took >= fairCall && errors.Is(outer, context.DeadlineExceeded):
		c.w.fail(err, c.began)
	}
}

// is reports whether an error is one of those.
func is(err error, targets ...error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// probe asks what fails whether it still does.
func (s *Server) probe() {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		// None of these changes anything; the answer does not matter.
		v := s.vitals
		if v.store.failing.Load() {
			_, _ = s.store.Record(s.ctx, controlRoom)
		}
		v.broker.confess()
		if v.broker.failing.Load() {
			_, _ = s.broker.Replay(s.ctx, controlRoom, Range{Limit: 1})
		}
		if v.sessions.failing.Load() {
			_, _ = s.sessions.Revoked(s.ctx, auth.Identity{ID: "-"})
		}
		if v.counter.failing.Load() {
			s.renewCounts()
		}
		if v.limiter.failing.Load() {
			_, _ = s.limiter.Allow(s.ctx, "probe", limit.PerSecond(1), 0)
		}
		if v.presence.failing.Load() {
			_, _ = s.presenceStore.Get(s.ctx, presence.Scope{Room: controlRoom}, "-")
		}
	}
}

// watchAll puts a watch on everything that is not in this process. What is
// cannot fail, and is called too often to be watched for nothing.
func (s *Server) watchAll() {
	v, most := s.vitals, s.limits.StoreCall
	for _, of := range []*vital{v.store, v.broker, v.sessions, v.presence} {
		of.well = s.patrolSoon
	}
	for _, store := range []any{s.store, s.presenceStore} {
		if l, ok := store.(Lineage); ok {
			s.lineages = append(s.lineages, l)
		}
	}
	if _, local := s.store.(*memoryStore); !local {
		w := &watch{v.store, most, func(err error) bool {
			return is(err, ErrNoRoom, ErrRoomExists, ErrConflict, ErrRoomFull, ErrBanned, ErrLapsed, ErrTooManySanctions)
		}}
		if s.inspector != nil {
			s.inspector = &watchedInspector{s.inspector, w}
		}
		if s.nodeStore != nil {
			s.nodeStore = &watchedNodes{s.nodeStore, w}
		}
		s.store = &watchedStore{s.store, w}
	}
	if b, ok := s.broker.(HealthBroker); ok {
		v.broker.own = b.Health
	}
	if _, local := s.broker.(*memoryBroker); !local {
		s.remote = true
		w := &watch{v.broker, most, func(err error) bool { return is(err, ErrNoMessage) }}
		if b, ok := s.broker.(BatchBroker); ok {
			s.batches = &watchedBatches{b, w}
		}
		s.broker = &watchedBroker{s.broker, w}
	}
	if _, local := s.sessions.(*auth.MemorySessions); !local {
		s.sessions = &watchedSessions{s.sessions, &watch{v.sessions, most, func(err error) bool {
			return is(err, auth.ErrUnauthenticated, auth.ErrSessionNotFound, auth.ErrWrongUser)
		}}}
	}
	if _, local := s.presenceStore.(*presence.Memory); !local {
		s.presenceStore = &watchedPresence{s.presenceStore, &watch{v.presence, most, func(err error) bool {
			return is(err, presence.ErrLapsed, presence.ErrLost)
		}}}
	}
	if s.counter != nil {
		s.counter = &watchedCounter{s.counter, &watch{v.counter, min(most, countCall), func(error) bool { return false }}}
	}
	if _, local := s.limiter.(*limit.Memory); !local {
		s.limiter = &limit.Fallback{
			Primary: &containedLimiter{s.limiter, s.journal}, Backup: limit.NewMemory(), Timeout: limiterCall, Retry: limiterAgain,
			OnChange: func(err error) {
				if err != nil {
					v.limiter.fail(err, time.Now())
				} else {
					v.limiter.succeed(true)
				}
			},
		}
	}
}
