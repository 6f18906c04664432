package roomtest

import (
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

// BrokerOptions describe the broker under test. The zero BrokerOptions are for
// one that lives in the test's process and reads the time from package time.
type BrokerOptions struct {
	// RealTime says that the broker's clock is out of reach, as that of a
	// server is. Without it each case runs in a testing/synctest bubble, where
	// sleeping takes no time. With it the cases run in parallel and sleep for
	// a few seconds.
	RealTime bool
	// Slack is by how much the broker's clock may be off against the test's.
	// The default is zero, or 250 ms with RealTime.
	Slack time.Duration
	// Delivery is how long a message may take to a subscriber. The default is
	// 5 s.
	Delivery time.Duration
	// Peer returns another hold on the rooms of a broker, as another node has
	// one: a second client of the same server, for instance. The suite then
	// spreads its calls over both. Nil: the broker itself is used for both.
	Peer func(t *testing.T, of room.Broker) room.Broker
	// Seed repeats a run of the random case, which reports the seed when it
	// fails. Zero draws one.
	Seed uint64
}

// TestBroker tests that brokers keep the contract of [room.Broker], each
// sentence in a subtest of its own.
//
// newBroker is called for each case and returns a broker that knows nothing;
// with RealTime it must share no rooms with the others, since the cases run in
// parallel. Without RealTime it is called inside a synctest bubble: what it
// starts must end in t.Cleanup, and it must not touch anything made outside
// that blocks. At most one BrokerOptions may be given.
func TestBroker(t *testing.T, newBroker func(t *testing.T) room.Broker, options ...BrokerOptions) {
	t.Helper()
	runBroker(t, newBroker, one(t, options), brokerCases())
}

func runBroker(t *testing.T, newBroker func(t *testing.T) room.Broker, o BrokerOptions, cases []testCase[*brokerScript]) {
	t.Helper()
	if o.RealTime && o.Slack == 0 {
		o.Slack = realSlack
	}
	if o.Delivery == 0 {
		o.Delivery = 5 * time.Second
	}
	o.Seed = seedOr(o.Seed)
	runCases(t, o.RealTime, cases, func(t *testing.T) *brokerScript {
		s := &brokerScript{t: t, clock: clock{real: o.RealTime, slack: o.Slack}, delivery: o.Delivery, seed: o.Seed, a: newBroker(t)}
		s.b = s.a
		if o.Peer != nil {
			s.b = o.Peer(t, s.a)
		}
		return s
	})
}
