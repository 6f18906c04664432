package room

import (
	"context"
	"time"

	"github.com/wardroom/wardroom/limit"
)

// watchedCounter is a counter that nodes share.
type watchedCounter struct {
	limit.Counter
	w *watch
}

func (s *watchedCounter) Take(ctx context.Context, key, id string, most int, ttl time.Duration) (ok bool, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Counter.Take(ctx, key, id, most, ttl)
}

func (s *watchedCounter) Renew(ctx context.Context, leases []limit.Lease, ttl time.Duration) (err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Counter.Renew(ctx, leases, ttl)
}

func (s *watchedCounter) Drop(ctx context.Context, key, id string) (err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Counter.Drop(ctx, key, id)
}

// containedLimiter is a limiter whose panics are errors, which a limit.Fallback
// watches.
type containedLimiter struct {
	limit.Limiter
	journal *journal
}

func (l *containedLimiter) Allow(ctx context.Context, key string, r limit.Rate, n int) (d limit.Decision, err error) {
	defer func() {
		if p := recover(); p != nil {
			d, err = limit.Decision{}, l.journal.panicked(ctx, p)
		}
	}()
	return l.Limiter.Allow(ctx, key, r, n)
}
