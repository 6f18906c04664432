package limit

import (
	"context"
	"sync/atomic"
)

// Fallback is a Limiter that asks Primary, and Backup whenever Primary fails:
// with a limiter in memory as Backup, each node then counts for itself until
// the shared one is back. A call whose context ended is not asked again.
type Fallback struct {
	Primary, Backup Limiter
	// OnChange, if set, is told when Primary begins to fail, with the error,
	// and when it is back, with nil. Not with every call. It must not block.
	OnChange func(err error)

	failing atomic.Bool
}

// Allow implements [Limiter].
func (f *Fallback) Allow(ctx context.Context, key string, r Rate, n int) (Decision, error) {
	d, err := f.Primary.Allow(ctx, key, r, n)
	if err == nil {
		if f.failing.CompareAndSwap(true, false) && f.OnChange != nil {
			f.OnChange(nil)
		}
		return d, nil
	}
	if n < 0 || r.Validate() != nil || ctx.Err() != nil {
		return d, err
	}
	if f.failing.CompareAndSwap(false, true) && f.OnChange != nil {
		f.OnChange(err)
	}
	return f.Backup.Allow(ctx, key, r, n)
}
