package limittest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/limit"
)

// A mutant is a limiter that is right but for one thing, and the case that has
// to notice.
type mutant struct {
	name string
	by   string // the case
	real bool   // on a real clock as well
	new  func() limit.Limiter
}

// allow is a Limiter's method.
type allow func(ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error)

func (f allow) Allow(ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
	return f(ctx, key, r, n)
}

// wrap breaks a correct limiter from outside.
func wrap(f func(next limit.Limiter, ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error)) func() limit.Limiter {
	return func() limit.Limiter {
		next := limit.NewMemory()
		return allow(func(ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
			return f(next, ctx, key, r, n)
		})
	}
}

// answer breaks what a correct limiter says, not what it does.
func answer(f func(d *limit.Decision, r limit.Rate, n int)) func() limit.Limiter {
	return wrap(func(next limit.Limiter, ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
		d, err := next.Allow(ctx, key, r, n)
		if err == nil && !r.Unlimited() {
			f(&d, r, n)
		}
		return d, err
	})
}

// question breaks what a correct limiter is asked.
func question(f func(key *string, r *limit.Rate, n *int)) func() limit.Limiter {
	return wrap(func(next limit.Limiter, ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
		if r.Validate() == nil && !r.Unlimited() {
			f(&key, &r, &n)
		}
		return next.Allow(ctx, key, r, n)
	})
}

// textbook is GCRA with a place for each mistake.
type textbook struct {
	interval  func(r limit.Rate) time.Duration
	now       func() time.Duration
	noClamp   bool // debt under another rate stays, however long
	dropClamp bool // it is cut for the answer only
	apart     bool // time passes between reading and writing

	mu  sync.Mutex // protects tat
	tat map[string]time.Duration
}

func book(change func(*textbook)) func() limit.Limiter {
	return func() limit.Limiter {
		start := time.Now()
		b := &textbook{
			interval: func(r limit.Rate) time.Duration { return r.Per / time.Duration(r.Events) },
			now:      func() time.Duration { return time.Since(start) },
			tat:      make(map[string]time.Duration),
		}
		change(b)
		return b
	}
}

