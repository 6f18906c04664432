package room

import (
	"context"
	"time"
)

const (
	// abreastMost is how long a join waits for this node to hear what its
	// client has heard elsewhere.
	abreastMost  = time.Second
	abreastEvery = 10 * time.Millisecond
)

// abreast waits until this node has delivered what a client has seen. A node
// that the broker has lost sight of for a moment may be behind the one that the
// client comes from: the client would get what it has a second time, after
// being told that there was something else. What the log does not have is not
// waited for.
func (c *Conn) abreast(ctx context.Context, h *hall, seen Position) error {
	if seen.Epoch == "" || h.has(seen) {
		return nil
	}
	page, err := c.srv.broker.Replay(ctx, h.name, Range{After: seen.Offset, Limit: 1})
	if err != nil {
		return err
	}
	if page.Last.Epoch != seen.Epoch || page.Last.Offset < seen.Offset {
		return nil
	}
	c.flush()
	enough := time.NewTimer(abreastMost)
	defer enough.Stop()
	again := time.NewTicker(abreastEvery)
	defer again.Stop()
	for !h.has(seen) {
		select {
		case <-again.C:
		case <-enough.C:
			return refuse(CodeUnavailable)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// has says that everything up to a position has been delivered here.
func (h *hall) has(seen Position) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at.Epoch == seen.Epoch && h.at.Offset >= seen.Offset
}
