package roomtest

import (
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

// StoreOptions describe the store under test. The zero StoreOptions are for
// one that lives in the test's process and reads the time from package time.
type StoreOptions struct {
	// RealTime says that the store's clock is out of reach, as that of a
	// server is. Without it each case runs in a testing/synctest bubble, where
	// sleeping takes no time. With it the cases run in parallel and sleep for
	// a few seconds.
	RealTime bool
	// Slack is by how much the store's clock may be off against the test's.
	// The default is zero, or 250 ms with RealTime.
	Slack time.Duration
	// Peer returns another hold on the rooms of a store, as another node has
	// one: a second client of the same server, for instance. The suite then
	// spreads its calls over both. Nil: the store itself is used for both.
	Peer func(t *testing.T, of room.Store) room.Store
	// Seed repeats a run of the random case, which reports the seed when it
	// fails. Zero draws one.
	Seed uint64
}

// TestStore tests that stores keep the contract of [room.Store], each sentence
// in a subtest of its own.
//
// newStore is called for each case and returns a store in which there is
// nothing; with RealTime it must share no rooms with the others, since the
// cases run in parallel. Without RealTime it is called inside a synctest
// bubble: what it starts must end in t.Cleanup, and it must not touch anything
// made outside that blocks. At most one StoreOptions may be given.
func TestStore(t *testing.T, newStore func(t *testing.T) room.Store, options ...StoreOptions) {
	t.Helper()
	runStore(t, newStore, one(t, options), storeCases())
}

func runStore(t *testing.T, newStore func(t *testing.T) room.Store, o StoreOptions, cases []testCase[*storeScript]) {
	t.Helper()
	if o.RealTime && o.Slack == 0 {
		o.Slack = realSlack
	}
	o.Seed = seedOr(o.Seed)
	runCases(t, o.RealTime, cases, func(t *testing.T) *storeScript {
		s := &storeScript{t: t, clock: clock{real: o.RealTime, slack: o.Slack}, seed: o.Seed, a: newStore(t)}
		s.b = s.a
		if o.Peer != nil {
			s.b = o.Peer(t, s.a)
		}
		return s
	})
}
