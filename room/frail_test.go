package room_test

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/room"
)

// frailty is how something that nodes share fails.
type frailty struct{ mode atomic.Int32 }

const (
	well  = iota
	fails // at once
	hangs // until the caller's context is over
	drags // for 3 seconds, whatever the context says, and then answers
	panics
)

func (f *frailty) become(mode int32) { f.mode.Store(mode) }

func (f *frailty) try(ctx context.Context) error {
	switch f.mode.Load() {
	case fails:
		return room.ErrUnavailable
	case hangs:
		<-ctx.Done()
		return ctx.Err()
	case drags:
		time.Sleep(3 * time.Second)
	case panics:
		panic("frail")
	}
	return nil
}

type frailStore struct {
	room.Inspector
	*frailty
}

func (s frailStore) Record(ctx context.Context, name string) (room.Record, error) {
	if err := s.try(ctx); err != nil {
		return room.Record{}, err
	}
	return s.Inspector.Record(ctx, name)
}

func (s frailStore) Create(ctx context.Context, rec room.Record) (room.Record, error) {
	if err := s.try(ctx); err != nil {
		return room.Record{}, err
	}
	return s.Inspector.Create(ctx, rec)
}

func (s frailStore) Admit(ctx context.Context, seat room.Seat, version int64, most int) (room.Admission, error) {
	if err := s.try(ctx); err != nil {
		return room.Admission{}, err
	}
	return s.Inspector.Admit(ctx, seat, version, most)
}

func (s frailStore) Dismiss(ctx context.Context, seat room.Seat) (bool, error) {
	if err := s.try(ctx); err != nil {
		return false, err
	}
	return s.Inspector.Dismiss(ctx, seat)
}

func (s frailStore) Empty(ctx context.Context, before time.Time, most int) ([]room.EmptyRoom, error) {
	if err := s.try(ctx); err != nil {
		return nil, err
	}
	return s.Inspector.Empty(ctx, before, most)
}

func (s frailStore) Inspect(ctx context.Context, asks []room.Inspection) ([]room.Finding, error) {
	if err := s.try(ctx); err != nil {
		return nil, err
	}
	return s.Inspector.Inspect(ctx, asks)
}

// frailBroker has what is stored, and what servers say, fail. Rooms without
// history go on, as brokers that are shared have them.
type frailBroker struct {
	room.Broker
	*frailty
}

func (b frailBroker) Publish(ctx context.Context, m room.Message, keep room.Retention) (room.Receipt, error) {
	if keep.Messages > 0 || m.Kind > room.KindPresence {
		if err := b.try(ctx); err != nil {
			return room.Receipt{}, err
		}
	}
	return b.Broker.Publish(ctx, m, keep)
}

func (b frailBroker) Subscribe(ctx context.Context, name string, deliver func(room.Message)) (room.Position, func(), error) {
	if err := b.try(ctx); err != nil {
		return room.Position{}, nil, err
	}
	return b.Broker.Subscribe(ctx, name, deliver)
}

func (b frailBroker) Replay(ctx context.Context, name string, r room.Range) (room.Page, error) {
	if err := b.try(ctx); err != nil {
		return room.Page{}, err
	}
	return b.Broker.Replay(ctx, name, r)
}

type frailSessions struct {
	auth.SessionStore
	*frailty
}

func (s frailSessions) Create(ctx context.Context, session auth.Session) (auth.Session, error) {
	if err := s.try(ctx); err != nil {
		return auth.Session{}, err
	}
	return s.SessionStore.Create(ctx, session)
}

func (s frailSessions) Touch(ctx context.Context, batch []auth.Activity) ([]auth.Ended, error) {
	if err := s.try(ctx); err != nil {
		return nil, err
	}
	return s.SessionStore.Touch(ctx, batch)
}

func (s frailSessions) Renew(ctx context.Context, id string, identity auth.Identity) (auth.Session, error) {
	if err := s.try(ctx); err != nil {
		return auth.Session{}, err
	}
	return s.SessionStore.Renew(ctx, id, identity)
}

func (s frailSessions) Release(ctx context.Context, id string, grace time.Duration) error {
	if err := s.try(ctx); err != nil {
		return err
	}
	return s.SessionStore.Release(ctx, id, grace)
}

func (s frailSessions) Revoke(ctx context.Context, r auth.Revocation) error {
	if err := s.try(ctx); err != nil {
		return err
	}
	return s.SessionStore.Revoke(ctx, r)
}

func (s frailSessions) List(ctx context.Context, user string, most int) ([]auth.Session, error) {
	if err := s.try(ctx); err != nil {
		return nil, err
	}
	return s.SessionStore.List(ctx, user, most)
}

func (s frailSessions) Revoked(ctx context.Context, id auth.Identity) (bool, error) {
	if err := s.try(ctx); err != nil {
		return false, err
	}
	return s.SessionStore.Revoked(ctx, id)
}

type frailPresence struct {
	presence.Store
	*frailty
}

func (s frailPresence) Beat(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
	if err := s.try(ctx); err != nil {
		return presence.Lease{}, err
	}
	return s.Store.Beat(ctx, node, ttl)
}

func (s frailPresence) Update(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
	if err := s.try(ctx); err != nil {
		return presence.Outcome{}, err
	}
	return s.Store.Update(ctx, b)
}

func (s frailPresence) Get(ctx context.Context, scope presence.Scope, user string) (presence.Record, error) {
	if err := s.try(ctx); err != nil {
		return presence.Record{}, err
	}
	return s.Store.Get(ctx, scope, user)
}

func (s frailPresence) List(ctx context.Context, scope presence.Scope, after string, most int) ([]presence.Record, bool, error) {
	if err := s.try(ctx); err != nil {
		return nil, false, err
	}
	return s.Store.List(ctx, scope, after, most)
}

type frailLimiter struct {
	limit.Limiter
	*frailty
}

func (l frailLimiter) Allow(ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
	if err := l.try(ctx); err != nil {
		return limit.Decision{}, err
	}
	return l.Limiter.Allow(ctx, key, r, n)
}

// parts are everything that nodes share, each as frail as it is made.
type parts struct{ store, broker, sessions, limiter, presence frailty }

func (p *parts) become(mode int32) {
	for _, f := range []*frailty{&p.store, &p.broker, &p.sessions, &p.limiter, &p.presence} {
		f.become(mode)
	}
}

func (p *parts) option() room.Option {
	return room.Options(
		room.WithStore(frailStore{room.NewMemoryStore().(room.Inspector), &p.store}),
		room.WithBroker(frailBroker{room.NewMemoryBroker(), &p.broker}),
		room.WithSessions(frailSessions{auth.NewMemorySessions(), &p.sessions}),
		room.WithLimiter(frailLimiter{limit.NewMemory(), &p.limiter}),
		room.WithPresence(frailPresence{presence.NewMemory(), &p.presence}),
	)
}
