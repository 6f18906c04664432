// Package limittest has the conformance suite for implementations of
// [limit.Limiter].
//
//	func TestLimiter(t *testing.T) {
//		limittest.TestLimiter(t, func(t *testing.T) limit.Limiter {
//			return limit.NewMemory()
//		})
//	}
//
// The suite knows the right answer to every call, to the nanosecond, from an
// oracle that follows the contract of limit.Limiter in rational numbers. Each
// case drives the limiter through a situation in which implementations go
// wrong, and says in its failure why that matters.
package limittest

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/limit"
)

// realGranularity is the default of Options.Granularity on a real clock.
const realGranularity = 2 * time.Millisecond

// Options describe the limiter under test. The zero Options are for one that
// reads the time from package time and decides to the nanosecond.
type Options struct {
	// RealTime says that the limiter's clock is out of reach, as that of a
	// server is. Without it each case runs in a testing/synctest bubble, where
	// time is exact and sleeping takes none. With it the cases sleep for some
	// seconds, in parallel; the oracle then knows the time of a decision only to
	// lie between call and return, and accepts what is right for any instant
	// between.
	RealTime bool
	// Granularity is by how much the limiter may be off in what it measures and
	// what it reports: the unit of its clock. The default is zero, or 2 ms with
	// RealTime.
	Granularity time.Duration
	// Seed repeats a run of the random cases, which report the seed when they
	// fail. Zero draws one.
	Seed uint64
}

// TestLimiter tests that limiters keep the contract of [limit.Limiter], each
// case in a subtest of its own.
//
// newLimiter is called for each case and returns a limiter on which nothing
// has been spent; with RealTime it must share no keys with the others, since
// the cases run in parallel. Without RealTime it is called inside a synctest
// bubble: what it starts must end in t.Cleanup, and it must not touch anything
// made outside that blocks. At most one Options may be given.
func TestLimiter(t *testing.T, newLimiter func(t *testing.T) limit.Limiter, options ...Options) {
	t.Helper()
	var o Options
	switch len(options) {
	case 0:
	case 1:
		o = options[0]
	default:
		t.Fatal("limittest: more than one Options")
	}
	if o.RealTime && o.Granularity == 0 {
		o.Granularity = realGranularity
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	run(t, newLimiter, o, cases())
}

func run(t *testing.T, newLimiter func(t *testing.T) limit.Limiter, o Options, cases []testCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			script := func(t *testing.T) {
				defer func() {
					if t.Failed() {
						t.Logf("Why it matters: %s", c.why)
					}
				}()
				c.run(newScript(t, newLimiter(t), o))
			}
			if o.RealTime {
				t.Parallel()
				script(t)
				return
			}
			synctest.Test(t, script)
		})
	}
}
