package room

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/limit"
)

// A connection that nobody renews is counted for Limits.PresenceTimeout, and so
// are those of a dead node. They are renewed every Limits.PresenceBeat.

const (
	// countCall is how long a shared counter may take.
	countCall = 250 * time.Millisecond
	// countAtOnce is how many connections are renewed in one call.
	countAtOnce = 500
)

// place counts a connection under a key: on this node, and on all of them where
// there is a counter that answers. Without an answer this node's count is the
// cap, and the connection is counted everywhere with the next renewal.
func (s *Server) place(ctx context.Context, gauge *limit.Gauge, key, prefix string, most int, c *Conn) (ok bool) {
	if ok = gauge.Enter(key, most); !ok || s.counter == nil {
		return ok
	}
	ok, err := s.counter.Take(ctx, prefix+key, c.id, most, s.limits.PresenceTimeout)
	if err == nil && !ok {
		gauge.Leave(key)
		return false
	}
	c.countedBy(prefix).Store(true)
	return true
}

func (c *Conn) countedBy(prefix string) *atomic.Bool {
	if prefix == countedIP {
		return &c.byIP
	}
	return &c.byUser
}

// leavePlace undoes place.
func (s *Server) leavePlace(gauge *limit.Gauge, key, prefix string, c *Conn) {
	gauge.Leave(key)
	if s.counter != nil {
		c.countedBy(prefix).Store(false)
		s.uncount(prefix+key, c.id)
	}
}

// uncount stops counting a connection everywhere. Where that fails it is counted
// until it has not been renewed for long enough.
func (s *Server) uncount(key, id string) {
	_ = s.counter.Drop(s.ctx, key, id)
}

// keepCounts renews what this node has.
func (s *Server) keepCounts() {
	tick := time.NewTicker(s.limits.PresenceBeat)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
			s.renewCounts()
		}
	}
}

func (s *Server) renewCounts() {
	for part := range slices.Chunk(s.all(), countAtOnce) {
		leases := make([]limit.Lease, 0, 2*len(part))
		still := make([]*atomic.Bool, 0, 2*len(part)) // whether each of them is
		for _, c := range part {
			leases, still = c.counts(leases, still)
		}
		if err := s.counter.Renew(s.ctx, leases, s.limits.PresenceTimeout); err != nil {
			return // the next may come in time
		}
		for i, l := range leases {
			if !still[i].Load() { // it went meanwhile
				s.uncount(l.Key, l.ID)
			}
		}
	}
}

const (
	countedIP   = "ip:"
	countedUser = "user:"
)

// counts adds the leases of a connection, and what says that they still are.
func (c *Conn) counts(leases []limit.Lease, still []*atomic.Bool) ([]limit.Lease, []*atomic.Bool) {
	if c.byIP.Load() {
		leases, still = append(leases, limit.Lease{Key: countedIP + limit.Key(c.ip), ID: c.id}), append(still, &c.byIP)
	}
	if id := c.identity.Load(); id != nil && c.byUser.Load() {
		leases, still = append(leases, limit.Lease{Key: countedUser + id.ID, ID: c.id}), append(still, &c.byUser)
	}
	return leases, still
}
