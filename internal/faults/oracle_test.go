package faults

import (
	"sync"
	"time"
)

// place is where a message is in a room's log.
type place struct {
	room, epoch string
	offset      uint64
}

// oracle knows what was acknowledged and what each client got, and so what must
// be where. It is safe for concurrent use.
type oracle struct {
	*sheet
	pulse *pulse // nil: the machine is taken to be idle

	mu sync.Mutex // protects what follows
	// at is the ID of the message at each place, whoever said so; of is where
	// a message is in each epoch.
	at map[place]string
	of map[said]uint64
	// acked are the messages that history must have, ackedAt where each of them
	// is in its room, of whatever epoch.
	acked   map[place]string
	ackedAt map[said]place
	// loses is set while data may be lost, falls while everything may be but
	// acknowledged messages, renews while an epoch may end though nothing is: the
	// step says so.
	loses, falls, renews bool
	// era counts the times at which data was lost: what was said before may
	// have to be said again.
	era int
	// apart is set while nodes may be on their own.
	apart bool
	// lives are what was said in rooms without history.
	lives map[string]*live
	outs  map[seatKey]*out
}

// said is a message in an epoch of its room.
type said struct{ room, epoch, id string }

// live is a message in a room without history.
type live struct {
	room  string
	node  int
	at    time.Time
	acked bool
	void  bool           // nothing is known of what became of it
	apart bool           // it was said while nodes may have been on their own
	got   map[string]int // by user: the number of the connection, from 1
}

// seatKey is a user in a room; of an empty room: a user everywhere.
type seatKey struct{ user, room string }

// out says that a user must get nothing any more after some time.
type out struct {
	after time.Time
	what  string
}

func newOracle(s *sheet) *oracle {
	return &oracle{
		sheet: s, at: make(map[place]string), of: make(map[said]uint64), acked: make(map[place]string),
		ackedAt: make(map[said]place), lives: make(map[string]*live), outs: make(map[seatKey]*out),
	}
}

// over says that so much time has passed since some moment, in which the machine
// could do what it was to do.
func (o *oracle) over(since time.Time, most time.Duration) bool {
	took := time.Since(since)
	return took > most && (o.pulse == nil || took > most+o.pulse.stalled(since, time.Now()))
}

// within tries f until it succeeds or so much time has passed. Each node finds
// out for itself that Redis is back, so that what comes first may fail.
func (o *oracle) within(since time.Time, most time.Duration, f func() bool) bool {
	for !f() {
		if o.over(since, most) {
			return false
		}
		time.Sleep(50 * time.Millisecond)
	}
	return true
}

// ack takes a reply that said where a message is stored.
func (o *oracle) ack(p place, id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.count("messages acknowledged", 1)
	if p.offset == 0 || p.epoch == "" {
		o.violate(lost, "%s: %s was acknowledged without a place", p.room, id)
		return
	}
	o.put(p, id, "acknowledged")
	o.acked[p] = id
	o.ackedAt[said{room: p.room, id: id}] = p
}

// put checks that a message is where it has always been, and alone there. The
// caller holds mu.
func (o *oracle) put(p place, id, how string) {
	if was, ok := o.at[p]; ok && was != id {
		o.violate(disordered, "%v: %s is %s where %s was", p, id, how, was)
		return
	}
	o.at[p] = id
	key := said{p.room, p.epoch, id}
	if was, ok := o.of[key]; ok && was != p.offset {
		o.violate(doubled, "%v: %s is %s and was at %d before", p, id, how, was)
		return
	}
	o.of[key] = p.offset
	if !o.loses && !o.falls {
		o.alone(p, id, how)
	}
}

// alone checks that what was acknowledged is nowhere else: who was told so does
// not say it again. The caller holds mu.
func (o *oracle) alone(p place, id, how string) {
	if was, ok := o.ackedAt[said{room: p.room, id: id}]; ok && was.offset != p.offset {
		o.violate(doubled, "%v: %s is %s and was acknowledged at %v", p, id, how, was)
	}
}

// seen takes a message that a client got or read.
func (o *oracle) seen(p place, id, how string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.put(p, id, how)
}

// allow says what may happen from now on: that data is lost, that Redis falls
// back, that epochs end, and that nodes are on their own.
func (o *oracle) allow(loses, falls, renews, apart bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.loses || o.falls || loses || falls {
		o.era++
	}
	if loses {
		clear(o.ackedAt)
	}
	o.loses, o.falls, o.renews, o.apart = loses, falls, renews || loses || falls, apart
}

// losing says that what was not acknowledged may be lost, and records.
func (o *oracle) losing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.loses || o.falls
}

// losingAll says that what was acknowledged may be lost too.
func (o *oracle) losingAll() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.loses
}

func (o *oracle) age() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.era
}

