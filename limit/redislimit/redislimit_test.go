package redislimit_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/goleak"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/limit/limittest"
	"github.com/wardroom/wardroom/limit/redislimit"
)

// What rueidis puts off for some seconds it does not wait for when it is closed.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"))
}

func TestConforms(t *testing.T) {
	redistest.Each(t, func(t *testing.T, client rueidis.Client) {
		var n atomic.Int64
		limittest.TestLimiter(t, func(*testing.T) limit.Limiter {
			// On a busy machine a call may take its time.
			return redislimit.New(client, redislimit.WithPrefix(fmt.Sprintf("t%d:", n.Add(1))), redislimit.WithTimeout(5*time.Second))
		}, limittest.Options{RealTime: true})
	})
}

// Without Redis a call fails in time, says so, and works again afterwards.
func TestUnavailable(t *testing.T) {
	server := redistest.Start(t)
	l := redislimit.New(server.Client(), redislimit.WithTimeout(100*time.Millisecond))
	ask := func() error {
		_, err := l.Allow(context.Background(), "k", limit.PerSecond(1000), 1)
		return err
	}
	works := func(when string) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); ; { // a busy machine may miss a deadline or two
			err := ask()
			if err == nil {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s: %v", when, err)
			}
		}
	}
	works("at first")
	server.Pause()
	if err := ask(); !errors.Is(err, redislimit.ErrUnavailable) {
		t.Errorf("paused: %v", err)
	}
	server.Resume()
	server.Do("SCRIPT", "FLUSH")
	works("resumed, with the scripts forgotten")
}

// counting counts the calls that reach the shared limiter.
type counting struct {
	limit.Limiter
	calls atomic.Int64
}

func (c *counting) Allow(ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
	c.calls.Add(1)
	return c.Limiter.Allow(ctx, key, r, n)
}

// Nodes that lease admit no more together than the burst and a batch each, and
// seldom ask.
func TestLease(t *testing.T) {
	shared := &counting{Limiter: redislimit.New(redistest.Start(t).Client(), redislimit.WithTimeout(5*time.Second))}
	rate := limit.Rate{Events: 1000, Per: time.Hour, Burst: 1000}
	const nodes, calls = 4, 1000
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range nodes {
		l := redislimit.Lease(shared)
		wg.Go(func() {
			for range calls {
				d, err := l.Allow(context.Background(), "k", rate, 1)
				if err != nil {
					t.Error(err)
				}
				if d.OK {
					admitted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := admitted.Load(); n < 1000-nodes*100 || n > 1001 {
		t.Errorf("%d admitted of a burst of 1,000", n)
	}
	if n := shared.calls.Load(); n > nodes*calls/10 {
		t.Errorf("%d calls of the shared limiter", n)
	}
}

// What was leased and not used in time is not admitted later on top of the rate.
func TestLeaseExpires(t *testing.T) {
	shared := &counting{Limiter: limit.NewMemory()}
	l := redislimit.Lease(shared)
	rate := limit.Rate{Events: 100, Per: 500 * time.Millisecond, Burst: 100}
	for range 2 { // the second borrows two
		if d, err := l.Allow(context.Background(), "k", rate, 1); !d.OK || err != nil {
			t.Fatal(d, err)
		}
	}
	before := shared.calls.Load()
	if _, err := l.Allow(context.Background(), "k", rate, 1); err != nil || shared.calls.Load() != before {
		t.Errorf("the lease was not used: %d calls, %v", shared.calls.Load()-before, err)
	}
	time.Sleep(60 * time.Millisecond) // longer than a tenth of the window
	if _, err := l.Allow(context.Background(), "k", rate, 1); err != nil || shared.calls.Load() != before+1 {
		t.Errorf("the lease outlived its time: %d calls, %v", shared.calls.Load()-before, err)
	}
}

// A key that several nodes use a little keeps the burst it would have with one.
func TestLeaseOfALittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := limit.NewMemory()
		rate := limit.PerSecond(1000)
		const nodes = 4
		var leases [nodes]*redislimit.Leased
		for i := range leases {
			leases[i] = redislimit.Lease(shared)
		}
		for range 100 {
			for i, l := range leases {
				for range i + 1 {
					if d, err := l.Allow(t.Context(), "k", rate, 1); !d.OK || err != nil {
						t.Fatalf("at 100/s: %+v %v", d, err)
					}
				}
			}
			time.Sleep(101 * time.Millisecond) // longer than a lease
		}
		for i := range 800 { // each node may hold a tenth of the burst
			if d, err := leases[i%nodes].Allow(t.Context(), "k", rate, 1); !d.OK || err != nil {
				t.Fatalf("the burst's %d: %+v %v", i, d, err)
			}
		}
	})
}

// While Redis is away nobody waits for it longer than the deadline, however
// many ask for one key, and after a few calls nobody waits at all.
func TestAway(t *testing.T) {
	server := redistest.Start(t)
	const timeout = 300 * time.Millisecond
	l := redislimit.Lease(redislimit.New(server.Client(), redislimit.WithTimeout(timeout)))
	rate := limit.Rate{Events: 1000, Per: time.Hour, Burst: 1000}
	server.Pause()
	defer server.Resume()
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			began := time.Now()
			if _, err := l.Allow(context.Background(), "k", rate, 1); !errors.Is(err, redislimit.ErrUnavailable) {
				t.Errorf("away: %v", err)
			}
			if took := time.Since(began); took > 2*timeout {
				t.Errorf("a call took %v", took)
			}
		})
	}
	wg.Wait()
	began := time.Now()
	const calls = 100
	for range calls {
		if _, err := l.Allow(context.Background(), "k", rate, 1); !errors.Is(err, redislimit.ErrUnavailable) {
			t.Errorf("away: %v", err)
		}
	}
	if took := time.Since(began); took > calls/4*timeout {
		t.Errorf("%d calls took %v", calls, took)
	}
}

// A budget of bytes so large that the script's numbers are rounded is kept all
// the same.
func TestLargeBudget(t *testing.T) {
	client := redistest.Start(t).Client()
	l := redislimit.New(client, redislimit.WithTimeout(5*time.Second))
	rate := limit.Rate{Events: 100_000_000, Per: time.Hour}
	spent := 0
	began := time.Now()
	spend := func(n int) {
		d, err := l.Allow(context.Background(), "k", rate, n)
		if err != nil || !d.OK {
			t.Fatalf("%d of %d: %+v, %v", n, spent, d, err)
		}
		spent += n
		// What has come back meanwhile, and what is rounded down.
		back := int(time.Since(began).Seconds()*float64(rate.Events)/rate.Per.Seconds()) + 1
		if have := rate.Events - spent; d.Remaining < have-1 || d.Remaining > have+back {
			t.Fatalf("%d remain, %d were spent", d.Remaining, spent)
		}
	}
	spend(30_000_000)
	random := rand.New(rand.NewPCG(1, 2))
	for range 8000 {
		spend(random.IntN(5000) + 1)
	}
}
