package redisx

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/rueidis"
)

func TestCircuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCircuit()
		calls := 0
		hang := func(ctx context.Context) error { calls++; <-ctx.Done(); return ctx.Err() }
		works := func(context.Context) error { calls++; return nil }
		do := func(f func(context.Context) error) (time.Duration, error) {
			began := time.Now()
			err := c.Do(t.Context(), time.Second, f)
			return time.Since(began), err
		}
		for i := range tripAfter {
			if took, err := do(hang); !errors.Is(err, context.DeadlineExceeded) || took != time.Second || c.Away() != (i == tripAfter-1) {
				t.Fatalf("call %d: %v after %v, away: %v", i, err, took, c.Away())
			}
		}
		calls = 0
		for range 10 {
			if took, err := do(works); !errors.Is(err, ErrAway) || took > 0 || calls > 0 {
				t.Fatalf("while Redis is away: %v after %v, %d calls", err, took, calls)
			}
		}
		time.Sleep(probeEvery)
		if took, err := do(hang); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
			t.Errorf("the probe: %v after %v", err, took)
		}
		if _, err := do(works); !errors.Is(err, ErrAway) {
			t.Errorf("after a probe that failed: %v", err)
		}
		time.Sleep(probeEvery)
		if _, err := do(works); err != nil || c.Away() {
			t.Errorf("a probe that works: %v, away: %v", err, c.Away())
		}
	})
}

// One probe is on its way at a time, as long as it takes.
func TestCircuitProbesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewCircuit()
		hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		for range tripAfter {
			_ = c.Do(t.Context(), time.Millisecond, hang)
		}
		time.Sleep(probeEvery)
		asked := make(chan error, 2)
		for range 2 {
			go func() { asked <- c.Do(t.Context(), probeEvery/2, hang) }()
		}
		if first := <-asked; !errors.Is(first, ErrAway) {
			t.Errorf("the second asker: %v", first)
		}
		if second := <-asked; !errors.Is(second, context.DeadlineExceeded) {
			t.Errorf("the prober: %v", second)
		}
	})
}

// Answers are answers, and callers who give up say nothing.
func TestCircuitStays(t *testing.T) {
	c := NewCircuit()
	own := new(rueidis.RedisError)
	for range 2 * tripAfter {
		if err := c.Do(t.Context(), 0, func(context.Context) error { return own }); !errors.Is(err, own) {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		_ = c.Do(ctx, 0, func(ctx context.Context) error { cancel(); return ctx.Err() })
		if err := c.Do(ctx, 0, func(context.Context) error { t.Error("called"); return nil }); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if c.Away() {
		t.Error("away")
	}
}

// Callers whose own deadline comes just before the timeout have waited for
// Redis; those who give up early have not.
func TestCircuitWithCallersDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		for _, tt := range []struct {
			own  time.Duration
			away bool
		}{{990 * time.Millisecond, true}, {100 * time.Millisecond, false}} {
			c := NewCircuit()
			for range tripAfter {
				ctx, cancel := context.WithTimeout(t.Context(), tt.own)
				_ = c.Do(ctx, time.Second, hang)
				cancel()
			}
			if c.Away() != tt.away {
				t.Errorf("after calls with %v: away is %v", tt.own, c.Away())
			}
		}
	})
}
