package limit

import (
	"context"
	"sync/atomic"
	"time"
)

// Fallback is a Limiter that asks Primary, and Backup whenever Primary fails:
// with a limiter in memory as Backup, each node then counts for itself until
// the shared one is back. So N nodes admit up to N times the rate meanwhile. A
// call whose context ended is not asked again.
type Fallback struct {
	Primary, Backup Limiter
	// Timeout is how long Primary may take. 0: as long as the caller's context
	// lasts.
	Timeout time.Duration
	// Retry is the pause between calls of Primary while it fails; those in
	// between go to Backup without a wait. 0: every call tries.
	Retry time.Duration
	// OnChange, if set, is told when Primary begins to fail, with the error,
	// and when it is back, with nil. Not with every call. It must not block.
	OnChange func(err error)

	failing atomic.Bool
	next    atomic.Int64 // when Primary is tried again, in Unix nanoseconds
}

// Allow implements [Limiter].
func (f *Fallback) Allow(ctx context.Context, key string, r Rate, n int) (Decision, error) {
	if f.Retry > 0 && f.failing.Load() {
		next, now := f.next.Load(), time.Now()
		if now.UnixNano() < next || !f.next.CompareAndSwap(next, now.Add(f.Retry).UnixNano()) {
			return f.Backup.Allow(ctx, key, r, n)
		}
	}
	d, err := f.ask(ctx, key, r, n)
	if err == nil {
		if f.failing.CompareAndSwap(true, false) && f.OnChange != nil {
			f.OnChange(nil)
		}
		return d, nil
	}
	if n < 0 || r.Validate() != nil || ctx.Err() != nil {
		return d, err
	}
	f.next.Store(time.Now().Add(f.Retry).UnixNano())
	if f.failing.CompareAndSwap(false, true) && f.OnChange != nil {
		f.OnChange(err)
	}
	return f.Backup.Allow(ctx, key, r, n)
}

func (f *Fallback) ask(ctx context.Context, key string, r Rate, n int) (Decision, error) {
	if f.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.Timeout)
		defer cancel()
	}
	return f.Primary.Allow(ctx, key, r, n)
}
