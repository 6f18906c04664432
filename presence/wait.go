package presence

import (
	"context"
	"fmt"
)

// A waiter is a call that waits for some lanes to be done with what it has
// changed. The Tracker's lock protects it.
type waiter struct {
	lanes int // still to be done
	err   error
	sent  bool          // the call may go on
	done  chan struct{} // closed then
}

func newWaiter() *waiter { return &waiter{done: make(chan struct{})} }

// served tells w that one of its lanes is done, or has failed.
func (w *waiter) served(err error) {
	w.lanes--
	if err != nil && w.err == nil {
		w.err = err
	}
	if !w.sent && (w.lanes <= 0 || err != nil) {
		w.sent = true
		close(w.done)
	}
}

// wait waits for w, unless it waits for nothing. The lock is not held.
func (w *waiter) wait(ctx context.Context) error {
	select {
	case <-w.done:
		return w.err
	default:
	}
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return fmt.Errorf("presence: not announced yet: %w", ctx.Err())
	}
}
