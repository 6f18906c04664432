package limittest

import (
	"context"
	"fmt"
	"sync"
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
