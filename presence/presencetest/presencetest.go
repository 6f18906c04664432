// Package presencetest has the conformance suite for implementations of
// [presence.Store].
//
//	func TestStore(t *testing.T) {
//		presencetest.TestStore(t, func(t *testing.T) presence.Store {
//			return presence.NewMemory()
//		})
//	}
//
// Each case drives the store through a situation in which implementations go
// wrong, and says in its failure why that matters. One holds a long random
// script against a second implementation of the contract, which is as simple as
// it can be.
package presencetest

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/presence"
)

// Options describe the store under test. The zero Options are for one that
// reads the time from package time.
type Options struct {
	// RealTime says that the store's clock is out of reach, as that of a server
	// is. Without it each case runs in a testing/synctest bubble, where time is
	// exact and sleeping takes none. With it cases run in parallel, sleep for
	// some Units, and do not wait for what takes a minute or a day.
	RealTime bool
	// Unit is what leases and pauses are multiples of: long enough that a few
	// calls of the store take much less. The default is 10 s, or 1 s with
	// RealTime.
	Unit time.Duration
	// Seed repeats a run of the random case, which reports the seed when it
	// fails. Zero draws one.
	Seed uint64
}

// TestStore tests that stores keep the contract of [presence.Store], each case
// in a subtest of its own.
//
// newStore is called for each case and returns an empty store; with RealTime it
// must share nothing with the others, since the cases run in parallel. Without
// RealTime it is called inside a synctest bubble: what it starts must end in
// t.Cleanup, and it must not touch anything made outside that blocks. At most
// one Options may be given.
func TestStore(t *testing.T, newStore func(t *testing.T) presence.Store, options ...Options) {
	t.Helper()
	var o Options
	switch len(options) {
	case 0:
	case 1:
		o = options[0]
	default:
		t.Fatal("presencetest: more than one Options")
	}
	run(t, newStore, o, cases())
}

// A testCase is one situation.
type testCase struct {
	name string
	why  string // it matters
	run  func(s *script)
}

func cases() []testCase {
	var list []testCase
	for _, part := range [][]testCase{updateCases, repeatCases, leaseCases, listCases, raceCases, randomCases} {
		list = append(list, part...)
	}
	return list
}

func run(t *testing.T, newStore func(t *testing.T) presence.Store, o Options, cases []testCase) {
	t.Helper()
	if o.Unit == 0 {
		o.Unit = 10 * time.Second
		if o.RealTime {
			o.Unit = time.Second
		}
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			script := func(t *testing.T) {
				defer func() {
					if t.Failed() {
						t.Logf("Why it matters: %s", c.why)
					}
				}()
				c.run(newScript(t, newStore(t), o))
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
