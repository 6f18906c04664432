package limittest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/limit"
)

// TestCounter tests that counters keep the contract of [limit.Counter]. Of the
// Options it heeds RealTime: without it each case runs in a bubble of
// testing/synctest. newCounter is called for each case and returns a counter
// that counts nothing; with RealTime it must share no keys with the others.
func TestCounter(t *testing.T, newCounter func(t *testing.T) limit.Counter, options ...Options) {
	t.Helper()
	real := len(options) > 0 && options[0].RealTime
	for name, run := range counterCases {
		t.Run(name, func(t *testing.T) {
			if real {
				t.Parallel()
				run(&counterScript{t, newCounter(t), 500 * time.Millisecond})
				return
			}
			synctest.Test(t, func(t *testing.T) { run(&counterScript{t, newCounter(t), time.Second}) })
		})
	}
}

// counterScript drives one counter. A while is how long a short lease is.
type counterScript struct {
	t     testing.TB
	c     limit.Counter
	while time.Duration
}

const long = time.Hour

func (s *counterScript) take(key, id string, most int, ttl time.Duration, want bool) {
	s.t.Helper()
	if ok, err := s.c.Take(context.Background(), key, id, most, ttl); err != nil || ok != want {
		s.t.Fatalf("Take(%q, %q, %d) is %v, error %v; want %v", key, id, most, ok, err, want)
	}
}

func (s *counterScript) drop(key, id string) {
	s.t.Helper()
	if err := s.c.Drop(context.Background(), key, id); err != nil {
		s.t.Fatalf("Drop(%q, %q): %v", key, id, err)
	}
}

func (s *counterScript) renew(ttl time.Duration, leases ...limit.Lease) {
	s.t.Helper()
	if err := s.c.Renew(context.Background(), leases, ttl); err != nil {
		s.t.Fatalf("Renew: %v", err)
	}
}

// counterCases are the sentences of the contract.
var counterCases = map[string]func(*counterScript){
	"cap": func(s *counterScript) {
		s.take("k", "1", 2, long, true)
		s.take("k", "2", 2, long, true)
		s.take("k", "3", 2, long, false)
		s.take("k", "1", 2, long, true) // counted already
		s.take("k", "3", 2, long, false)
		s.take("other", "3", 2, long, true)
		s.take("K", "3", 1, long, true)
		s.take("k", "3", 3, long, true)
		s.take("k", "4", 2, long, false) // lowered below what is there
		s.take("none", "1", 0, long, false)
		s.take("none", "1", -1, long, false)
		s.take("", "", 1, long, true)
		s.take("", "x", 1, long, false)
	},
	"drop": func(s *counterScript) {
		s.drop("k", "1")
		s.take("k", "1", 1, long, true)
		s.drop("k", "2")
		s.drop("other", "1")
		s.take("k", "2", 1, long, false)
		s.drop("k", "1")
		s.drop("k", "1")
		s.take("k", "2", 1, long, true)
		s.take("k", "1", 1, long, false)
	},
	"expiry": func(s *counterScript) {
		s.take("k", "1", 2, s.while, true)
		s.take("k", "2", 2, long, true)
		s.take("k", "3", 2, long, false)
		time.Sleep(s.while + s.while/2)
		s.take("k", "3", 2, long, true)
		s.take("k", "1", 2, long, false)
	},
	"renew": func(s *counterScript) {
		s.renew(long)
		s.take("k", "1", 1, s.while, true)
		s.take("l", "1", 1, s.while, true)
		s.take("m", "1", 1, s.while, true)
		s.renew(long, limit.Lease{Key: "k", ID: "1"}, limit.Lease{Key: "l", ID: "1"})
		s.take("m", "1", 1, s.while, true)
		time.Sleep(s.while + s.while/2)
		s.take("k", "2", 1, long, false)
		s.take("l", "2", 1, long, false)
		s.take("m", "2", 1, long, true)
		// What was forgotten exists all the same.
		s.renew(long, limit.Lease{Key: "m", ID: "1"}, limit.Lease{Key: "n", ID: "1"})
		s.take("m", "3", 2, long, false)
		s.take("n", "2", 1, long, false)
		s.drop("m", "1")
		s.take("m", "3", 2, long, true)
	},
	"many": func(s *counterScript) {
		leases := make([]limit.Lease, 1200)
		for i := range leases {
			leases[i] = limit.Lease{Key: fmt.Sprint("k", i%700), ID: fmt.Sprint(i)}
		}
		s.renew(long, leases...)
		s.take("k0", "new", 2, long, false)
		s.take("k0", "new", 3, long, true)
		s.take("k350", "new", 2, long, false)
		s.take("k699", "new", 1, long, false)
		s.take("k699", "new", 2, long, true)
	},
	"race": func(s *counterScript) {
		for round := range 5 {
			var took atomic.Int64
			var racing sync.WaitGroup
			for i := range 40 {
				racing.Go(func() {
					ok, err := s.c.Take(context.Background(), fmt.Sprint("r", round), fmt.Sprint(i), 7, long)
					if err != nil {
						s.t.Error(err)
					}
					if ok {
						took.Add(1)
					}
				})
			}
			racing.Wait()
			if n := took.Load(); n != 7 {
				s.t.Errorf("%d were counted, want 7", n)
			}
		}
	},
}
