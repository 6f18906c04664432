package presence

import (
	"slices"
	"time"
)

// A lane is one scope as this node sees it: what is to be in the store, what is
// on its way there, and what is still to be announced. One worker at a time
// handles a lane, so the order of changes is that of their announcements.
//
// A lane exists while the node has something to do or to keep in its scope.
type lane struct {
	scope Scope
	seats *seat // a list of all
	users int   // in the scope, on all nodes, as last heard

	state laneState
	next  *lane // in the queue, while ready
	alarm alarm // while timed

	// What is to be written.
	dirty  []*seat
	kicked []kick
	dead   []dead
	audit  bool // the store is to be asked whether it has all
	rest   bool // there was too much for one batch

	lease  string // under which the store has the seats
	prev   uint64 // Op of the last batch under it; 0 if no seat is there
	lost   bool   // the store lost its data since; its silence says nothing
	doubt  bool   // waiting to know why the store does not have what it should
	flight *flight
	events []Event

	waiting []*waiter // for what is still to be written
	serving []*waiter // for what is in flight or in events

	pause time.Duration // after the last failure
	err   error         // the last failure
}

type laneState uint8

const (
	idle   laneState = iota
	timed            // gathering in a large room, or pausing after a failure
	ready            // in the queue for a worker
	busy             // with a worker
	parked           // until there is a lease
)

// A dead is a node whose entries are to be removed.
type dead struct {
	node string
	// handed: by Orphans, to be told to reap. Others are leases that the node
	// itself has had, and nodes that were removed already: see traces.
	handed bool
}

// A kick is a user to be removed, wherever they are.
type kick struct {
	user   string
	reason Reason
}

func (t *Tracker) lane(scope Scope) *lane {
	l := t.lanes[scope]
	if l == nil {
		l = &lane{scope: scope}
		t.lanes[scope] = l
	}
	return l
}

func (l *lane) link(s *seat) {
	s.next = l.seats
	if l.seats != nil {
		l.seats.prev = s
	}
	l.seats = s
}

func (l *lane) unlink(s *seat) {
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		l.seats = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	}
	s.prev, s.next = nil, nil
}

// mark has a lane written. The waiter, if there is one, is told when it is.
func (t *Tracker) mark(l *lane, w *waiter) {
	large := t.large(l)
	if w != nil && !large {
		w.lanes++
		switch {
		case l.err != nil:
			w.served(l.err)
		case t.lease == "" && t.leaseErr != nil:
			w.served(t.leaseErr)
		default:
			l.waiting = append(l.waiting, w)
		}
	}
	if l.state != idle {
		return
	}
	if large && !t.closing {
		t.setState(l, timed)
		t.set(&l.alarm, time.Now().Add(t.options.Window), l)
		return
	}
	t.makeReady(l)
}

func (t *Tracker) large(l *lane) bool {
	return t.options.LargeRoom >= 0 && l.users > t.options.LargeRoom
}

// ring ends a pause.
func (l *lane) ring(t *Tracker, _ time.Time) {
	if l.state == timed {
		t.makeReady(l)
	}
}

func (t *Tracker) setState(l *lane, state laneState) {
	switch {
	case l.state == idle && state != idle:
		t.active++
	case l.state != idle && state == idle:
		t.active--
	}
	l.state = state
}

// makeReady puts a lane in the queue and sees to it that a worker comes.
func (t *Tracker) makeReady(l *lane) {
	t.unset(&l.alarm)
	t.setState(l, ready)
	t.ready.push(l)
	t.summon()
}

// bury has a node's entries removed.
func (l *lane) bury(d dead) {
	i := slices.IndexFunc(l.dead, func(o dead) bool { return o.node == d.node })
	if i < 0 {
		l.dead = append(l.dead, d)
		return
	}
	l.dead[i].handed = l.dead[i].handed || d.handed
}

func (l *lane) hasWork() bool {
	return len(l.dirty) > 0 || len(l.kicked) > 0 || len(l.dead) > 0 || l.audit || l.flight != nil || len(l.events) > 0
}

// release leaves a lane that a worker is done with.
func (t *Tracker) release(l *lane) {
	rest := l.rest
	l.rest = false
	switch {
	case !l.hasWork():
		t.setState(l, idle)
		l.serve(nil) // there is nothing that they could wait for
		if l.seats == nil {
			delete(t.lanes, l.scope)
		}
		t.checkDrained()
	case rest || t.closing || !t.large(l):
		t.makeReady(l)
	default:
		t.setState(l, timed)
		t.set(&l.alarm, time.Now().Add(t.options.Window), l)
	}
}

// serve ends the waiting of all.
func (l *lane) serve(err error) {
	for _, w := range l.serving {
		w.served(err)
	}
	for _, w := range l.waiting {
		w.served(err)
	}
	l.serving, l.waiting = nil, nil
}

// queue is a list of lanes, first in, first out.
type queue struct{ first, last *lane }

func (q *queue) push(l *lane) {
	l.next = nil
	if q.last != nil {
		q.last.next = l
	} else {
		q.first = l
	}
	q.last = l
}

func (q *queue) pop() *lane {
	l := q.first
	if l == nil {
		return nil
	}
	q.first, l.next = l.next, nil
	if q.first == nil {
		q.last = nil
	}
	return l
}
