package redislimit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/limit"
)

// Leased is a [limit.Limiter] that borrows events from another in batches and
// admits from what it has borrowed, so that of many calls few reach Redis.
//
// What was borrowed has been spent in the other limiter, so nothing is admitted
// twice. But it may be used later than it was spent: within any window a node
// may admit up to one batch more than the rate allows. With N nodes that is
// N × batch, where a batch is a tenth of the burst. What is not used within a
// tenth of the window is given up. For this not to eat up the rate of a key that
// many nodes use a little, a batch is no larger than what the key's use until
// then needs: a node gives up no more than it has used.
//
// Remaining and ResetAfter are those of the last answer of the other limiter.
type Leased struct {
	from limit.Limiter

	mu     sync.Mutex // protects purses
	purses map[string]*purse
	swept  time.Time
}

// purse is what was borrowed for one key.
type purse struct {
	// busy has an element while a caller uses what follows, also while it
	// borrows, so that one does it for all.
	busy chan struct{}
	// failures counts how often borrowing failed, and failed is the last time's
	// error. failures is read without busy.
	failures atomic.Uint64
	failed   error

	rate     limit.Rate
	borrowed int // what there was at began
	left     int // of it
	began    time.Time
	expires  time.Time
	last     limit.Decision
	// A refusal is remembered until it is worth asking again.
	refused      limit.Decision
	refusedCount int
	refusedAt    time.Time
}

const (
	batches    = 10 // of a burst
	leastSpan  = 10 * time.Millisecond
	sweepEvery = time.Minute
)

// Lease returns a Leased that borrows from another limiter.
func Lease(from limit.Limiter) *Leased {
	return &Leased{from: from, purses: make(map[string]*purse), swept: time.Now()}
}

// Allow implements [limit.Limiter].
func (l *Leased) Allow(ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
	batch := r.Size() / batches
	if r.Unlimited() || r.Validate() != nil || n < 1 || n > batch {
		return l.from.Allow(ctx, key, r, n)
	}
	p := l.purse(key)
	failures := p.failures.Load()
	select {
	case p.busy <- struct{}{}:
	case <-ctx.Done():
		return limit.Decision{}, ctx.Err()
	}
	defer func() { <-p.busy }()
	if p.failures.Load() != failures {
		return limit.Decision{}, p.failed // who borrowed for us all this while has failed
	}
	now := time.Now()
	if p.rate != r {
		p.borrowed, p.left, p.refusedCount = 0, 0, 0
	}
	used := p.borrowed - p.left
	if now.After(p.expires) {
		p.left = 0
	}
	if wait := p.refused.RetryAfter - now.Sub(p.refusedAt); p.left < n && p.refusedCount > 0 && n >= p.refusedCount && wait > 0 {
		d := p.refused
		d.RetryAfter = wait
		return d, nil
	}
	if p.left < n {
		span := max(leastSpan, r.Window()/batches)
		batch = min(batch, max(n, need(used, now.Sub(p.began), span)))
		d, err := l.from.Allow(ctx, key, r, batch)
		if err == nil && !d.OK && batch > n { // not a whole batch any more: take what is needed
			batch = n
			d, err = l.from.Allow(ctx, key, r, n)
		}
		p.rate = r
		if err == nil && !d.OK {
			p.refused, p.refusedCount, p.refusedAt = d, n, now
		}
		if err != nil && ctx.Err() == nil {
			p.failed = err
			p.failures.Add(1)
		}
		if err != nil || !d.OK {
			return d, err
		}
		p.left += batch
		p.borrowed, p.last = p.left, d
		p.began, p.expires = now, now.Add(span)
	}
	p.left -= n
	return p.last, nil
}

// need says how many events a key will use within a span that has used so many
// in a time, going no faster than doubling.
func need(used int, in, span time.Duration) int {
	if in >= span {
		return used // by then it was given up
	}
	return int(float64(used) * min(2, float64(span)/float64(max(1, in))))
}

func (l *Leased) purse(key string) *purse {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); now.Sub(l.swept) > sweepEvery {
		l.swept = now
		for k, p := range l.purses {
			select {
			case p.busy <- struct{}{}:
				if now.After(p.expires) {
					delete(l.purses, k)
				}
				<-p.busy
			default:
			}
		}
	}
	p := l.purses[key]
	if p == nil {
		p = &purse{busy: make(chan struct{}, 1)}
		l.purses[key] = p
	}
	return p
}
