package room

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// readmitAtOnce is how many connections are admitted anew at a time.
const readmitAtOnce = 16

// readmit begins to admit every connection anew that has a seat under another
// lease than the present one: the node was taken for dead, and its places may
// have been given to others, or the store has lost them. Those who still fit
// notice nothing; the others are removed, so that nobody hears what is said in
// a room that they are not in.
func (k *keeper) readmit(node string) {
	select {
	case <-k.busy:
	default:
		return // when it is done it makes the keeper look again
	}
	if !k.srv.lease.takeStale() {
		return
	}
	done := make(chan struct{})
	k.busy = done
	k.srv.wg.Go(func() {
		all := k.srv.readmitAll(node)
		if !all {
			select {
			case <-time.After(leaseAgain):
			case <-k.srv.ctx.Done():
			}
		}
		close(done)
		if all {
			k.srv.lease.poke()
		} else {
			k.srv.lease.doubt()
		}
	})
}

// readmitAll reports whether it came to an end with everyone.
func (s *Server) readmitAll(node string) bool {
	seats := make(chan *seat)
	missed := make(chan struct{}, 1)
	var workers sync.WaitGroup
	for range readmitAtOnce {
		workers.Go(func() {
			for seat := range seats {
				if !seat.conn.readmit(s.ctx, seat, node) {
					select {
					case missed <- struct{}{}:
					default:
					}
				}
			}
		})
	}
	for _, h := range s.allHalls() {
		for _, seat := range h.all() {
			if s.leased(node) && s.ctx.Err() == nil {
				seats <- seat
			}
		}
	}
	close(seats)
	workers.Wait()
	select {
	case <-missed:
		return false
	default:
		return s.leased(node)
	}
}

// readmit admits a connection that is in a room anew, unless that has been done
// for the node, and reports whether it is known what came of it.
func (c *Conn) readmit(ctx context.Context, s *seat, node string) bool {
	if !c.beginReadmission(s, node) {
		return true
	}
	defer c.endReadmission(s)
	srv, room := c.srv, s.hall.name
	rec, kicked, err := srv.missed(ctx, c, room)
	var in Admission
	taken := ""
	if err == nil && !kicked {
		in, taken, err = srv.admitMember(ctx, c, &rec)
	}
	var refused *Error
	switch {
	case kicked:
		s.hall.evict(s, eviction{reason: reasonKicked})
		return true
	case err == nil:
		s.mute(in.Muted)
		c.mu.Lock()
		s.node = taken
		c.mu.Unlock()
		return true
	case errors.As(err, &refused) && refused.Code != CodeUnavailable && refused.Code != CodeConflict:
		e := eviction{reason: reasonOf(err)}
		if refused.Code == CodeRoomFull {
			e.reason = reasonFull
		}
		s.hall.evict(s, e)
		return true
	}
	srv.journal.write(ctx, slog.LevelDebug, eventError, c, slog.String("room", room), slog.Any("error", err))
	return false
}

// missed returns what the room is like now, and whether the connection is to
// leave it, which Admit would forget.
func (s *Server) missed(ctx context.Context, c *Conn, room string) (Record, bool, error) {
	if s.inspector == nil {
		_, rec, err := s.lookup(ctx, room)
		return rec, false, err
	}
	seat := Seat{Room: room, User: c.Identity().ID, Connection: c.id}
	findings, err := s.inspector.Inspect(ctx, []Inspection{{Room: room, Seats: []Seat{seat}}})
	if err != nil {
		return Record{}, false, err
	}
	rec, _ := s.present(room, findings[0].Record)
	return rec, findings[0].Seats[0].Expelled, nil
}

// compare has a connection admitted anew that is in the room for the store by
// another node, or not at all: it has lost what it was told.
func (c *Conn) compare(s *seat, node string) {
	c.mu.Lock()
	lost := c.seats.in(s.hall.name) == s && !s.settling && s.node != node
	if lost {
		s.node = ""
	}
	c.mu.Unlock()
	if lost {
		c.srv.lease.doubt()
	}
}

// beginReadmission reports whether the seat is there and to be admitted anew.
// Until endReadmission no join of the same room begins. A seat whose join is
// not answered yet is the join's own; see settle.
func (c *Conn) beginReadmission(s *seat, node string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seats.in(s.hall.name) != s || s.settling || s.node == node || s.readmission != nil {
		return false
	}
	s.readmission = make(chan struct{})
	return true
}

// endReadmission takes back what was done for a seat that has ended meanwhile:
// the place may have been given back before it was taken again.
func (c *Conn) endReadmission(s *seat) {
	room := s.hall.name
	c.mu.Lock()
	gone := c.seats.in(room) != s
	c.mu.Unlock()
	if gone {
		c.dismiss(room, func() { c.readmitted(s) })
		return
	}
	c.readmitted(s)
}

func (c *Conn) readmitted(s *seat) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(s.readmission)
	s.readmission = nil
	if d := c.going[s.hall.name]; d != nil && d.seat == s {
		if d.seat = nil; d.over {
			delete(c.going, s.hall.name)
			close(d.done)
		}
	}
}
