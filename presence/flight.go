package presence

import (
	"slices"
	"strings"
	"time"
)

// mostChanges is how many changes go into one batch. What is written anew after
// a loss goes in batches too: the first of them finds nothing of the node.
const mostChanges = 256

// A flight is a batch on its way, and where each change came from. When it
// fails it is repeated as it is, because nobody knows whether it was made.
type flight struct {
	batch  Batch
	causes []cause // of batch.Changes
}

type cause struct {
	seat    *seat // of Put, Amend and Remove
	reason  Reason
	visible bool // the entry written is
	handed  bool // of RemoveNode, as in dead
}

func (f *flight) add(ch Change, c cause) {
	f.batch.Changes = append(f.batch.Changes, ch)
	f.causes = append(f.causes, c)
}

// load makes a flight of what is to be written. It returns nil if nothing is.
func (t *Tracker) load(l *lane) *flight {
	if l.lease != t.lease {
		for s := l.seats; s != nil; s = s.next {
			if s.stored == there {
				s.stored = perhaps
			}
			if !s.dirty {
				s.dirty = true
				l.dirty = append(l.dirty, s)
			}
		}
		if l.lease != "" {
			// What is left under it when everything was written is nobody's.
			l.bury(dead{node: l.lease})
		}
		l.lease, l.prev = t.lease, 0
	}
	f := &flight{}
	t.loadKicks(l, f)
	// Users who come before users who go, so that one who changes connections
	// is never absent in between, not even from one batch to the next.
	stay := func(s *seat) bool { return s.state == seated || s.state == lingering }
	t.loadSeats(l, f, stay)
	t.loadSeats(l, f, func(s *seat) bool { return !stay(s) })
	t.loadDead(l, f)
	l.rest = len(l.dirty) > 0 || len(l.kicked) > 0 || len(l.dead) > 0
	if len(f.batch.Changes) == 0 && !l.audit {
		return nil
	}
	l.audit = false
	t.op++
	f.batch.Scope, f.batch.Node = l.scope, l.lease
	f.batch.Op, f.batch.Prev, f.batch.Bare = t.op, l.prev, l.prev == 0
	f.batch.At = stamp(time.Now())
	return f
}

func (t *Tracker) loadKicks(l *lane, f *flight) {
	n := min(len(l.kicked), mostChanges)
	for _, k := range l.kicked[:n] {
		f.add(Change{Action: RemoveUser, Entry: Entry{User: k.user}}, cause{reason: k.reason})
	}
	l.kicked = cut(l.kicked, n)
}

// loadSeats takes the dirty seats that want says, as many as there is room for.
func (t *Tracker) loadSeats(l *lane, f *flight, want func(*seat) bool) {
	l.dirty = slices.DeleteFunc(l.dirty, func(s *seat) bool {
		if s.state == unseated {
			s.dirty = false
			return true
		}
		if !want(s) || len(f.batch.Changes) >= mostChanges {
			return false
		}
		s.dirty = false
		e := s.entry(l.lease)
		switch {
		case s.state != leaving && s.stored == there:
			f.add(Change{Action: Amend, Entry: e}, cause{seat: s, visible: e.Status.visible()})
		case s.state != leaving:
			f.add(Change{Action: Put, Entry: e}, cause{seat: s, visible: e.Status.visible()})
		case s.stored == absentThere:
			t.unseat(s) // come and gone before anybody knew
		default:
			f.add(Change{Action: Remove, Entry: e}, cause{seat: s, reason: s.reason})
		}
		return true
	})
	if len(l.dirty) == 0 {
		l.dirty = nil
	}
}

// loadDead takes one dead node at a time: its limit is that of the batch.
func (t *Tracker) loadDead(l *lane, f *flight) {
	room := mostChanges - len(f.batch.Changes)
	if len(l.dead) == 0 || room <= 0 {
		return
	}
	d := l.dead[0]
	f.add(Change{Action: RemoveNode, Entry: Entry{Node: d.node}, Limit: room}, cause{reason: ReasonTimeout, handed: d.handed})
	l.dead = cut(l.dead, 1)
}

// cut returns list without its first n elements, and nil when none are left.
func cut[T any](list []T, n int) []T {
	if n == len(list) {
		return nil
	}
	return list[n:]
}

// landed takes in what the store says to a flight.
func (t *Tracker) landed(l *lane, f *flight, out *Outcome) {
	l.flight = nil
	l.users = out.Users
	l.prev = f.batch.Op
	l.events = t.events(l, f, out)
	for i := range f.causes {
		ch := &f.batch.Changes[i]
		c := &f.causes[i]
		switch ch.Action {
		case Put:
			c.seat.stored, c.seat.shown = there, c.visible
		case Amend:
			if !out.has(&ch.Entry) {
				// Another node has removed the user. Whoever did it tells the
				// connection, too.
				t.unseat(c.seat)
				continue
			}
			c.seat.shown = c.visible
		case Remove:
			c.seat.stored = absentThere
			if c.seat.state == leaving {
				t.unseat(c.seat)
			}
		case RemoveNode:
			if out.More {
				l.bury(dead{ch.Entry.Node, c.handed})
				l.rest = true
				continue
			}
			if out.had(ch.Entry.Node) {
				t.traces.add(trace{l.scope, ch.Entry.Node})
			}
			if c.handed {
				t.reaped()
			}
		}
	}
	if !l.rest {
		l.lost = false
	}
	if !l.holds() {
		l.prev = 0
		if f.batch.Prev != 0 {
			t.traces.add(trace{l.scope, f.batch.Node})
		}
	}
}

// holds reports whether the store has entries of this lane under its lease.
func (l *lane) holds() bool {
	for s := l.seats; s != nil; s = s.next {
		if s.stored == there {
			return true
		}
	}
	return false
}

// turnBack takes back a flight that the store did not want, because it does not
// hold what it should.
func (t *Tracker) turnBack(l *lane, f *flight) {
	l.flight = nil
	for i := range f.causes {
		ch := &f.batch.Changes[i]
		s := f.causes[i].seat
		switch ch.Action {
		case RemoveUser:
			l.kicked = append(l.kicked, kick{user: ch.Entry.User, reason: f.causes[i].reason})
		case RemoveNode:
			l.bury(dead{ch.Entry.Node, f.causes[i].handed})
		default:
			if !s.dirty && s.state != unseated {
				s.dirty = true
				l.dirty = append(l.dirty, s)
			}
		}
	}
	l.waiting, l.serving = append(l.serving, l.waiting...), nil
	if f.batch.Node != t.lease {
		t.makeReady(l) // what is missing is known, and written under the new lease
		return
	}
	l.doubt = true
	t.suspect = true
	t.setState(l, parked)
	poke(t.look)
}

// had reports whether a node had entries before the batch.
func (o *Outcome) had(node string) bool {
	return slices.ContainsFunc(o.Transitions, func(t Transition) bool {
		return slices.ContainsFunc(t.Before, func(e Entry) bool { return e.Node == node })
	})
}

// has reports whether an entry is there after the batch.
func (o *Outcome) has(e *Entry) bool {
	i, found := slices.BinarySearchFunc(o.Transitions, e.User, func(t Transition, user string) int { return strings.Compare(t.User, user) })
	return found && slices.ContainsFunc(o.Transitions[i].After, func(other Entry) bool { return other.Connection == e.Connection })
}
