package faults

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redistest"
)

// small is the plan of storms that are about servers rather than clients.
var small = plan{guests: 60, halls: 4, lives: 2, every: time.Second, hoarder: "h"}

// brew makes a storm of a small crowd on nodes whose stores have a client of
// their own each, and wait for so many replicas. end ends it, and fails the test
// for what was violated.
func brew(t *testing.T, name string, n, replicas int, option func(i int) rueidis.ClientOption) (s *storm, end func()) {
	t.Helper()
	o := newOracle(newSheet(name))
	watch := observe(t, o)
	nodes, stop, err := openAll(logger(t), n, onRedis(t, watch, replicas, option))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	c := gather(o, nodes, small, *seed)
	leave := sync.OnceFunc(c.leave)
	t.Cleanup(leave)
	if err := c.arrive(); err != nil {
		t.Fatal(err)
	}
	s = &storm{o: o, nodes: nodes, crowd: c, rng: rand.New(rand.NewPCG(*seed, 3)), on: nodes, within: time.Second, countMost: timeout + healTime, churn: 1}
	return s, func() {
		s.run(t, s.census())
		leave()
		watch.late.Wait()
		o.settle(t)
	}
}

// TestCluster breaks a Redis Cluster. What was acknowledged has reached the
// replica, so that a promotion does not lose it.
func TestCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	s, end := brew(t, "Redis Cluster", 2, 1, func(int) rueidis.ClientOption {
		return rueidis.ClientOption{InitAddress: cluster.Addrs()}
	})
	slot := func(hall int) int { return cluster.Slot(fmt.Sprintf("wardroom:{r:hall:%d}:log", hall)) }
	for _, st := range []step{
		{name: "slots migrated", renews: true, do: func(*storm) {
			for hall := range small.halls {
				from := cluster.Primary(slot(hall))
				for other := range slotsApart {
					if to := cluster.Primary(other * slotsEach); to != from {
						cluster.Migrate(slot(hall), to)
						break
					}
				}
			}
		}},
		{name: "replica promoted on request", renews: true, do: func(*storm) { cluster.Failover(slot(0)) }},
		{name: "primary killed, replica promoted", falls: true, do: func(*storm) {
			was := cluster.Primary(slot(1))
			was.Kill()
			cluster.Promoted(slot(1), was)
			cluster.Rejoin(was)
		}},
	} {
		t.Run(st.name, func(t *testing.T) { s.run(t, st) })
	}
	end()
}

// A slot in each third of all, which is another primary's each.
const (
	slotsApart = 3
	slotsEach  = 16384/slotsApart + 1
)

// TestSentinel has Sentinels promote replicas, each of which has what was
// acknowledged.
func TestSentinel(t *testing.T) {
	t.Parallel()
	promote(t, "Redis with Sentinels", 2)
}

// TestSentinelAsynchronous is the same for who does not wait for replicas: what
// was acknowledged may be lost, and nothing else go wrong.
func TestSentinelAsynchronous(t *testing.T) {
	t.Parallel()
	promote(t, "Redis with Sentinels, no replica waited for", 0)
}

func promote(t *testing.T, name string, replicas int) {
	sentinel := redistest.StartSentinel(t)
	s, end := brew(t, name, 2, replicas, func(int) rueidis.ClientOption {
		return rueidis.ClientOption{InitAddress: sentinel.Addrs(), Sentinel: rueidis.SentinelOption{MasterSet: redistest.PrimaryName}}
	})
	for _, st := range []step{
		{name: "failover by Sentinels", do: func(*storm) { sentinel.Failover() }},
		{name: "primary killed, failover by Sentinels", do: func(*storm) {
			was := sentinel.Primary()
			was.Kill()
			sentinel.Promoted(was)
			sentinel.Rejoin(was) // for as long as it is away nothing is acknowledged that replicas are waited for
		}},
	} {
		st.falls, st.loses = replicas > 0, replicas == 0
		t.Run(st.name, func(t *testing.T) { s.run(t, st) })
	}
	end()
}
