package limit

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func mustAllow(t testing.TB, l Limiter, key string, r Rate, n int) Decision {
	t.Helper()
	d, err := l.Allow(t.Context(), key, r, n)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestMemoryAllocatesNothingOnAKnownKey(t *testing.T) {
	m := NewMemory()
	ctx := t.Context()
	for _, tt := range []struct {
		name string
		rate Rate
		ok   bool
	}{
		{"admitted", Rate{Events: 1000, Per: 1, Burst: 1000}, true},
		{"refused", Rate{Events: 1, Per: time.Hour}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			mustAllow(t, m, tt.name, tt.rate, 1)
			if n := testing.AllocsPerRun(1000, func() {
				if d, err := m.Allow(ctx, tt.name, tt.rate, 1); d.OK != tt.ok || err != nil {
					t.Fatalf("%+v, %v", d, err)
				}
			}); n != 0 {
				t.Errorf("Allow allocates %v times", n)
			}
		})
	}
}

func TestMemoryForgetsIdleKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		debt := Rate{Events: 1, Per: 24 * time.Hour}
		mustAllow(t, m, "debtor", debt, 1)
		const flood = 30_000
		for i := range flood {
			mustAllow(t, m, fmt.Sprint("key ", i), PerSecond(10), 10)
		}
		if got := m.Len(); got != flood+1 {
			t.Fatalf("%d keys, want %d", got, flood+1)
		}

		// They are idle after a second but kept for a minute more: a known key
		// costs nothing to come back.
		time.Sleep(time.Second + time.Minute)
		for range 2000 {
			mustAllow(t, m, "steady 1", PerSecond(2000), 1)
		}
		if got := m.Len(); got != flood+2 {
			t.Errorf("%d keys after a minute, want all %d", got, flood+2)
		}

		// From then on traffic forgets them, here on one key per shard.
		time.Sleep(time.Second)
		for i := range 400 {
			key := fmt.Sprint("steady ", i)
			for range 200 {
				mustAllow(t, m, key, PerSecond(1000), 1)
			}
		}
		if got, limit := m.Len(), 400+flood/10; got > limit {
			t.Errorf("%d keys are remembered, want at most %d", got, limit)
		}
		// Their memory is given back as well.
		for i := range m.shards {
			if sh := &m.shards[i]; cap(sh.entries) > 512 && len(sh.entries) < 32 {
				t.Errorf("a shard of %d keys holds room for %d", len(sh.entries), cap(sh.entries))
			}
		}
		if d := mustAllow(t, m, "debtor", debt, 1); d.OK {
			t.Error("a debt was forgotten")
		}
		if got := m.Evicted(); got != 0 {
			t.Errorf("%d keys evicted, want none", got)
		}
	})
}

// Traffic that is all new keys is swept by the inserts themselves.
func TestMemoryStaysBoundedUnderNewKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		// A hundred new keys a second, each worth keeping for 61 seconds.
		const worth = 6_100
		most := 0
		for i := range 5 * worth {
			mustAllow(t, m, fmt.Sprint("key ", i), PerSecond(10), 10)
			time.Sleep(10 * time.Millisecond)
			if i%100 == 0 {
				most = max(most, m.Len())
			}
		}
		if most > 2*worth+2*maxShards {
			t.Errorf("%d keys, want at most twice the %d worth keeping", most, worth)
		}
	})
}

func TestMemoryMaxKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, bound := range []int{1, 2, 63, 64, 100, 1000, 5000} {
			m := NewMemory(WithMaxKeys(bound))
			debt := Rate{Events: 1, Per: 24 * time.Hour, Burst: 2}
			mustAllow(t, m, "debtor", debt, 2)
			if bound > 64 { // one of a few is not safe from being the least
				defer func() {
					if d := mustAllow(t, m, "debtor", debt, 1); d.OK {
						t.Errorf("bound %d: a flood washed the greatest debt away", bound)
					}
				}()
			}
			for i := range 3*bound + 10 {
				mustAllow(t, m, fmt.Sprint("key ", i), PerSecond(10), 1)
				if got := m.Len(); got > bound {
					t.Fatalf("bound %d: %d keys", bound, got)
				}
			}
			if m.Evicted() == 0 {
				t.Errorf("bound %d: no evictions counted", bound)
			}
			// A flood of rested keys evicts, but nothing that counts as lost.
			time.Sleep(time.Hour)
			before := m.Evicted()
			for i := range bound {
				mustAllow(t, m, fmt.Sprint("new ", i), PerSecond(1_000_000_000), 1)
				time.Sleep(time.Second)
			}
			if got := m.Evicted() - before; got > 1 { // at most the debtor, if bound is tiny
				t.Errorf("bound %d: %d rested keys counted as evicted", bound, got)
			}
		}
	})
}

