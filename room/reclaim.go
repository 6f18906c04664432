package room

import (
	"log/slog"
	"time"
)

const (
	// reclaimAtOnce is how many seats one call of the store lists.
	reclaimAtOnce = 500
	// reclaimPause is between two such calls.
	reclaimPause = 10 * time.Millisecond
)

// reclaim goes through the seats that the store has for this node and gives
// those back that no connection holds: of a failover that has lost a Dismiss, or
// of an Admit that was carried out after the Dismiss which was to undo it. The
// others have been told long ago that their users have left. It reports whether
// the store could do everything.
func (s *Server) reclaim() (ok bool) {
	if _, local := s.nodeStore.(*memoryStore); local || s.nodeStore == nil {
		return true // what is in this process loses nothing
	}
	node := s.lease.now()
	if node == "" {
		return false
	}
	given := 0
	defer func() {
		if given > 0 {
			s.journal.write(s.ctx, slog.LevelInfo, eventReap, nil, slog.Int("seats", given))
		}
	}()
	for after, more := (Seat{}), true; more; {
		list, rest, err := s.nodeStore.Seats(s.ctx, node, after, reclaimAtOnce)
		if err != nil {
			return false
		}
		for i := range list {
			surplus, ok := s.reclaimSeat(&list[i])
			if !ok {
				return false
			}
			if surplus {
				given++
			}
		}
		if more = rest && len(list) > 0; more {
			after = list[len(list)-1]
			select {
			case <-s.ctx.Done():
				return true
			case <-time.After(reclaimPause):
			}
		}
	}
	return true
}

// reclaimSeat gives one seat back if nobody holds it. What the list has of it
// may be out of date: a connection that is gone never comes back, and of one
// that is there nothing is undone that it is doing, nor can it join meanwhile.
func (s *Server) reclaimSeat(seat *Seat) (surplus, ok bool) {
	c := s.connOf(seat.User, seat.Connection)
	if c == nil {
		_, err := s.store.Dismiss(s.ctx, *seat)
		return err == nil, err == nil
	}
	if !c.beginReclaim(seat.Room) {
		return false, true
	}
	return true, c.dismiss(seat.Room, func() { c.left(seat.Room) })
}

// connOf returns one of the user's connections on this node; nil when it is not
// there, or not welcomed yet, before which nobody joins.
func (s *Server) connOf(user, connection string) *Conn {
	s.connMu.Lock()
	defer s.connMu.Unlock()
	c := s.users[user]
	for c != nil && c.id != connection {
		c = c.elder
	}
	return c
}

// beginReclaim begins to leave a room that the connection is not in, nor about
// to be in or out of.
func (c *Conn) beginReclaim(room string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.joining || c.seats.in(room) != nil || c.going[room] != nil {
		return false
	}
	c.begin(room)
	return true
}
