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
	page, err := c.srv.broker.Replay(ctx, h.name, Range{Since: seen, Limit: 1})
	if err != nil || !page.Follows {
		return err
	}
	return c.await(ctx, h, Position{Epoch: page.Last.Epoch, Offset: seen.Offset})
}

// await waits until this node has come to a position that the log has.
func (c *Conn) await(ctx context.Context, h *hall, p Position) error {
	if h.has(p) {
		return nil
	}
	c.flush()
	enough := time.NewTimer(abreastMost)
	defer enough.Stop()
	again := time.NewTicker(abreastEvery)
	defer again.Stop()
	for !h.has(p) {
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
func (h *hall) has(p Position) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return reaches(h.at, p)
}

// reaches says that who is at one position has come through the other.
func reaches(at, p Position) bool { return at.Epoch == p.Epoch && at.Offset >= p.Offset }
