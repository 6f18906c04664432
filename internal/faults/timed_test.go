package faults

import (
	"context"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
)

// timed are stores whose calls on the path of a request are timed.
func (w *stopwatch) timed(s stores) stores {
	if more, ok := s.broker.(sharedBroker); ok {
		s.broker = timedSharedBroker{timedBroker{more, w}, more}
	} else {
		s.broker = timedBroker{s.broker, w}
	}
	if more, ok := s.store.(sharedStore); ok {
		s.store = timedSharedStore{timedStore{more, w}, more}
	} else {
		s.store = timedStore{s.store, w}
	}
	s.sessions = timedSessions{s.sessions, w}
	if more, ok := s.presence.(room.Lineage); ok {
		s.presence = timedSharedPresence{timedPresence{s.presence, w}, more}
	} else {
		s.presence = timedPresence{s.presence, w}
	}
	s.limiter = timedLimiter{s.limiter, w}
	s.counter = timedCounter{s.counter, w}
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

// sharedBroker is a broker with all that there is to a broker. What servers
// look for they must find, or it is not what is tested.
type sharedBroker interface {
	room.BatchBroker
	room.HealthBroker
}

type timedSharedBroker struct {
	timedBroker
	more sharedBroker
}

func (b timedSharedBroker) PublishAll(ctx context.Context, list []room.Publication) []room.Result {
	defer b.w.start(ctx, "Broker.PublishAll")()
	if len(list) > 1 {
		b.w.o.count("messages published with others", len(list))
	}
	return b.more.PublishAll(ctx, list)
}

func (b timedSharedBroker) Follow(ctx context.Context, name string, deliver func(room.Message), delivered func()) (room.Position, func(), error) {
	return b.more.Follow(ctx, name, deliver, delivered)
}

func (b timedSharedBroker) Health() error { return b.more.Health() }

// What is in Redis has all of it.
var (
	_ sharedBroker = timedSharedBroker{}
	_ sharedBroker = (*redisroom.Broker)(nil)
)

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
	room.Lineage
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

func (s timedSharedStore) Lineage(ctx context.Context) (string, error) { return s.more.Lineage(ctx) }

var (
	_ sharedStore = timedSharedStore{}
	_ sharedStore = (*redisroom.Store)(nil)
)

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

type timedPresence struct {
	presence.Store
	w *stopwatch
}

func (p timedPresence) Update(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
	// It may be several exchanges with Redis, each of which has the deadline. All
	// together have that of the context. No request waits for it.
	defer p.w.startFor(ctx, "Presence.Update", 4*p.w.most)()
	return p.Store.Update(ctx, b)
}

func (p timedPresence) Get(ctx context.Context, scope presence.Scope, user string) (presence.Record, error) {
	defer p.w.start(ctx, "Presence.Get")()
	return p.Store.Get(ctx, scope, user)
}

func (p timedPresence) List(ctx context.Context, scope presence.Scope, after string, most int) ([]presence.Record, bool, error) {
	defer p.w.start(ctx, "Presence.List")()
	return p.Store.List(ctx, scope, after, most)
}

type timedSharedPresence struct {
	timedPresence
	room.Lineage
}

type timedCounter struct {
	limit.Counter
	w *stopwatch
}

func (c timedCounter) Take(ctx context.Context, key, id string, most int, ttl time.Duration) (bool, error) {
	defer c.w.start(ctx, "Counter.Take")()
	return c.Counter.Take(ctx, key, id, most, ttl)
}

func (c timedCounter) Drop(ctx context.Context, key, id string) error {
	defer c.w.start(ctx, "Counter.Drop")()
	return c.Counter.Drop(ctx, key, id)
}
