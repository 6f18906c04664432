package limit

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestBucketZeroValue(t *testing.T) {
	for _, now := range []time.Duration{0, 1, time.Hour} {
		var b Bucket
		want := Decision{OK: true, Remaining: 1, ResetAfter: 500 * time.Millisecond}
		if got := b.Take(now, PerSecond(2), 1); got != want {
			t.Errorf("first Take at %v = %+v, want %+v", now, got, want)
		}
	}
}

func TestBucketRefusesWhatALimiterErrsOn(t *testing.T) {
	tests := []struct {
		name string
		rate Rate
		n    int
	}{
		{"no events", PerSecond(0), 1},
		{"negative burst", PerSecond(1).WithBurst(-1), 1},
		{"no time", Rate{Events: 1}, 1},
		{"negative n", PerSecond(1), -1},
		{"negative n, unlimited", Rate{}, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b Bucket
			if got := b.Take(0, tt.rate, tt.n); got != (Decision{}) {
				t.Errorf("Take = %+v, want the zero Decision", got)
			}
			if b != (Bucket{}) {
				t.Errorf("Take left %+v", b)
			}
		})
	}
}

// Time that goes back must neither refund nor lock out.
func TestBucketClockGoesBack(t *testing.T) {
	r := PerSecond(10)
	var b Bucket
	if d := b.Take(time.Hour, r, 10); !d.OK {
		t.Fatalf("draining: %+v", d)
	}
	if d := b.Take(0, r, 1); d.OK || d.RetryAfter != 100*time.Millisecond {
		t.Errorf("an hour back: %+v, want a refusal for 100ms", d)
	}
	if d := b.Take(100*time.Millisecond, r, 1); !d.OK {
		t.Errorf("100ms later: %+v, want it admitted", d)
	}
}

// What a Take under one rate leaves below a nanosecond must not grow under
// another.
func TestBucketRestUnderAnotherRate(t *testing.T) {
	var b Bucket
	// The interval is 1/1e9 ns short of a nanosecond.
	fine := Rate{Events: 1_000_000_000, Per: 999_999_999, Burst: 1_000_000_000}
	if d := b.Take(0, fine, 1); d.ResetAfter != 1 {
		t.Fatalf("%+v, want a rest below a nanosecond", d)
	}
	coarse := Rate{Events: 1, Per: time.Second, Burst: 2}
	if d := b.Take(0, coarse, 0); d.ResetAfter > 2 {
		t.Errorf("%+v, want at most 2ns owed", d)
	}
}

// A rate that is no whole number of nanoseconds an event loses nothing in the
// long run.
func TestBucketDoesNotDrift(t *testing.T) {
	r := PerSecond(3).WithBurst(2)
	var b Bucket
	var now time.Duration
	b.Take(now, r, 1) // so that the key is never rested, and no time goes unused
	for i := range 300_000 {
		if d := b.Take(now, r, 1); !d.OK {
			t.Fatalf("event %d at %v: %+v", i, now, d)
		}
		// The next one is due at exactly (i+1)/3 s, rounded up to the clock.
		now = (time.Duration(i+1)*time.Second + 2) / 3
	}
	if now != 100_000*time.Second {
		t.Errorf("300,000 events took %v", now)
	}
}

func TestBucketAllocatesNothing(t *testing.T) {
	var b Bucket
	var now time.Duration
	r := PerSecond(1000)
	if n := testing.AllocsPerRun(1000, func() {
		now += 700 * time.Microsecond // so that it both admits and refuses
		b.Take(now, r, 1)
	}); n != 0 {
		t.Errorf("Take allocates %v times", n)
	}
}

// FuzzBucket holds what a Take says against what the next Takes do.
func FuzzBucket(f *testing.F) {
	f.Add(int64(0), 10, int64(time.Second), 0, 1, 1)
	f.Fuzz(func(t *testing.T, start int64, events int, per int64, burst, n, m int) {
		r := Rate{Events: events, Per: time.Duration(per), Burst: burst}
		now := time.Duration(start)
		if start < 0 || start > 1<<61 {
			t.Skip() // not a time since an instant before
		}
		var b Bucket
		first := b.Take(now, r, n)
		if r.Validate() != nil || n < 0 {
			if first != (Decision{}) {
				t.Fatalf("%v: Take of %d = %+v, want the zero Decision", r, n, first)
			}
			return
		}
		if r.Unlimited() {
			return
		}
		if first.OK != (n <= r.Size()) {
			t.Fatalf("%v: Take of %d from a new bucket = %+v", r, n, first)
		}
		if m < 0 {
			return
		}
		before := b
		d := b.Take(now, r, m)
		if d.Remaining < 0 || d.Remaining > r.Size() || d.ResetAfter < 0 || d.ResetAfter > r.Window() {
			t.Fatalf("%v: Take of %d and %d = %+v", r, n, m, d)
		}
		if want := m <= first.Remaining; d.OK != want {
			t.Fatalf("%v: %+v, then Take of %d = %+v", r, first, m, d)
		}
		if reset := b; reset.Take(now+d.ResetAfter, r, r.Size()).OK != true {
			t.Fatalf("%v: %+v, but no full burst after it", r, d)
		}
		if d.OK {
			return
		}
		if b != before {
			t.Fatalf("%v: the refused Take of %d made %+v of %+v", r, m, b, before)
		}
		if (d.RetryAfter == 0) != (m > r.Size()) {
			t.Fatalf("%v: Take of %d = %+v", r, m, d)
		}
		if d.RetryAfter > 0 {
			if early := b; early.Take(now+d.RetryAfter-1, r, m).OK {
				t.Fatalf("%v: %+v, but Take of %d is admitted before", r, d, m)
			}
			if !b.Take(now+d.RetryAfter, r, m).OK {
				t.Fatalf("%v: %+v, but Take of %d is refused after it", r, d, m)
			}
		}
	})
}

// The longest windows and the largest numbers stay within 128 bits.
func TestBucketExtremes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, r := range []Rate{
		{Events: math.MaxInt, Per: math.MaxInt64},
		{Events: math.MaxInt, Per: 1, Burst: math.MaxInt},
		{Events: 1, Per: 1<<62 - 1},
		{Events: 1, Per: 1, Burst: 1<<62 - 1},
		{Events: math.MaxInt, Per: 1<<62 - 1},
	} {
		if err := r.Validate(); err != nil {
			if r.Per != math.MaxInt64 {
				t.Errorf("%v: %v", r, err)
			}
			continue
		}
		var b Bucket
		var now time.Duration
		for range 1000 {
			n := []int{0, 1, r.Size(), math.MaxInt, 1 + rng.IntN(r.Size())}[rng.IntN(5)]
			d := b.Take(now, r, n)
			if d.Remaining < 0 || d.Remaining > r.Size() || d.ResetAfter < 0 || d.RetryAfter < 0 || d.RetryAfter > r.Window() {
				t.Fatalf("%v: Take of %d = %+v", r, n, d)
			}
			if now < 1<<61 {
				now += time.Duration(rng.Int64N(1 << 50))
			}
		}
	}
}

func BenchmarkBucket(b *testing.B) {
	for _, bm := range []struct {
		name string
		step time.Duration
	}{{"admitted", time.Millisecond}, {"refused", 0}} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			r := PerSecond(1000).WithBurst(1)
			var bucket Bucket
			bucket.Take(0, r, 1)
			now := time.Millisecond - bm.step
			for b.Loop() {
				bucket.Take(now, r, 1)
				now += bm.step
			}
		})
	}
}