func (b *textbook) Allow(ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
	if r.Validate() != nil || r.Unlimited() || n < 0 || n > r.Size() {
		return limit.NewMemory().Allow(ctx, key, r, n)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now, interval := b.now(), b.interval(r)
	burst, cost := time.Duration(r.Size())*interval, time.Duration(n)*interval
	tat := max(b.tat[key], now)
	if b.apart {
		b.mu.Unlock()
		time.Sleep(time.Millisecond)
		b.mu.Lock()
	}
	if !b.noClamp && tat > now+burst {
		tat = now + burst
		if !b.dropClamp {
			b.tat[key] = tat
		}
	}
	d := limit.Decision{OK: tat+cost <= now+burst}
	if d.OK {
		tat += cost
		b.tat[key] = tat
	} else {
		d.RetryAfter = tat + cost - burst - now
	}
	d.Remaining = max(int((now+burst-tat)/interval), 0)
	d.ResetAfter = tat - now
	return d, nil
}

// windows counts in fixed windows of r.Per.
func windows() limit.Limiter {
	type window struct {
		number int64
		spent  int
	}
	var mu sync.Mutex
	start, all := time.Now(), map[string]window{}
	return allow(func(_ context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Since(start)
		w := all[key]
		if number := int64(now / r.Per); number != w.number {
			w = window{number: number}
		}
		end := time.Duration(w.number+1)*r.Per - now
		if w.spent+n > r.Size() {
			return limit.Decision{RetryAfter: end, Remaining: r.Size() - w.spent, ResetAfter: end}, nil
		}
		w.spent += n
		all[key] = w
		return limit.Decision{OK: true, Remaining: r.Size() - w.spent, ResetAfter: end}, nil
	})
}

// saver lets a burst grow while the key rests.
func saver() limit.Limiter {
	var mu sync.Mutex
	start, last := time.Now(), map[string]time.Duration{}
	next := limit.NewMemory()
	return allow(func(ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Since(start)
		if since, ok := last[key]; ok && now-since > 5*r.Window() {
			r.Burst = 2 * r.Size()
		}
		last[key] = now
		return next.Allow(ctx, key, r, n)
	})
}

// forgetful starts over when it knows too many keys.
func forgetful() limit.Limiter {
	var mu sync.Mutex
	next, keys := limit.NewMemory(), map[string]bool{}
	return allow(func(ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
		mu.Lock()
		defer mu.Unlock()
		if keys[key] = true; len(keys) > 300 {
			next, keys = limit.NewMemory(), map[string]bool{}
		}
		return next.Allow(ctx, key, r, n)
	})
}

// amnesiac forgets everything now and then.
func amnesiac() limit.Limiter {
	var mu sync.Mutex
	next, calls := limit.NewMemory(), 0
	return allow(func(ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
		mu.Lock()
		defer mu.Unlock()
		if calls++; calls%1500 == 0 {
			next = limit.NewMemory()
		}
		return next.Allow(ctx, key, r, n)
	})
}

// stubborn keeps to the rate that it first saw for a key.
func stubborn() limit.Limiter {
	var rates sync.Map
	next := limit.NewMemory()
	return allow(func(ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
		first, _ := rates.LoadOrStore(key, r)
		return next.Allow(ctx, key, first.(limit.Rate), n)
	})
}

// generous takes a negative n for a refund.
func generous() limit.Limiter {
	var refunds sync.Map
	next := limit.NewMemory()
	return allow(func(ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
		if n < 0 {
			refunds.Store(key, true)
			_, err := next.Allow(ctx, key, r, n)
			return limit.Decision{}, err
		}
		if _, ok := refunds.Load(key); ok {
			key += " refunded"
		}
		return next.Allow(ctx, key, r, n)
	})
}

// zeroResets lets the zero Rate forget the key.
func zeroResets() limit.Limiter {
	var resets sync.Map
	next := limit.NewMemory()
	return allow(func(ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
		n0, _ := resets.LoadOrStore(key, 0)
		if r.Unlimited() {
			resets.Store(key, n0.(int)+1)
		}
		key = fmt.Sprint(key, n0)
		return next.Allow(ctx, key, r, n)
	})
}

var mutants = []mutant{
	{"one too many", "burst", true, question(func(_ *string, r *limit.Rate, _ *int) { r.Burst = r.Size() + 1 })},
	{"one too few", "burst", true, question(func(_ *string, r *limit.Rate, _ *int) { r.Burst = max(r.Size()-1, 1) })},
	{"no burst", "burst", false, question(func(_ *string, r *limit.Rate, _ *int) { r.Burst = 1 })},
	{"miscounts what remains", "burst", false, answer(func(d *limit.Decision, _ limit.Rate, _ int) { d.Remaining++ })},
	{"no refill", "refill", true, book(func(b *textbook) { b.now = func() time.Duration { return 0 } })},
	{"fixed windows", "refill", true, windows},
	{"refills at half the rate", "refill", true, question(func(_ *string, r *limit.Rate, _ *int) { r.Per *= 2 })},
	{"saves up", "rest", false, saver},
	{"RetryAfter too short", "retry after", true, answer(func(d *limit.Decision, _ limit.Rate, _ int) { d.RetryAfter /= 2 })},
	{"RetryAfter too long", "retry after", false, answer(func(d *limit.Decision, _ limit.Rate, _ int) {
		if d.RetryAfter > 0 {
			d.RetryAfter++
		}
	})},
	{"RetryAfter is always zero", "retry after", true, answer(func(d *limit.Decision, _ limit.Rate, _ int) { d.RetryAfter = 0 })},
	{"RetryAfter is for one event", "retry after", false, answer(func(d *limit.Decision, r limit.Rate, n int) {
		if n > 1 && n <= r.Size() {
			d.RetryAfter = min(d.RetryAfter, r.Per/time.Duration(r.Events))
		}
	})},
	{"RetryAfter when admitted", "retry after", false, answer(func(d *limit.Decision, _ limit.Rate, _ int) {
		if d.OK {
			d.RetryAfter = d.ResetAfter
		}
	})},
	{"ResetAfter too short", "reset after", true, answer(func(d *limit.Decision, _ limit.Rate, _ int) { d.ResetAfter /= 2 })},
	{"ResetAfter is the window", "reset after", false, answer(func(d *limit.Decision, r limit.Rate, _ int) { d.ResetAfter = r.Window() })},
	{"refusals cost", "refusals are free", true, wrap(func(next limit.Limiter, ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
		// The burst shrinks with every refusal: the same as paying for them.
		d, err := next.Allow(ctx, key, r, n)
		if err == nil && !d.OK {
			_, err = next.Allow(ctx, key, r.WithBurst(r.Size()+n), n)
		}
		return d, err
	})},
	{"takes what there is", "all or nothing", true, wrap(func(next limit.Limiter, ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
		d, err := next.Allow(ctx, key, r, n)
		if err == nil && !d.OK && d.Remaining > 0 {
			_, err = next.Allow(ctx, key, r, d.Remaining)
		}
		return d, err
	})},
	{"counts calls, not events", "all or nothing", false, question(func(_ *string, _ *limit.Rate, n *int) { *n = min(*n, 1) })},
	{"borrows when rested", "more than the burst", false, question(func(_ *string, r *limit.Rate, n *int) { *n = min(*n, r.Size()) })},
	{"more than the burst is an error", "more than the burst", false, wrap(func(next limit.Limiter, ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
		if n > r.Size() {
			return limit.Decision{}, errors.New("too many")
		}
		return next.Allow(ctx, key, r, n)
	})},
	{"more than the burst may try again", "more than the burst", false, answer(func(d *limit.Decision, r limit.Rate, n int) {
		if n > r.Size() {
			d.RetryAfter = r.Window()
		}
	})},
	{"peeking costs", "peek", true, question(func(_ *string, _ *limit.Rate, n *int) { *n = max(*n, 1) })},
	{"peeking is refused", "peek", false, answer(func(d *limit.Decision, _ limit.Rate, n int) {
		if n == 0 && d.Remaining == 0 {
			*d = limit.Decision{ResetAfter: d.ResetAfter, RetryAfter: d.ResetAfter}
		}
	})},
	{"negative is admitted", "negative", false, question(func(_ *string, _ *limit.Rate, n *int) { *n = max(*n, 0) })},
	{"negative refunds", "negative", true, generous},
	{"one key for all", "keys", false, question(func(key *string, _ *limit.Rate, _ *int) { *key = "" })},
	{"keys end at NUL", "keys", false, question(func(key *string, _ *limit.Rate, _ *int) { *key, _, _ = strings.Cut(*key, "\x00") })},
	{"keys are trimmed", "keys", false, question(func(key *string, _ *limit.Rate, _ *int) { *key = strings.TrimSpace(*key) })},
	{"keys in lower case", "keys", false, question(func(key *string, _ *limit.Rate, _ *int) { *key = strings.ToLower(*key) })},
	{"long keys are cut", "keys", false, question(func(key *string, _ *limit.Rate, _ *int) { *key = (*key)[:min(len(*key), 512)] })},
	{"keys are made UTF-8", "keys", false, question(func(key *string, _ *limit.Rate, _ *int) { *key = strings.ToValidUTF8(*key, "?") })},
	{"keys share hash tags", "keys", false, question(func(key *string, _ *limit.Rate, _ *int) {
		if _, tag, ok := strings.Cut(*key, "{"); ok {
			*key, _, _ = strings.Cut(tag, "}")
		}
	})},
	{"keys by sum", "keys", false, question(func(key *string, _ *limit.Rate, _ *int) {
		var sum byte
		for _, c := range []byte(*key) {
			sum += c
		}
		*key = string(sum)
	})},
	{"the empty key is exempt", "keys", false, question(func(key *string, r *limit.Rate, _ *int) {
		if *key == "" {
			*r = limit.Rate{}
		}
	})},
	{"unlimited resets the key", "unlimited", false, zeroResets},
	{"unlimited is none", "unlimited", false, wrap(func(next limit.Limiter, ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
		if r.Unlimited() {
			return limit.Decision{}, nil
		}
		return next.Allow(ctx, key, r, n)
	})},
	{"unlimited spends", "unlimited", false, wrap(func(next limit.Limiter, ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
		if r.Unlimited() {
			_, _ = next.Allow(ctx, key, limit.Rate{Events: 2, Per: time.Hour}, 1)
		}
		return next.Allow(ctx, key, r, n)
	})},
	{"the first rate stays", "rate change", true, stubborn},
	{"a new rate is a new key", "rate change", true, question(func(key *string, r *limit.Rate, _ *int) { *key += r.String() })},
	{"old debt has no bound", "rate change", true, book(func(b *textbook) { b.noClamp = true })},
	{"refusals hold old debt up", "rate change", true, book(func(b *textbook) { b.dropClamp = true })},
	{"an invalid rate is unlimited", "invalid rate", false, wrap(func(next limit.Limiter, ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
		if r.Validate() != nil {
			r = limit.Rate{}
		}
		return next.Allow(ctx, key, r, n)
	})},
	{"an invalid rate is another error", "invalid rate", false, wrap(func(next limit.Limiter, ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
		d, err := next.Allow(ctx, key, r, n)
		if err != nil {
			err = errors.New(err.Error())
		}
		return d, err
	})},
	{"admits with an error", "context", false, wrap(func(next limit.Limiter, ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
		d, _ := next.Allow(ctx, key, r, n)
		return d, ctx.Err()
	})},
	{"hides the context's error", "context", false, wrap(func(next limit.Limiter, ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
		if ctx.Err() != nil {
			return limit.Decision{}, errors.New("gave up")
		}
		return next.Allow(ctx, key, r, n)
	})},
	{"remembers few keys", "crowd", true, forgetful},
	{"forgets now and then", "crowd", false, amnesiac},
	{"intervals are rounded down", "random", false, book(func(*textbook) {})},
	{"intervals are rounded up", "random", false, book(func(b *textbook) {
		b.interval = func(r limit.Rate) time.Duration {
			return (r.Per + time.Duration(r.Events) - 1) / time.Duration(r.Events)
		}
	})},
	{"intervals in floating point", "random", false, book(func(b *textbook) {
		b.interval = func(r limit.Rate) time.Duration {
			return time.Duration(math.Ceil(float64(float32(r.Per) / float32(r.Events))))
		}
	})},
	{"a clock of milliseconds", "random", false, book(func(b *textbook) {
		now := b.now
		b.now = func() time.Duration { return now().Truncate(time.Millisecond) }
	})},
	{"twice the rate", "random", true, question(func(_ *string, r *limit.Rate, _ *int) { r.Burst, r.Events = r.Size(), 2*r.Events })},
	{"reads and writes apart", "race", true, book(func(b *textbook) { b.apart = true })},
	{"loses a race", "race", false, func() limit.Limiter {
		var mu sync.Mutex
		next := limit.NewMemory()
		return allow(func(ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
			if !mu.TryLock() {
				return limit.Decision{RetryAfter: 1}, nil
			}
			defer mu.Unlock()
			time.Sleep(1)
			return next.Allow(ctx, key, r, n)
		})
	}},
}

// inBroken is set in the process in which TestBroken runs and fails.
const inBroken = "LIMITTEST_BROKEN"

// TestBroken runs mutants through the suite. It is for TestSuiteFails, which
// starts it in a process of its own because it has to fail.
func TestBroken(t *testing.T) {
	if os.Getenv(inBroken) == "" {
		t.Skip("started by TestSuiteFails")
	}
	only := func(name string) []testCase {
		i := slices.IndexFunc(cases[:], func(c testCase) bool { return c.name == name })
		if i < 0 {
			t.Fatalf("no case %q", name)
		}
		return cases[i : i+1]
	}
	for _, m := range mutants {
		newLimiter := func(*testing.T) limit.Limiter { return m.new() }
		t.Run(m.name, func(t *testing.T) {
			run(t, newLimiter, Options{Seed: 1}, only(m.by))
		})
		if m.real {
			t.Run(m.name+" in real time", func(t *testing.T) {
				t.Parallel()
				run(t, newLimiter, Options{Seed: 1, RealTime: true, Granularity: realGranularity}, only(m.by))
			})
		}
	}
	t.Run("none", func(t *testing.T) { TestLimiter(t, newMemory) })
}

// TestSuiteFails shows that the suite fails on each mutant, in the case that
// claims to test for it, and that each case is there for some mutant.
func TestSuiteFails(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$", "-test.v", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), inBroken+"=1")
	b, err := cmd.CombinedOutput()
	out := string(b)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("%v, want the tests to fail\n%s", err, out)
	}
	has := func(verdict, mutant, by string) bool {
		name := strings.ReplaceAll(fmt.Sprintf("TestBroken/%s/%s", mutant, by), " ", "_")
		return strings.Contains(out, fmt.Sprintf("--- %s: %s (", verdict, name))
	}
	caught := map[string]bool{}
	for _, m := range mutants {
		caught[m.by] = true
		if !has("FAIL", m.name, m.by) {
			t.Errorf("%q passes %q", m.name, m.by)
		}
		if m.real && !has("FAIL", m.name+" in real time", m.by) {
			t.Errorf("%q passes %q in real time", m.name, m.by)
		}
	}
	for _, c := range cases {
		if !caught[c.name] {
			t.Errorf("no mutant is caught by %q", c.name)
		}
		if !has("PASS", "none", c.name) {
			t.Errorf("a correct limiter fails %q", c.name)
		}
		if !strings.Contains(out, c.why) {
			t.Errorf("the failure of %q does not say why it matters", c.name)
		}
	}
	if strings.Contains(out, "panic:") {
		t.Error("the suite panicked")
	}
	if t.Failed() {
		t.Log(out)
	}
}
