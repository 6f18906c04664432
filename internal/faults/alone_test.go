package faults

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redistest"
)

// TestStorm breaks one Redis, and what leads to it, in every way there is.
func TestStorm(t *testing.T) {
	redis := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always", "--protected-mode", "no")
	o := newOracle(newSheet("Redis alone"))
	watch := observe(t, o)
	cables := []*cable{lay(t, redis.Addr()), lay(t, redis.Addr()), lay(t, redis.Addr())}
	nodes, end, err := openAll(logger(t), len(cables), onRedis(t, watch, 0, func(i int) rueidis.ClientOption { return alone(cables[i].addr()) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	before := census(o, nodes)
	c := gather(o, nodes, full, *seed)
	stop := sync.OnceFunc(c.leave)
	defer stop()
	if err := c.arrive(); err != nil {
		t.Fatal(err)
	}
	s := &storm{o: o, nodes: nodes, crowd: c, rng: rand.New(rand.NewPCG(*seed, 0)), on: nodes, within: time.Second, countMost: timeout + healTime, churn: 1}
	steps := aloneSteps(redis, cables)
	for began := time.Now(); ; {
		s.rng.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
		for _, st := range steps {
			t.Run(st.name, func(t *testing.T) { s.run(t, st) })
		}
		t.Run("connections counted", func(t *testing.T) { s.run(t, s.census()) })
		if time.Since(began) >= *lasting {
			break
		}
	}
	o.begin("after")
	stop()
	before.again(o)
	watch.late.Wait()
	o.settle(t)
}

// aloneSteps are the faults of one server and of the way to it.
func aloneSteps(redis *redistest.Server, cables []*cable) []step {
	stopped := func(name string, d time.Duration) step {
		return step{name: name, do: func(s *storm) {
			from := time.Now().Add(callMost * 3 / 2) // when all have noticed
			redis.Pause()
			time.Sleep(d)
			to := time.Now().Add(-callMost * 3 / 2)
			if to.After(from) {
				s.o.local(from, to, func(name string, node int) []string { return s.crowd.there(name, node, from) })
			}
			redis.Resume()
		}}
	}
	every := func(d time.Duration, f func()) {
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			f()
		}
	}
	return []step{
		{name: "nothing", together: true, do: func(*storm) { time.Sleep(2 * time.Second) }},
		{name: "killed and restarted", renews: true, do: func(s *storm) {
			redis.Kill()
			time.Sleep(time.Duration(500+s.rng.IntN(1000)) * time.Millisecond)
			redis.Restart()
		}},
		stopped("stopped for 1 s", time.Second),
		stopped("stopped for 5 s", 5*time.Second),
		stopped("stopped for 15 s", 15*time.Second),
		{name: "connections killed", do: func(*storm) {
			every(3*time.Second, func() { _, _ = redis.Try("CLIENT", "KILL", "TYPE", "normal") })
		}},
		{name: "subscriptions killed", together: true, do: func(*storm) {
			every(3*time.Second, func() { _, _ = redis.Try("CLIENT", "KILL", "TYPE", "pubsub") })
		}},
		{name: "asleep", do: func(s *storm) {
			_, _ = redis.Try("DEBUG", "SLEEP", "1.5")
		}},
		{name: "connections reset", do: func(s *storm) {
			every(3*time.Second, func() {
				c := cables[s.rng.IntN(len(cables))]
				c.spoil("reset_peer", "downstream", 0.5, map[string]any{"timeout": 0})
				time.Sleep(50 * time.Millisecond)
				c.mend()
			})
		}},
		{name: "sliced", together: true, do: func(s *storm) {
			for _, c := range cables {
				c.spoil("slicer", "downstream", 1, map[string]any{"average_size": 16, "size_variation": 8, "delay": 100})
				c.spoil("slicer", "upstream", 1, map[string]any{"average_size": 16, "size_variation": 8, "delay": 100})
			}
			time.Sleep(2 * time.Second)
			for _, c := range cables {
				c.mend()
			}
		}},
		{name: "one node cut off", do: func(s *storm) {
			c := cables[s.rng.IntN(len(cables))]
			c.cut()
			time.Sleep(2 * time.Second)
			c.join()
		}},
		{name: "scripts flushed", together: true, do: func(*storm) {
			every(2*time.Second, func() { redis.Do("SCRIPT", "FLUSH") })
		}},
		{name: "all flushed", together: true, loses: true, do: func(*storm) {
			redis.Do("FLUSHALL")
		}},
		{name: "out of memory", together: true, do: func(*storm) {
			redis.Do("CONFIG", "SET", "maxmemory", "1")
			time.Sleep(2 * time.Second)
			redis.Do("CONFIG", "SET", "maxmemory", "0")
		}},
	}
}
