// Package authtest has the conformance suites for implementations of [auth.Authenticator], [auth.SessionStore] and
// [auth.TicketStore].
//
//	func TestSessionStore(t *testing.T) {
//		authtest.TestSessionStore(t, func(_ *testing.T, ttl time.Duration) auth.SessionStore {
//			return auth.NewMemorySessions(auth.SessionTTL(ttl))
//		})
//	}
//
// Each case is a sentence of the contract, and says in its failure why that sentence is there.
package authtest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/auth"
)

// Options describe the store under test. The zero Options are for one that reads the time from package time.
type Options struct {
	// RealTime says that the store's clock is out of reach, as that of a server is. Without it each case runs in a
	// testing/synctest bubble, where sleeping takes no time. With it the cases sleep for some seconds, in parallel.
	RealTime bool

	// Slack is how late a store on a real clock may be in letting something expire. The default is 250 ms.
	Slack time.Duration
}

// TestSessionStore tests that stores keep the contract of [auth.SessionStore], each case in a subtest of its own.
//
// newStore is called once for each case and returns an empty store whose sessions live for ttl after their last
// activity. With RealTime it must share nothing with the others, since the cases run in parallel. Without RealTime it is
// called inside a synctest bubble: what it starts must end in t.Cleanup. At most one Options may be given.
func TestSessionStore(t *testing.T, newStore func(t *testing.T, ttl time.Duration) auth.SessionStore, options ...Options) {
	t.Helper()
	run(t, options, sessionCases(), func(t *testing.T, c clock) *sessions {
		return newSessions(t, c, newStore(t, c.ttl()))
	})
}

// TestTicketStore tests that stores keep the contract of [auth.TicketStore], as TestSessionStore does for sessions.
func TestTicketStore(t *testing.T, newStore func(t *testing.T) auth.TicketStore, options ...Options) {
	t.Helper()
	run(t, options, ticketCases(), func(t *testing.T, c clock) *tickets {
		return newTickets(t, c, newStore(t))
	})
}

// A testCase is one sentence of a contract.
type testCase[S any] struct {
	name string
	why  string // shown when it fails
	run  func(S)
}

// run runs each case in a subtest of its own.
func run[S any](t *testing.T, options []Options, cases []testCase[S], script func(*testing.T, clock) S) {
	t.Helper()
	var o Options
	switch len(options) {
	case 0:
	case 1:
		o = options[0]
	default:
		t.Fatal("authtest: more than one Options")
	}
	c := clock{unit: time.Hour, slack: time.Millisecond}
	if o.RealTime {
		c = clock{unit: 750 * time.Millisecond, slack: 250 * time.Millisecond}
		if o.Slack > 0 {
			c = clock{unit: 3 * o.Slack, slack: o.Slack}
		}
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			body := func(t *testing.T) {
				defer func() {
					if t.Failed() {
						t.Logf("Why it matters: %s", tc.why)
					}
				}()
				tc.run(script(t, c))
			}
			if o.RealTime {
				t.Parallel()
				body(t)
				return
			}
			synctest.Test(t, body)
		})
	}
}

// clock is the time of a suite. A case counts in units, which are long beside the slack.
type clock struct {
	unit, slack time.Duration
}

// ttl is that of the sessions under test.
func (c clock) ttl() time.Duration { return 4 * c.unit }

// pass lets n units pass.
func (c clock) pass(n int) { time.Sleep(time.Duration(n) * c.unit) }

// settle lets a store notice what should have expired just now.
func (c clock) settle() { time.Sleep(c.slack) }

// in is n units from now.
func (c clock) in(n int) time.Time { return time.Now().Add(time.Duration(n) * c.unit) }

// near reports whether two times are the same but for rounding and the slack.
func (c clock) near(a, b time.Time) bool { return a.Sub(b).Abs() <= c.slack }

// within is near for what took from one time to another.
func (c clock) within(a, from, to time.Time) bool {
	return a.Sub(from) >= -c.slack && a.Sub(to) <= c.slack
}

// callContext bounds one call.
func callContext(tb testing.TB) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(tb.Context()), 10*time.Second)
}
