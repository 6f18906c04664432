package limit_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/limit/limittest"
)

func TestMemoryConforms(t *testing.T) {
	limittest.TestLimiter(t, func(*testing.T) limit.Limiter { return limit.NewMemory() })
}

func TestMemoryWithClockConforms(t *testing.T) {
	limittest.TestLimiter(t, func(*testing.T) limit.Limiter {
		return limit.NewMemory(limit.WithClock(time.Now))
	})
}

// buckets is the least that makes a Limiter of Buckets.
type buckets struct {
	start time.Time

	mu   sync.Mutex // protects keys
	keys map[string]*limit.Bucket
}

func (l *buckets) Allow(_ context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
	if err := r.Validate(); err != nil {
		return limit.Decision{}, err
	}
	if n < 0 {
		return limit.Decision{}, fmt.Errorf("%w: %d", limit.ErrInvalidCount, n)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.keys[key]
	if b == nil {
		b = new(limit.Bucket)
		l.keys[key] = b
	}
	return b.Take(time.Since(l.start), r, n), nil
}

func TestBucketConforms(t *testing.T) {
	limittest.TestLimiter(t, func(*testing.T) limit.Limiter {
		return &buckets{start: time.Now(), keys: make(map[string]*limit.Bucket)}
	})
}
