package limittest

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/limit"
)

// counterMutant is a counter with one bug.
type counterMutant struct {
	*limit.MemoryCounter
	bug   string
	mu    sync.Mutex // protects count
	count int
}

func (c *counterMutant) Take(ctx context.Context, key, id string, most int, ttl time.Duration) (bool, error) {
	switch c.bug {
	case "one more":
		most++
	case "one key":
		key = ""
	case "never expires":
		ttl = 1000 * time.Hour
	case "counts twice":
		c.mu.Lock()
		c.count++
		id += string(rune('a' + c.count))
		c.mu.Unlock()
	case "zero is no cap":
		if most <= 0 {
			return true, nil
		}
	case "refuses who is counted":
		if ok, _ := c.MemoryCounter.Take(ctx, key, id+"?", most, time.Nanosecond); !ok {
			return false, nil
		}
		_ = c.MemoryCounter.Drop(ctx, key, id+"?")
	case "decides apart":
		c.mu.Lock()
		n := c.count
		c.mu.Unlock()
		runtime.Gosched()
		if key == "r0" && n < most {
			c.mu.Lock()
			c.count++
			c.mu.Unlock()
			return true, nil
		}
	}
	return c.MemoryCounter.Take(ctx, key, id, most, ttl)
}

func (c *counterMutant) Renew(ctx context.Context, leases []limit.Lease, ttl time.Duration) error {
	switch {
	case c.bug == "renews nothing":
		return nil
	case c.bug == "renews the first alone" && len(leases) > 1:
		leases = leases[:1]
	case c.bug == "renews a thousand" && len(leases) > 1000:
		leases = leases[:1000]
	}
	return c.MemoryCounter.Renew(ctx, leases, ttl)
}

func (c *counterMutant) Drop(ctx context.Context, key, id string) error {
	switch c.bug {
	case "drops nothing":
		return nil
	case "drops the key":
		for _, id := range []string{"1", "2", "3"} {
			_ = c.MemoryCounter.Drop(ctx, key, id)
		}
	}
	return c.MemoryCounter.Drop(ctx, key, id)
}

// verdict is a test that may fail.
type verdict struct {
	testing.TB
	mu     sync.Mutex // protects failed
	failed bool
}

func (v *verdict) Helper() {}

func (v *verdict) fail() {
	v.mu.Lock()
	v.failed = true
	v.mu.Unlock()
}

func (v *verdict) Errorf(string, ...any) { v.fail() }

func (v *verdict) Error(...any) { v.fail() }

func (v *verdict) Fatalf(string, ...any) {
	v.fail()
	runtime.Goexit()
}

// The suite finds each bug, in some case, and none where there is none.
func TestCounterSuiteFails(t *testing.T) {
	for _, bug := range []string{
		"", "one more", "one key", "never expires", "counts twice", "zero is no cap", "refuses who is counted", "decides apart",
		"renews nothing", "renews the first alone", "renews a thousand", "drops nothing", "drops the key",
	} {
		failed := false
		for _, run := range counterCases {
			synctest.Test(t, func(t *testing.T) {
				v := &verdict{TB: t}
				done := make(chan struct{})
				go func() {
					defer close(done)
					run(&counterScript{v, &counterMutant{MemoryCounter: limit.NewMemoryCounter(), bug: bug}, time.Second})
				}()
				<-done
				failed = failed || v.failed
			})
		}
		if failed != (bug != "") {
			t.Errorf("%q: the suite failed: %v", bug, failed)
		}
	}
}
