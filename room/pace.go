package room

import (
	"context"
	"log/slog"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/wire"
	"github.com/wardroom/wardroom/limit"
)

// gauge is one of a connection's buckets with the rate it is for.
type gauge struct {
	bucket *limit.Bucket
	rate   limit.Rate
}

// lane is what a connection is counted for by itself: messages to a room with
// rates of its own, and requests of a kind in the rooms of a pattern.
type lane struct {
	settings *Settings // the pattern's
	what     string    // a request's type, with the event of a call
	room     string
	bytes    bool
}

// tooFast applies the connection's own limits, which need no key and no lock.
func (c *Conn) tooFast(r *Request) error {
	now := time.Since(c.began)
	requests, bytes := c.gauges(r)
	size := r.size
	if !bytes.rate.Unlimited() { // or what is larger than all that comes at once would never be admitted
		size = min(size, bytes.rate.Size())
	}
	b := bytes.bucket.Take(now, bytes.rate, size)
	if !b.OK {
		q := requests.bucket.Take(now, requests.rate, 0)
		return c.limited(max(b.RetryAfter, nextAfter(q, requests.rate, 1)))
	}
	q := requests.bucket.Take(now, requests.rate, 1)
	wait := nextAfter(b, bytes.rate, size)
	if !q.OK {
		return c.limited(max(q.RetryAfter, wait))
	}
	c.wait = max(nextAfter(q, requests.rate, 1), wait)
	return nil
}

// gauges finds what a request counts for.
func (c *Conn) gauges(r *Request) (requests, bytes gauge) {
	l := &c.srv.limits
	requests, bytes = gauge{&c.requests, l.Requests}, gauge{&c.bytes, l.Bytes}
	special := func(settings *Settings, rate limit.Rate) {
		requests = gauge{c.lane(lane{settings: settings, what: r.in.Type + r.in.Event}), rate}
	}
	switch r.in.Type {
	case wire.TypeJoin:
		requests = gauge{&c.joins, l.Joins}
		if settings, own := c.ownRates(r.in.Room); own != nil && !own.Joins.Unlimited() {
			special(settings, own.Joins)
		}
	case wire.TypeHistory:
		requests = gauge{&c.reads, l.History}
		if settings, own := c.ownRates(r.in.Room); own != nil && !own.History.Unlimited() {
			special(settings, own.History)
		}
	case wire.TypeCall:
		if rate, ok := l.Calls[r.in.Event]; ok {
			special(nil, rate)
		}
		if settings, own := c.ownRates(r.in.Room); own != nil {
			if rate, ok := own.Calls[r.in.Event]; ok {
				special(settings, rate)
			}
		}
	case wire.TypeMessage:
		requests = gauge{&c.message, l.Messages.Connection}
		seat := c.seat(r.in.Room)
		if seat == nil {
			break // nor may a room that is not there have a bucket
		}
		own := &l.Messages
		if seat.rates != nil {
			own = seat.rates
			requests = gauge{c.lane(lane{what: r.in.Type, room: r.in.Room}), own.Connection}
		}
		if !own.ConnectionBytes.Unlimited() {
			bytes = gauge{c.lane(lane{what: r.in.Type, room: r.in.Room, bytes: true}), own.ConnectionBytes}
		}
	}
	return requests, bytes
}

// ownRates are those that a room's pattern has for the connection, nil for
// none.
func (c *Conn) ownRates(room string) (*Settings, *Rates) {
	settings := c.srv.patterns.find(room)
	if settings == nil || settings.Rates == nil && settings.RoleRates == nil {
		return nil, nil
	}
	id := c.identity.Load()
	if id == nil {
		id = new(auth.Identity)
	}
	return settings, settings.rates(id)
}

// lane is the bucket of a lane. They outlive the seats, or leaving and joining
// would empty them; but not without end.
func (c *Conn) lane(l lane) *limit.Bucket {
	b := c.lanes[l]
	if b == nil {
		if c.lanes == nil || len(c.lanes) > 8*c.srv.limits.RoomsPerConnection {
			c.lanes = make(map[lane]*limit.Bucket)
		}
		b = new(limit.Bucket)
		c.lanes[l] = b
	}
	return b
}

// limited counts a refusal for being too fast and returns it.
func (c *Conn) limited(after time.Duration) error {
	if d := c.abuse.Take(time.Since(c.began), c.srv.limits.Abuse, 1); !d.OK {
		c.publishBurst() // while there is somebody to answer
		c.srv.journal.write(&c.life, slog.LevelWarn, eventAbuse, c)
		c.close(closePolicy, "too many requests")
	}
	return &Error{Code: CodeRateLimited, RetryAfter: after}
}

// limitMessage applies the limits that connections share, to a message or an
// amendment of so many bytes of data. One that a limit refuses has been counted
// by those before it, so what is told is when all of them admit it.
func (c *Conn) limitMessage(ctx context.Context, seat *seat, size int) error {
	rates := &c.srv.limits.Messages
	if seat.rates != nil {
		rates = seat.rates
	}
	wait := c.wait
	ask := func(key string, rate limit.Rate, n int) error {
		d, err := c.srv.limiter.Allow(ctx, key, rate, n)
		if err != nil {
			return nil //nolint:nilerr // a limiter that is down stops nobody
		}
		if !d.OK {
			return c.limited(max(d.RetryAfter, wait))
		}
		wait = max(wait, nextAfter(d, rate, n))
		return nil
	}
	if err := ask(seat.userKey, rates.User, 1); err != nil {
		return err
	}
	if !rates.UserInRoom.Unlimited() {
		if err := ask("here:"+seat.userKey+" "+seat.hall.name, rates.UserInRoom, 1); err != nil {
			return err
		}
	}
	if err := ask(seat.hall.key, rates.Room, 1); err != nil {
		return err
	}
	for _, l := range [...]struct {
		rate        limit.Rate
		prefix, key string
	}{
		{rates.UserBytes, "bytes:", seat.userKey},
		{rates.UserInRoomBytes, "bytes here:", seat.userKey + " " + seat.hall.name},
		{rates.RoomBytes, "bytes:", seat.hall.key},
	} {
		if n := min(size, l.rate.Size()); n > 0 {
			if err := ask(l.prefix+l.key, l.rate, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// nextAfter is how long after an answer the rate will admit n again.
func nextAfter(d limit.Decision, rate limit.Rate, n int) time.Duration {
	if rate.Unlimited() || rate.Events == 0 {
		return 0
	}
	spare := float64(rate.Size()-n) * float64(rate.Per) / float64(rate.Events)
	return max(0, d.ResetAfter-time.Duration(spare))
}
