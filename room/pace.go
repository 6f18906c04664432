package room

import (
	"log/slog"
	"time"

	"github.com/wardroom/wardroom/internal/wire"
	"github.com/wardroom/wardroom/limit"
)

// tooFast applies the connection's own limits, which need no key and no lock.
func (c *Conn) tooFast(r *Request) error {
	now, l := time.Since(c.began), &c.srv.limits
	bucket, rate := &c.requests, l.Requests
	switch r.in.Type {
	case wire.TypeJoin:
		bucket, rate = &c.joins, l.Joins
	case wire.TypeHistory:
		bucket, rate = &c.reads, l.History
	case wire.TypeCall:
		if special, ok := l.Calls[r.in.Event]; ok {
			if c.calls == nil {
				c.calls = make(map[string]*limit.Bucket)
			}
			if bucket = c.calls[r.in.Event]; bucket == nil {
				bucket = new(limit.Bucket)
				c.calls[r.in.Event] = bucket
			}
			rate = special
		}
	case wire.TypeMessage:
		bucket, rate = c.bucket(r.in.Room)
	}
	if d := c.bytes.Take(now, l.Bytes, r.size); !d.OK {
		return c.limited(d.RetryAfter)
	}
	if d := bucket.Take(now, rate, 1); !d.OK {
		return c.limited(d.RetryAfter)
	}
	return nil
}

// limited counts a refusal for being too fast and returns it.
func (c *Conn) limited(after time.Duration) error {
	if d := c.abuse.Take(time.Since(c.began), c.srv.limits.Abuse, 1); !d.OK {
		c.srv.journal.write(c.ctx, slog.LevelWarn, eventAbuse, c)
		c.close(closePolicy, "too many requests")
	}
	return &Error{Code: CodeRateLimited, RetryAfter: after}
}

// bucket is the one that limits messages to a room.
func (c *Conn) bucket(room string) (*limit.Bucket, limit.Rate) {
	seat := c.seat(room)
	if seat == nil || seat.rates == nil {
		return &c.message, c.srv.limits.Messages.Connection
	}
	b := c.sends[room]
	if b == nil {
		// The buckets outlive the seats, or leaving and joining would empty
		// them; but not without end.
		if c.sends == nil || len(c.sends) > 2*c.srv.limits.RoomsPerConnection {
			c.sends = make(map[string]*limit.Bucket)
		}
		b = new(limit.Bucket)
		c.sends[room] = b
	}
	return b, seat.rates.Connection
}
