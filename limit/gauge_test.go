package limit

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

func TestGauge(t *testing.T) {
	g := NewGauge()
	first, ok := g.Acquire("ada", 2)
	if !ok {
		t.Fatal("the first was refused")
	}
	second, ok := g.Acquire("ada", 2)
	if !ok {
		t.Fatal("the second was refused")
	}
	third, ok := g.Acquire("ada", 2)
	if ok {
		t.Fatal("a third was admitted under a limit of 2")
	}
	third() // releases nothing
	if got := g.Count("ada"); got != 2 {
		t.Errorf("count %d, want 2", got)
	}
	if _, ok := g.Acquire("eve", 1); !ok {
		t.Error("another key was refused")
	}

	first()
	first() // counts once
	if got := g.Count("ada"); got != 1 {
		t.Errorf("count %d after a release, want 1", got)
	}
	again, ok := g.Acquire("ada", 2)
	if !ok {
		t.Error("refused after a release")
	}
	second()
	again()
	if got := g.Count("ada"); got != 0 {
		t.Errorf("count %d at the end, want 0", got)
	}
	if got := g.Len(); got != 1 {
		t.Errorf("%d keys at the end, want eve's alone", got)
	}
}

func TestGaugeLimits(t *testing.T) {
	g := NewGauge()
	for range 1000 {
		if _, ok := g.Acquire("free", 0); !ok {
			t.Fatal("refused without a cap")
		}
	}
	if got := g.Count("free"); got != 1000 {
		t.Errorf("%d counted without a cap, want 1000", got)
	}
	if _, ok := g.Acquire("free", 1000); ok {
		t.Error("admitted over a cap that was lowered")
	}
	if _, ok := g.Acquire("free", 1001); !ok {
		t.Error("refused under a cap that was raised")
	}
	if release, ok := g.Acquire("none", -1); ok || release == nil {
		t.Errorf("a negative limit: %v, release is nil: %v", ok, release == nil)
	}
	if got := g.Len(); got != 1 {
		t.Errorf("%d keys, want 1: a refusal must leave none", got)
	}
}

// Of any number at once no more than the limit hold it at the same time, and
// nothing is left at the end.
func TestGaugeExactUnderRace(t *testing.T) {
	g := NewGauge()
	const limit, goroutines = 5, 16
	var held [3]atomic.Int64
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := range 2000 {
				k := i % len(held)
				release, ok := g.Acquire(fmt.Sprint("key ", k), limit)
				if !ok {
					continue
				}
				admitted.Add(1)
				if n := held[k].Add(1); n > limit {
					t.Errorf("%d hold it at once, limit %d", n, limit)
				}
				held[k].Add(-1)
				// Racing releases of the same thing count once.
				var both sync.WaitGroup
				both.Go(release)
				release()
				both.Wait()
			}
		})
	}
	wg.Wait()
	if admitted.Load() == 0 {
		t.Error("nothing was admitted")
	}
	if got := g.Len(); got != 0 {
		t.Errorf("%d keys are left", got)
	}
}

// With none released exactly the limit are admitted.
func TestGaugeStorm(t *testing.T) {
	g := NewGauge()
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 10 {
				if _, ok := g.Acquire("192.0.2.1", 100); ok {
					admitted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if got := admitted.Load(); got != 100 {
		t.Errorf("%d admitted, want 100", got)
	}
}

func TestGaugeGivesMemoryBack(t *testing.T) {
	g := NewGauge()
	var releases []func()
	for i := range 100_000 {
		release, _ := g.Acquire(fmt.Sprint("key ", i), 1)
		releases = append(releases, release)
	}
	for _, release := range releases {
		release()
	}
	for i := range g.shards {
		if peak := g.shards[i].peak; peak >= shrinkPeak {
			t.Errorf("a shard of no keys is still made for %d", peak)
		}
	}
}

func BenchmarkGauge(b *testing.B) {
	g := NewGauge()
	b.ReportAllocs()
	for b.Loop() {
		release, ok := g.Acquire("192.0.2.1", 100)
		if !ok {
			b.Fatal("refused")
		}
		release()
	}
}

// Enter and Leave count as Acquire and its release do, in the same place.
func TestGaugeEnter(t *testing.T) {
	g := NewGauge()
	release, ok := g.Acquire("k", 2)
	if !ok || !g.Enter("k", 2) || g.Enter("k", 2) || g.Enter("k", -1) || g.Count("k") != 2 {
		t.Fatalf("%d counted", g.Count("k"))
	}
	g.Leave("k")
	if !g.Enter("k", 2) {
		t.Error("what has left is counted still")
	}
	g.Leave("k")
	release()
	if g.Len() != 0 {
		t.Errorf("%d keys are left", g.Len())
	}
	if got := testing.AllocsPerRun(100, func() {
		g.Enter("again", 10)
		g.Enter("again", 10)
		g.Leave("again")
		g.Leave("again")
	}); got > 1 { // the key
		t.Errorf("%v allocations", got)
	}
}
