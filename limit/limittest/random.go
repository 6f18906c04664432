package limittest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/wardroom/wardroom/limit"
)

// random plays random calls against the oracle.
func random(s *script) {
	seed := s.options.Seed
	defer func() {
		if s.t.Failed() {
			s.t.Logf("repeat with limittest.Options{Seed: %d}", seed)
		}
	}()
	rng := rand.New(rand.NewPCG(seed, 0))
	runs, steps := 20, 300
	if !s.exact() {
		runs, steps = 1, 60
	}
	for run := range runs {
		randomRun(s, rng, run, steps)
	}
}

func randomRun(s *script, rng *rand.Rand, run, steps int) {
	type subject struct {
		key   string
		rates []limit.Rate
		wait  time.Duration // of the last refusal
	}
	var subjects []*subject
	for i := range 4 {
		subjects = append(subjects, &subject{
			key:   fmt.Sprintf("run %d key %d", run, i),
			rates: []limit.Rate{s.randomRate(rng)},
		})
	}
	// One whose rate changes. The intervals are whole nanoseconds: a fraction
	// that is left over under one rate may be rounded under the next.
	changing := &subject{key: fmt.Sprintf("run %d changing", run)}
	for range 3 {
		r := limit.Rate{Events: 1, Per: 1 + upTo(rng, 200*time.Millisecond), Burst: 1 + rng.IntN(20)}
		changing.rates = append(changing.rates, r)
	}
	subjects = append(subjects, changing)

	for range steps {
		sub := subjects[rng.IntN(len(subjects))]
		r := sub.rates[rng.IntN(len(sub.rates))]
		d := s.take(sub.key, r, randomCount(rng, r))
		if !d.OK {
			sub.wait = d.RetryAfter
		}
		time.Sleep(s.randomPause(rng, r, sub.wait))
	}
}

func (s *script) randomRate(rng *rand.Rand) limit.Rate {
	if !s.exact() {
		return limit.Rate{Events: 1 + rng.IntN(20), Per: time.Second, Burst: rng.IntN(10)}
	}
	for {
		// Magnitudes, not numbers, are what should be even.
		r := limit.Rate{
			Events: 1 + rng.IntN(1<<rng.IntN(31)),
			Per:    1 + upTo(rng, 1<<rng.IntN(48)),
			Burst:  rng.IntN(1 << rng.IntN(24)),
		}
		// The pauses of all runs must not outlast the clock.
		if r.Validate() == nil && r.Window() < 48*time.Hour {
			return r
		}
	}
}

func randomCount(rng *rand.Rand, r limit.Rate) int {
	switch rng.IntN(8) {
	case 0:
		return 0
	case 1:
		return r.Size()
	case 2:
		return r.Size() + rng.IntN(2)
	case 3, 4:
		return 1 + rng.IntN(r.Size())
	default:
		return 1
	}
}

func (s *script) randomPause(rng *rand.Rand, r limit.Rate, wait time.Duration) time.Duration {
	if !s.exact() {
		return upTo(rng, 40*time.Millisecond)
	}
	interval := r.Per/time.Duration(r.Events) + 1
	switch rng.IntN(8) {
	case 0: // to the very edge of the last refusal
		return max(wait-1, 0)
	case 1:
		return wait
	case 2:
		return 1
	case 3:
		return upTo(rng, 2*interval)
	case 4:
		return upTo(rng, r.Window()/4+1)
	default:
		return 0
	}
}

// upTo returns a random duration in [0, d).
func upTo(rng *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(rng.Int64N(int64(d)))
}
