package limittest

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/limit"
)

// race asks from many goroutines at once.
func race(s *script) {
	const goroutines = 16
	r := limit.PerSecond(50).WithBurst(50)
	for _, n := range []int{1, 3} {
		key := string(rune('0' + n))
		start := time.Now()
		// Two keys, so that keys race too.
		got := s.storm(goroutines, 2*r.Size()/goroutines, r, n, key, "other"+key)
		s.between(start, r, n, got)

		// After 12.5 intervals there are twelve more.
		s.sleep(250 * time.Millisecond)
		for i, more := range s.storm(goroutines, 4, r, n, key, "other"+key) {
			got[i] += more
		}
		s.between(start, r, n, got)
	}
}

// storm calls for n events of each key from goroutines in turn, calls times
// each, and returns how many events of each were admitted.
func (s *script) storm(goroutines, calls int, r limit.Rate, n int, keys ...string) []int {
	s.t.Helper()
	admitted := make([]atomic.Int64, len(keys))
	ready := make(chan struct{})
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			<-ready
			for range calls {
				for i := range keys {
					k := (i + g) % len(keys)
					d, err := s.limiter.Allow(s.t.Context(), keys[k], r, n)
					if err != nil {
						s.t.Errorf("Allow(%q, %v, %d): %v", keys[k], r, n, err)
						return
					}
					if d.OK {
						admitted[k].Add(int64(n))
					}
				}
			}
		})
	}
	close(ready)
	wg.Wait()
	got := make([]int, len(keys))
	for i := range admitted {
		got[i] = int(admitted[i].Load())
	}
	return got
}

// between fails unless the events admitted since start, asked for n at a time
// and more often than they were admitted, are what r admits.
func (s *script) between(start time.Time, r limit.Rate, n int, admitted []int) {
	s.t.Helper()
	since := func(d time.Duration) int {
		events := r.Size() + int(int64(d)*int64(r.Events)/int64(r.Per))
		return events - events%n
	}
	elapsed := time.Since(start)
	most := since(elapsed + s.options.Granularity)
	least := most
	if !s.exact() {
		// The last call may have been made at any time before the return.
		least = r.Size() - r.Size()%n
	}
	for _, got := range admitted {
		if got < least || got > most {
			s.t.Fatalf("calls at once for %d at a time under %v: %d admitted in %v, want %s",
				n, r, got, elapsed, bounds(least, most))
		}
	}
}