func TestMemoryRefusedCallAddsNoKey(t *testing.T) {
	m := NewMemory()
	for i, n := range []int{0, 11, 1000} {
		mustAllow(t, m, fmt.Sprint("key ", i), PerSecond(10), n)
	}
	mustAllow(t, m, "unlimited", Rate{}, 1)
	for _, r := range []Rate{PerSecond(0), PerSecond(-1)} {
		if _, err := m.Allow(t.Context(), "invalid", r, 1); err == nil {
			t.Errorf("no error for %v", r)
		}
	}
	if got := m.Len(); got != 0 {
		t.Errorf("%d keys, want none", got)
	}
}

// A key that is a piece of a large or reused buffer is copied.
func TestMemoryCopiesKeys(t *testing.T) {
	m := NewMemory()
	key := "a key"
	mustAllow(t, m, key, PerMinute(1), 1)
	for i := range m.shards {
		for kept := range m.shards[i].index {
			if kept != key || m.shards[i].entries[0].key != key {
				t.Errorf("kept %q, want %q", kept, key)
			}
			if &[]byte(kept)[0] == &[]byte(key)[0] {
				t.Error("the caller's key is kept")
			}
		}
	}
}

func TestMemoryClock(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC)
	m := NewMemory(WithClock(func() time.Time { return now }))
	r := PerSecond(2)
	if d := mustAllow(t, m, "k", r, 2); !d.OK {
		t.Fatalf("first: %+v", d)
	}
	if d := mustAllow(t, m, "k", r, 1); d.OK || d.RetryAfter != 500*time.Millisecond {
		t.Fatalf("second: %+v, want a refusal for 500ms", d)
	}
	now = now.Add(500 * time.Millisecond)
	if d := mustAllow(t, m, "k", r, 1); !d.OK {
		t.Fatalf("third: %+v", d)
	}
	// A wall clock that is set back an hour shuts nobody out for an hour.
	now = now.Add(-time.Hour)
	if d := mustAllow(t, m, "k", r, 1); d.OK || d.RetryAfter > 500*time.Millisecond {
		t.Errorf("an hour back: %+v, want a refusal for at most 500ms", d)
	}
}

// Many keys from many goroutines, with inserts, sweeps and evictions at once:
// for the race detector, and the bound.
func TestMemoryConcurrent(t *testing.T) {
	m := NewMemory(WithMaxKeys(200))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 2000 {
				mustAllow(t, m, fmt.Sprint(i*(g%3+1)%500), PerSecond(10), 1)
				if i%100 == 0 && m.Len() > 200 {
					t.Errorf("%d keys", m.Len())
				}
			}
		})
	}
	wg.Wait()
	for i := range m.shards {
		sh := &m.shards[i]
		for j, e := range sh.entries {
			if sh.index[e.key] != uint32(j) {
				t.Errorf("key %q is indexed at %d and lies at %d", e.key, sh.index[e.key], j)
			}
		}
		if len(sh.index) != len(sh.entries) {
			t.Errorf("%d keys indexed, %d entries", len(sh.index), len(sh.entries))
		}
	}
}

func BenchmarkMemory(b *testing.B) {
	ctx := b.Context()
	// The same rate and clock for both, or they would differ by the numbers.
	for _, bm := range []struct {
		name string
		step time.Duration
		ok   bool
	}{{"admitted", time.Millisecond, true}, {"refused", 0, false}} {
		b.Run(bm.name, func(b *testing.B) {
			now := time.Now()
			m, r := NewMemory(WithClock(func() time.Time { return now })), PerSecond(1000).WithBurst(100)
			mustAllow(b, m, "m:u:ada", r, 100)
			b.ReportAllocs()
			for b.Loop() {
				now = now.Add(bm.step)
				if d, _ := m.Allow(ctx, "m:u:ada", r, 1); d.OK != bm.ok {
					b.Fatal(d)
				}
			}
		})
	}
	b.Run("real clock", func(b *testing.B) {
		m, r := NewMemory(), Rate{Events: 1000, Per: 1, Burst: 1000}
		b.ReportAllocs()
		for b.Loop() {
			if d, _ := m.Allow(ctx, "m:u:ada", r, 1); !d.OK {
				b.Fatal(d)
			}
		}
	})
	b.Run("new key", func(b *testing.B) {
		m, r := NewMemory(WithMaxKeys(10_000)), PerSecond(10)
		names := make([]string, 100_000)
		for i := range names {
			names[i] = fmt.Sprint("c:192.0.2.", i)
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			_, _ = m.Allow(ctx, names[i%len(names)], r, 1)
			i++
		}
	})
	b.Run("parallel", func(b *testing.B) {
		m, r := NewMemory(), Rate{Events: 1000, Per: 1, Burst: 1000}
		var names [64]string
		for i := range names {
			names[i] = fmt.Sprint("m:u:", i)
		}
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				_, _ = m.Allow(ctx, names[i%len(names)], r, 1)
			}
		})
	})
}
