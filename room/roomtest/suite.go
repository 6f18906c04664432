package roomtest

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const (
	// realSlack is the default of a suite's Slack on a real clock.
	realSlack = 250 * time.Millisecond
	// callTimeout is how long one call of a store or broker may take.
	callTimeout = 10 * time.Second
)

// A testCase is one sentence of a contract.
type testCase[S any] struct {
	name string
	why  string // shown when it fails
	run  func(S)
}

// runCases runs each case in a subtest of its own: in a synctest bubble, or on
// the real clock in parallel.
func runCases[S any](t *testing.T, realTime bool, cases []testCase[S], script func(t *testing.T) S) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			body := func(t *testing.T) {
				defer func() {
					if t.Failed() {
						t.Logf("Why it matters: %s", c.why)
					}
				}()
				c.run(script(t))
			}
			if realTime {
				t.Parallel()
				body(t)
				return
			}
			synctest.Test(t, body)
		})
	}
}

// clock is the time of a suite.
type clock struct {
	real   bool
	slack  time.Duration
	yields atomic.Int64
}

// some is a while: a second, or long enough for what a clock may be off by.
func (c *clock) some() time.Duration {
	if c.real {
		return 4 * c.slack
	}
	return time.Second
}

// pass lets d pass, and on a real clock the slack on top.
func (c *clock) pass(d time.Duration) { time.Sleep(d + c.slack) }

// yield lets others run. In a bubble it mostly does not sleep, since whoever
// sleeps there is woken only when nobody has anything to do, and a race needs
// them to; but it must sometimes, or time would stand still for what is tested,
// and the longer it goes on, the longer.
func (c *clock) yield() {
	if c.real {
		time.Sleep(100 * time.Microsecond)
		return
	}
	if n := c.yields.Add(1); n%32 == 0 {
		time.Sleep(time.Duration(n/32) * time.Microsecond)
		return
	}
	for range 10 {
		runtime.Gosched()
	}
}

// now is the time to the millisecond, as a server tells it.
func now() time.Time { return time.UnixMilli(time.Now().UnixMilli()) }

// forever is the end of what has none.
var forever = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// callContext bounds one call.
func callContext(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(t.Context()), callTimeout)
}

func seedOr(seed uint64) uint64 {
	if seed == 0 {
		return rand.Uint64()
	}
	return seed
}

// one returns the only Options, if there are any.
func one[O any](t *testing.T, options []O) (o O) {
	t.Helper()
	switch len(options) {
	case 0:
	case 1:
		o = options[0]
	default:
		t.Fatal("roomtest: more than one Options")
	}
	return o
}

// alternate says which of two is the n-th one's.
func alternate[T any](n int, a, b T) T {
	if n%2 == 0 {
		return a
	}
	return b
}
