package presence

import (
	"container/list"
	"time"
)

// Sweep has the Tracker make the sweep of [Options.Sweep] now. It is for who
// knows that the store may have lost something or gone back to older data, as
// when a server was restarted or a replica promoted.
//
// The Tracker then asks the store, for each room that it has connections in and
// each that it has left a while ago, whether that has what was written and no
// more. Where it does not, everything is written anew, and what nobody has any
// more is removed. A call that fails is made again until it succeeds. It is one
// beat, and one call for each of those rooms, for Options.Parallel of them at a
// time.
//
// Sweep returns at once. Requests that come before a sweep begins are one;
// what is asked for while it runs is made behind it.
func (t *Tracker) Sweep() {
	t.mu.Lock()
	t.asked = true
	t.mu.Unlock()
	poke(t.look)
}

// sweep asks the store, for each lane, whether it has what was written, and when
// there is reason to, for each trace, whether it has nothing. What has failed is
// tried again at once.
func (t *Tracker) sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	asked := t.asked
	t.asked = false
	if t.closing {
		return
	}
	for _, l := range t.lanes {
		l.audit = l.audit || l.prev != 0
		if l.audit && l.state == idle || l.err != nil && l.state == timed {
			t.makeReady(l)
		}
	}
	if asked {
		t.retrace()
	}
}

const (
	// traceKept is for how long, at least, a trace is kept: as long as a primary
	// may take what its replicas do not get, until one of them is promoted and
	// that is noticed.
	traceKept = 2 * time.Minute
	// mostTraces is how many are kept, the latest.
	mostTraces = 1 << 16
)

// A trace is where a node had entries until a moment ago: this node, under the
// lease that it has or one that it had, or a dead one that it has cleared away.
// A store that goes back to older data has them again, and nobody else would
// look there.
type trace struct {
	scope Scope
	node  string
}

type footprint struct {
	trace
	at time.Time
}

// traces are in the order in which they were made.
type traces struct {
	order list.List // of *footprint
	found map[trace]*list.Element
}

func (ts *traces) add(tr trace) {
	if e := ts.found[tr]; e != nil {
		e.Value.(*footprint).at = time.Now()
		ts.order.MoveToBack(e)
		return
	}
	if ts.found == nil {
		ts.found = make(map[trace]*list.Element)
	}
	ts.found[tr] = ts.order.PushBack(&footprint{tr, time.Now()})
	if len(ts.found) > mostTraces {
		ts.drop(ts.order.Front())
	}
}

func (ts *traces) drop(e *list.Element) {
	delete(ts.found, e.Value.(*footprint).trace)
	ts.order.Remove(e)
}

// forget drops the traces that are old, when all has been well for as long. When
// it has not, what was written before may be lost yet.
func (t *Tracker) forget(since time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := time.Now().Add(-traceKept)
	if t.failing > 0 || since.After(before) {
		return
	}
	for e := t.traces.order.Front(); e != nil && e.Value.(*footprint).at.Before(before); e = t.traces.order.Front() {
		t.traces.drop(e)
	}
}

// retrace has the lanes make sure that there is nothing where it was removed.
func (t *Tracker) retrace() {
	if t.closing {
		return
	}
	for e := t.traces.order.Front(); e != nil; e = e.Next() {
		tr := e.Value.(*footprint).trace
		l := t.lane(tr.scope)
		if tr.node == t.lease {
			l.audit = true
		} else {
			l.bury(dead{node: tr.node})
		}
		if l.state == idle {
			t.makeReady(l)
		}
	}
}
