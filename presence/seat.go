package presence

import (
	"bytes"
	"slices"
	"time"
)

// A seat is one connection in one scope, as the node wants it to be and as far
// as the store knows of it.
type seat struct {
	conn       *Conn
	room       string
	lane       *lane
	prev, next *seat // in lane.seats

	state  seatState
	reason Reason // why it leaves, or left and lingers
	alarm  *alarm // when the grace is over; nil before it begins
	set    *setting
	since  time.Time

	stored holding
	shown  bool // the store's entry is visible
	dirty  bool // in lane.dirty
}

type seatState uint8

const (
	seated    seatState = iota
	lingering           // gone, but in its grace
	leaving             // to be removed from the store
	unseated            // not in a lane any more
)

// holding is whether the store has an entry for a seat.
type holding uint8

const (
	absentThere holding = iota
	there
	perhaps // it had, before the lease changed or its data was lost
)

// ring ends the grace.
func (s *seat) ring(t *Tracker, _ time.Time) {
	t.vacate(s, s.reason, nil)
}

// key is under which the seat is found while it lingers.
func (s *seat) key() absent { return absent{scope: s.lane.scope, user: s.conn.user} }

// seat gives c a seat in a room. It takes the place of those that linger.
func (t *Tracker) seat(c *Conn, room string, w *waiter) {
	s := c.seatIn(room)
	if s == nil {
		s = &seat{conn: c, room: room, lane: t.lane(scopeOf(room, c.user))}
		s.lane.link(s)
		c.seats = append(c.seats, s)
	}
	fresh := s.state != lingering
	if fresh {
		s.since = stamp(time.Now())
		s.set = c.set
	} else {
		t.stay(s)
	}
	s.state = seated
	// Before the others, so that the user is never absent in between.
	t.touch(s, w)
	for _, old := range slices.Clone(t.lingering[s.key()]) {
		if fresh && !c.chosen {
			s.set = old.set
		}
		if old.since.Before(s.since) {
			s.since = old.since
		}
		t.vacate(old, old.reason, w)
	}
}

func scopeOf(room, user string) Scope {
	if room == "" {
		return Scope{User: user}
	}
	return Scope{Room: room}
}

// depart has a seat leave, after the grace if there is reason for one.
func (t *Tracker) depart(s *seat, reason Reason, w *waiter) {
	if s.state != seated || !reason.lingers() || t.options.Grace == 0 {
		t.vacate(s, reason, w)
		return
	}
	s.state, s.reason = lingering, reason
	t.lingering[s.key()] = append(t.lingering[s.key()], s)
	s.alarm = new(alarm)
	t.set(s.alarm, time.Now().Add(t.options.Grace), s)
}

// stay ends the grace of a seat, one way or the other.
func (t *Tracker) stay(s *seat) {
	t.unset(s.alarm)
	key := s.key()
	list := slices.DeleteFunc(t.lingering[key], func(other *seat) bool { return other == s })
	if len(list) > 0 {
		t.lingering[key] = list
	} else {
		delete(t.lingering, key)
	}
}

// vacate has a seat leave now.
func (t *Tracker) vacate(s *seat, reason Reason, w *waiter) {
	switch s.state {
	case leaving, unseated:
		return
	case lingering:
		t.stay(s)
	}
	s.state, s.reason = leaving, reason
	t.touch(s, w)
}

// touch has the lane write a seat down.
func (t *Tracker) touch(s *seat, w *waiter) {
	if !s.dirty {
		s.dirty = true
		s.lane.dirty = append(s.lane.dirty, s)
	}
	t.mark(s.lane, w)
}

// unseat forgets a seat that the store does not have any more.
func (t *Tracker) unseat(s *seat) {
	if s.state == unseated {
		return
	}
	if s.state == lingering {
		t.stay(s)
	}
	s.state = unseated
	s.lane.unlink(s)
	s.conn.seats = slices.DeleteFunc(s.conn.seats, func(other *seat) bool { return other == s })
}

// apply sets status and meta, and reports whether they were others.
func (s *seat) apply(to setting) bool {
	if s.set.meta != nil && bytes.Equal(s.set.meta, to.meta) {
		to.meta = nil // as it was, and when it was
	}
	changed := s.set.status != to.status || to.meta != nil
	if changed {
		s.set = s.set.with(to)
	}
	return changed
}

// entry is what the store is to hold for a seat.
func (s *seat) entry(node string) Entry {
	status := s.set.status
	if status == Online && s.conn.idle.Load() {
		status = Away
	}
	return Entry{
		User:       s.conn.user,
		Connection: s.conn.connection,
		Node:       node,
		Name:       s.conn.name,
		Status:     status,
		Meta:       s.set.meta,
		MetaAt:     s.set.metaAt,
		Since:      s.since,
	}
}
