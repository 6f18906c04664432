package limit_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/limit"
)

type brokenLimiter struct{ err error }

func (b *brokenLimiter) Allow(context.Context, string, limit.Rate, int) (limit.Decision, error) {
	return limit.Decision{OK: b.err == nil, Remaining: 99}, b.err
}

func TestFallback(t *testing.T) {
	ctx := context.Background()
	primary := &brokenLimiter{}
	var heard []error
	f := &limit.Fallback{Primary: primary, Backup: limit.NewMemory(), OnChange: func(err error) { heard = append(heard, err) }}
	allow := func(want limit.Decision) {
		t.Helper()
		d, err := f.Allow(ctx, "k", limit.PerMinute(2), 1)
		if err != nil || d.OK != want.OK || d.Remaining != want.Remaining {
			t.Errorf("got %+v, %v, want %+v", d, err, want)
		}
	}
	allow(limit.Decision{OK: true, Remaining: 99})
	primary.err = errors.New("away")
	allow(limit.Decision{OK: true, Remaining: 1})
	allow(limit.Decision{OK: true, Remaining: 0})
	allow(limit.Decision{OK: false, Remaining: 0})
	primary.err = nil
	allow(limit.Decision{OK: true, Remaining: 99})
	if len(heard) != 2 || heard[0] == nil || heard[1] != nil {
		t.Errorf("heard %v, want one failure and one recovery", heard)
	}

	// What is the caller's fault, or the caller's end, is not the primary's.
	primary.err = errors.New("away")
	if _, err := f.Allow(ctx, "k", limit.PerMinute(2), -1); !errors.Is(err, primary.err) {
		t.Errorf("a negative count: %v", err)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := f.Allow(ended, "k", limit.PerMinute(2), 1); err == nil {
		t.Error("the backup was asked for a caller who is gone")
	}
}

// hangingLimiter answers when it is let, or not in time.
type hangingLimiter struct {
	calls int
	hangs bool
}

func (h *hangingLimiter) Allow(ctx context.Context, _ string, _ limit.Rate, _ int) (limit.Decision, error) {
	h.calls++
	if h.hangs {
		<-ctx.Done()
		return limit.Decision{}, ctx.Err()
	}
	return limit.Decision{OK: true, Remaining: 99}, nil
}

// A limiter that does not answer costs its time once in a while, not with every
// call.
func TestFallbackRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		primary := &hangingLimiter{hangs: true}
		var heard []bool
		f := &limit.Fallback{
			Primary: primary, Backup: limit.NewMemory(), Timeout: 100 * time.Millisecond, Retry: time.Second,
			OnChange: func(err error) { heard = append(heard, err == nil) },
		}
		began := time.Now()
		call := func(n int) {
			for range n {
				if d, err := f.Allow(t.Context(), "k", limit.PerSecond(1000), 1); err != nil || !d.OK {
					t.Fatal(d, err)
				}
			}
		}
		call(100)
		if took := time.Since(began); took != 100*time.Millisecond || primary.calls != 1 {
			t.Errorf("%d calls in %v", primary.calls, took)
		}
		for range 5 {
			time.Sleep(time.Second)
			call(10)
		}
		if primary.calls != 6 {
			t.Errorf("%d calls in 5 seconds", primary.calls)
		}
		primary.hangs = false
		time.Sleep(time.Second)
		call(10)
		if primary.calls != 16 || !slices.Equal(heard, []bool{false, true}) {
			t.Errorf("back: %d calls, heard %v", primary.calls, heard)
		}
	})
}
