package limittest

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/wardroom/wardroom/limit"
)

// mutants are the limiters that the suite has to find wrong.
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
			time.Sleep(time.Nanosecond)
			return next.Allow(ctx, key, r, n)
		})
	}},
}
