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
	if seen.Epoch == "" || reaches(h.position(), seen) {
		return nil
	}
	for range conflicts {
		page, err := c.srv.broker.Replay(ctx, h.name, Range{Since: seen, Limit: 1})
		if err != nil || !page.Follows {
			return err
		}
		if came, err := c.await(ctx, h, Position{Epoch: page.Last.Epoch, Offset: seen.Offset}); came || err != nil {
			return err
		}
	}
	return refuse(CodeUnavailable)
}

// await waits until this node has come to a position that the log has, and
// reports whether it has. It also returns when the node has come to another epoch
// than it was in: it hears of several at once as of the last one alone, and what
// is waited for need not come any more.
func (c *Conn) await(ctx context.Context, h *hall, p Position) (came bool, err error) {
	from := h.position()
	if reaches(from, p) {
		return true, nil
	}
	c.flush()
	enough := time.NewTimer(abreastMost)
	defer enough.Stop()
	again := time.NewTicker(abreastEvery)
	defer again.Stop()
	for at := from; !reaches(at, p); at = h.position() {
		if at.Epoch != from.Epoch && at.Epoch != p.Epoch {
			return false, nil
		}
		select {
		case <-again.C:
		case <-enough.C:
			return false, refuse(CodeUnavailable)
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	return true, nil
}

// position is the one up to which everything has been delivered here.
func (h *hall) position() Position {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

// reaches says that who is at one position has come through the other.
func reaches(at, p Position) bool { return at.Epoch == p.Epoch && at.Offset >= p.Offset }