func (o *oracle) renewing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.renews
}

// keeps says that what a client has seen up to some place is in the log all the
// same, whatever epoch that is of by now.
func (o *oracle) keeps(p place) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.loses {
		return false
	}
	was, acked := o.ackedAt[said{room: p.room, id: o.at[p]}]
	return !o.falls || acked && was == p
}

// due are the acknowledged messages of a room by now.
func (o *oracle) due(room string) map[place]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := make(map[place]string)
	for p, id := range o.acked {
		if p.room == room {
			list[p] = id
		}
	}
	return list
}

// history compares a room's log with what was acknowledged before it was read.
// An epoch that ended without loss goes on with the same offsets in the next.
func (o *oracle) history(due map[place]string, log map[place]string) {
	where := make(map[uint64]place)
	for p, id := range log {
		o.seen(p, id, "in history")
		where[p.offset] = p
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.falls {
		// What a primary had and its successor has not may reach clients late. The
		// log has it once.
		for p, id := range log {
			o.alone(p, id, "in history")
		}
	}
	missing := 0
	for p, id := range due {
		is := where[p.offset]
		if is == p && log[is] == id {
			continue
		}
		delete(o.acked, p)
		if log[is] == id { // a retry may be told the place in the epoch before
			o.acked[is] = id
			continue
		}
		missing++
		if !o.loses {
			o.violate(lost, "%v: %s is not in the log, which has %q %v there", p, id, log[is], is)
		}
	}
	if missing > 0 && o.loses {
		o.count("acknowledged messages lost where data may be", missing)
	}
	o.count("messages found in history", len(due)-missing)
}

// speak takes what is about to be said in a room without history.
func (o *oracle) speak(room, id string, node int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lives[id] = &live{room: room, node: node, apart: o.apart, at: time.Now(), got: make(map[string]int)}
}

// spoken takes the reply to that.
func (o *oracle) spoken(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lives[id].acked = true
	o.count("messages acknowledged without history", 1)
}

// unspoken drops what nobody can say anything about.
func (o *oracle) unspoken(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lives[id].void = true
}

// heard takes a message in a room without history, on a connection of some
// node. later is what its sender said later and was there before, empty for
// nothing. Where Redis is away a node goes on alone, and its members are in
// order only among themselves.
func (o *oracle) heard(room, id, user string, link, node int, later string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := o.lives[id]
	if m == nil || m.room != room {
		o.violate(disordered, "%s got %s in %s, where nobody said it", user, id, room)
		return
	}
	if m.got[user] == link {
		o.violate(doubled, "%s got %s in %s twice", user, id, room)
	}
	m.got[user] = link
	if l := o.lives[later]; l != nil && m.acked { // else its sender went on without it
		if !m.apart && !l.apart || m.node == node && l.node == node {
			o.violate(disordered, "%s in %s: %s came after %s", user, room, id, later)
		}
	}
}

// shut says that what a user gets in a room, or anywhere, after some time is a
// violation. It ends with readmit.
func (o *oracle) shut(k seatKey, after time.Time, what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.outs[k] = &out{after: after, what: what}
}

func (o *oracle) readmit(k seatKey) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.outs, k)
}

// delivered checks that a user may still get something in a room now.
func (o *oracle) delivered(user, room string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.count("messages delivered", 1)
	for _, k := range []seatKey{{user, room}, {user, ""}} {
		if out := o.outs[k]; out != nil && time.Now().After(out.after) {
			o.violate(late, "%s got a message in %s %v too late after %s", user, room, time.Since(out.after), out.what)
		}
	}
}

// local checks that everything said in rooms without history on some node in a
// span of time was acknowledged and reached those who were there throughout.
func (o *oracle) local(from, to time.Time, there func(room string, node int) []string) {
	said := make(map[string]*live)
	o.mu.Lock()
	for id, m := range o.lives {
		if !m.void && m.at.After(from) && m.at.Before(to) {
			said[id] = m
		}
	}
	o.mu.Unlock()
	n := 0
	for id, m := range said {
		// A guest holds its own lock when it asks the oracle.
		users := there(m.room, m.node)
		o.mu.Lock()
		if !m.acked {
			o.violate(mute, "%s: %s was refused", m.room, id)
			users = nil
		}
		for _, user := range users {
			n++
			if m.got[user] == 0 {
				o.violate(mute, "%s: %s did not reach %s on the same node", m.room, id, user)
			}
		}
		o.mu.Unlock()
	}
	o.count("local deliveries due while Redis was stopped", n)
	if n == 0 {
		o.violate(mute, "nothing was said in rooms without history")
	}
}

// forget drops what was said in rooms without history before some time.
func (o *oracle) forget(before time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, m := range o.lives {
		if m.at.Before(before) {
			delete(o.lives, id)
		}
	}
}
