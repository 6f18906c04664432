package faults

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// step is one fault, from its beginning until it is over.
type step struct {
	name string
	// loses says that data may be lost: clients may be told so, and nothing
	// else may go wrong.
	loses bool
	// falls says that Redis may fall back to before what it did not yet
	// acknowledge, and records, bans and places with it: no message that was
	// acknowledged may be lost.
	falls bool
	// renews says that epochs may end, and nothing may be lost.
	renews bool
	// together says that Redis can be reached by every node at all times.
	together bool
	// calm says that nobody is removed and nobody hangs up meanwhile.
	calm bool
	// most is how long everything may take to be as before; zero is healTime.
	most time.Duration
	do   func(s *storm)
}

// healTime is how long membership and presence may differ from the truth after
// a fault is over.
const healTime = 5 * time.Second

// storm is a run of steps.
type storm struct {
	o     *oracle
	nodes []*node
	crowd *crowd
	rng   *rand.Rand
	// on are the nodes that the host's calls are made on.
	on []*node
	// within is for how long messages may still come after access was taken.
	within time.Duration
	churn  int // how many guests hang up every 100 ms
	// countMost is how long a connection may be counted that is gone.
	countMost time.Duration
	turn      int // what the moderator begins with
}

// census is a step in which the hoarder's connections are counted.
func (s *storm) census() step {
	return step{name: "connections counted", together: true, calm: true, do: func(s *storm) { s.crowd.hoarder.count(s.countMost) }}
}

// run does one step and sees that everything is as before. The test fails when
// something was violated.
func (s *storm) run(t testing.TB, st step) {
	began, seen := time.Now(), s.o.all()
	s.do(st)
	t.Logf("%v", time.Since(began).Round(10*time.Millisecond))
	if n := s.o.all() - seen; n > 0 {
		t.Errorf("%d violations", n)
	}
}

func (s *storm) do(st step) {
	s.o.begin(st.name)
	s.o.allow(st.loses, st.falls, st.renews, !st.together)
	ctx, stop := context.WithCancel(context.Background())
	var unrest sync.WaitGroup
	if !st.calm {
		m := &moderator{c: s.crowd, rng: rand.New(rand.NewPCG(s.rng.Uint64(), 0)), within: s.within, on: s.on, first: s.turn}
		s.turn++
		unrest.Go(func() { m.run(ctx) })
		churn := rand.New(rand.NewPCG(s.rng.Uint64(), 1))
		unrest.Go(func() {
			for ; ctx.Err() == nil; pause(ctx, 100*time.Millisecond) {
				s.crowd.churn(churn, s.churn)
			}
		})
	}
	st.do(s)
	healed := time.Now()
	stop()
	most := st.most
	if most == 0 {
		most = healTime
	}
	s.crowd.speaks(healed, most)
	unrest.Wait()
	// What the moderator has given back in the end takes a moment more.
	most += min(time.Since(healed), s.within+settleTime)
	s.crowd.settle(healed, most)
	s.crowd.arrived(s.on[0], most)
	s.crowd.histories(s.on[0])
	s.o.forget(time.Now().Add(-time.Minute))
	s.o.allow(false, false, false, false)
}
