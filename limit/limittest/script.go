package limittest

import (
	"testing"
	"time"

	"github.com/wardroom/wardroom/limit"
)

// A script drives one limiter and holds every answer against the oracle. It is
// for one goroutine.
type script struct {
	t       *testing.T
	limiter limit.Limiter
	options Options
	oracle  *oracle
	start   time.Time
}

func newScript(t *testing.T, l limit.Limiter, o Options) *script {
	return &script{t: t, limiter: l, options: o, oracle: newOracle(), start: time.Now()}
}

// exact reports whether time stands still but for sleep.
func (s *script) exact() bool { return !s.options.RealTime }

// take asks for n events of key and fails the test unless the answer is right.
func (s *script) take(key string, r limit.Rate, n int) limit.Decision {
	s.t.Helper()
	from := time.Since(s.start)
	d, err := s.limiter.Allow(s.t.Context(), key, r, n)
	to := time.Since(s.start)
	if err != nil {
		s.t.Fatalf("at %v: Allow(%q, %v, %d): %v", to, key, r, n, err)
	}
	g := s.options.Granularity
	if wrong := s.oracle.check(key, r, n, from-g, to+g, d); wrong != "" {
		s.t.Fatalf("at %v: Allow(%q, %v, %d) = %+v: %s", to, key, r, n, d, wrong)
	}
	return d
}

// admit is take where the case itself knows that the events are within r. On a
// real clock only the oracle knows: the machine may have stalled between calls.
func (s *script) admit(key string, r limit.Rate, n int) limit.Decision {
	s.t.Helper()
	d := s.take(key, r, n)
	if !d.OK && s.exact() {
		s.t.Fatalf("Allow(%q, %v, %d) = %+v, want it admitted", key, r, n, d)
	}
	return d
}

// refuse is take where the case itself knows, as in admit, that the events
// exceed r.
func (s *script) refuse(key string, r limit.Rate, n int) limit.Decision {
	s.t.Helper()
	d := s.take(key, r, n)
	if d.OK && s.exact() {
		s.t.Fatalf("Allow(%q, %v, %d) = %+v, want it refused", key, r, n, d)
	}
	return d
}

// drain spends all that key has. On a real clock it may come back a little.
func (s *script) drain(key string, r limit.Rate) {
	s.t.Helper()
	if d := s.take(key, r, 0); d.Remaining > 0 {
		s.admit(key, r, d.Remaining)
	}
}

// sleep lets d pass, and on a real clock the granularity on top.
func (s *script) sleep(d time.Duration) {
	if !s.exact() {
		d += s.options.Granularity
	}
	time.Sleep(d)
}

// rates are what most cases are tried with.
func (s *script) rates() []limit.Rate {
	if !s.exact() {
		// Slow enough that a few calls take no noticeable part of an interval.
		return []limit.Rate{
			limit.PerSecond(10).WithBurst(5),
			{Events: 3, Per: 200 * time.Millisecond},
		}
	}
	return []limit.Rate{
		limit.PerSecond(1),
		limit.PerSecond(50),
		limit.PerSecond(100).WithBurst(1),
		limit.PerSecond(10).WithBurst(25),
		limit.PerMinute(60).WithBurst(5),
		// Intervals that are no whole number of nanoseconds.
		limit.PerSecond(3),
		limit.PerMinute(7).WithBurst(4),
		{Events: 11, Per: 13, Burst: 17},
		// Bytes, and more than one event per nanosecond.
		limit.PerSecond(5 << 20),
		limit.PerSecond(100 << 20).WithBurst(1 << 20),
		{Events: 7, Per: 3, Burst: 1000},
		// Slow and long.
		{Events: 1, Per: 24 * time.Hour, Burst: 3},
		{Events: 1_000_000_000, Per: 24 * time.Hour},
	}
}
