package room

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/wardroom/wardroom/internal/wire"
	"github.com/wardroom/wardroom/presence"
)

// A connection's seats. Of all who want to end one, takeSeat or expel gives it
// to one, who then calls hall.exit and giveBack. Until that is done no join of
// the same room begins, or the place given back would be the new one.

// seats are in the order of their rooms. Most connections have a few, and a map
// would cost each of them a quarter of a KiB.
type seats []*seat

func (list seats) find(room string) (int, bool) {
	return slices.BinarySearchFunc(list, room, func(s *seat, room string) int { return strings.Compare(s.hall.name, room) })
}

func (list seats) in(room string) *seat {
	if i, found := list.find(room); found {
		return list[i]
	}
	return nil
}

func (list *seats) put(s *seat) {
	i, found := list.find(s.hall.name)
	if found {
		(*list)[i] = s
		return
	}
	*list = slices.Insert(*list, i, s)
}

func (list *seats) drop(room string) {
	if i, found := list.find(room); found {
		*list = slices.Delete(*list, i, i+1)
	}
}

func (c *Conn) seat(room string) *seat {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seats.in(room)
}

// taken counts the rooms that the connection is in or about to be out of.
func (c *Conn) taken() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seats) + len(c.going)
}

// sit makes the seat known.
func (c *Conn) sit(room string, s *seat) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.sat, s.settling = true, true
	c.seats.put(s)
}

// stand undoes sit.
func (c *Conn) stand(room string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seats.drop(room)
}

// settle begins the time in the room, when the reply to the join is queued:
// what the room says comes behind that, and also that one is out again.
func (c *Conn) settle(s *seat) {
	kicked := s.out()
	c.mu.Lock()
	s.settling = false
	e, node := s.evicted, s.node
	if e == nil {
		e = kicked // perhaps from the seat before this
	}
	if e != nil {
		c.remove(s.hall.name)
	}
	c.mu.Unlock()
	if e == nil {
		s.cursor.Release()
		if !c.srv.leased(node) {
			c.srv.lease.doubt() // no readmission has found it
		}
		return
	}
	s.hall.exit(s, e.reason == "")
	c.tellRemoved(s.hall.name, e)
	c.giveBack(s.hall.name, e.reason)
	c.afterLeave(s.hall.name)
}

// takeSeat removes the seat, nil for none.
func (c *Conn) takeSeat(room string) *seat {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remove(room)
}

// remove is takeSeat. The caller holds mu.
func (c *Conn) remove(room string) *seat {
	s := c.seats.in(room)
	if s != nil {
		c.seats.drop(room)
		c.begin(room)
		if s.readmission != nil {
			c.going[room].seat = s
		}
	}
	return s
}

// begin says that the room is being left. The caller holds mu.
func (c *Conn) begin(room string) {
	if c.going == nil {
		c.going = make(map[string]*departure)
	}
	if c.going[room] == nil {
		c.going[room] = &departure{done: make(chan struct{})}
	}
}

// departure is the end of a seat, which the connection's mu protects.
type departure struct {
	done chan struct{} // closed when it is done
	// seat is the one that ends when it is being admitted anew meanwhile. Then
	// it is done when that is over as well.
	seat *seat
	over bool
}

// left says that the room is left.
func (c *Conn) left(room string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.going[room]
	switch {
	case d == nil:
	case d.seat != nil:
		d.over = true
	default:
		delete(c.going, room)
		close(d.done)
	}
}

// vacate removes the seat for a join that takes its place, nil for none. When
// that is over, and it was no error, joined is called.
func (c *Conn) vacate(ctx context.Context, room string) (*seat, error) {
	for {
		c.mu.Lock()
		var busy <-chan struct{}
		going, old := c.going[room], c.seats.in(room)
		switch {
		case going != nil:
			busy = going.done
		case old != nil && old.readmission != nil:
			busy = old.readmission
		default:
			c.seats.drop(room)
			c.joining = true
		}
		c.mu.Unlock()
		if busy == nil {
			return old, nil
		}
		c.flush()
		select {
		case <-busy:
		case <-time.After(vacatePatience):
			return nil, refuse(CodeUnavailable)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// joined is the end of what vacate began: the connection is in, or giving back
// what it took.
func (c *Conn) joined() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.joining = false
}

// vacatePatience is how long a join waits for the end of a leave, which takes
// that long only where the store fails.
const vacatePatience = time.Second

// eviction is why a connection is in a room no longer.
type eviction struct {
	// reason is what the others are told and the code that the client gets;
	// empty when the room was deleted, which everyone has heard already.
	reason string
	why    string // what a moderator wrote
}

// expel ends a seat against the client's will and reports whether the caller
// now has to do the rest. Where the join is not answered yet, settle does all
// of it. Where somebody else is about to end the seat, only nothing more is
// delivered.
func (c *Conn) expel(s *seat, e eviction) bool {
	c.mu.Lock()
	room, drain := s.hall.name, e.reason == ""
	present, sat := c.seats.in(room) == s, s.sat
	switch {
	case present && s.settling:
		if s.evicted == nil {
			s.evicted = &e
		}
		c.mu.Unlock()
		return false
	case present:
		c.remove(room)
	}
	c.mu.Unlock()
	if present {
		s.hall.exit(s, drain)
	} else if sat {
		s.hall.detach(s, drain)
	}
	return present
}

// tellRemoved tells a client that it was expelled.
func (c *Conn) tellRemoved(room string, e *eviction) {
	if e.reason != "" {
		c.sendNow(&wire.Removed{Room: room, Code: e.reason, Reason: e.why})
	}
}

// giveBack gives the place in a room back, and the presence there. The others
// are told by the tracker. A store that fails now is asked again in the
// background, because nobody else would.
func (c *Conn) giveBack(room, reason string) {
	c.mu.Lock()
	c.begin(room)
	c.mu.Unlock()
	s := c.srv
	s.journal.write(s.ctx, slog.LevelInfo, eventLeave, c, slog.String("room", room), slog.String("reason", reason))
	if reason != reasonDisconnected && reason != reasonTimeout { // see Conn.disappear
		c.noted(c.presence.Leave(s.ctx, room, presence.Reason(reason)))
	}
	c.dismiss(room, func() { c.left(room) })
}

// dismiss takes the connection out of the room in the store, and calls done
// when that has been done. It reports whether it has been when it returns.
func (c *Conn) dismiss(room string, done func()) bool {
	s := c.srv
	seat := s.seatOf(c, room, s.leaseNow())
	try := func() bool {
		_, err := s.store.Dismiss(s.ctx, seat)
		if err != nil {
			s.journal.write(s.ctx, slog.LevelWarn, eventError, c, slog.String("room", room), slog.Any("error", err))
		}
		return err == nil
	}
	if try() {
		done()
		return true
	}
	s.wg.Go(func() {
		defer done()
		for pause := dismissAgain; ; pause = min(2*pause, dismissAgainMost) {
			select {
			case <-s.ctx.Done():
				return
			case <-time.After(pause):
			}
			if try() {
				return
			}
		}
	})
	return false
}

const (
	dismissAgain     = 100 * time.Millisecond
	dismissAgainMost = 2 * time.Second
)

// afterLeave calls the host's hook.
func (c *Conn) afterLeave(room string) {
	if f := c.srv.hooks.leave; f != nil {
		c.host("OnLeave", func(ctx context.Context) error { f(ctx, c, room); return nil })
	}
}

// recheckRooms leaves the rooms that a fresher identity does not open. Where
// the store cannot say, the connection stays.
func (c *Conn) recheckRooms(ctx context.Context) {
	id := c.Identity()
	for _, room := range c.Rooms() {
		_, rec, err := c.srv.lookup(ctx, room)
		if err != nil || rec.mayEnter(&id) {
			continue
		}
		e := eviction{reason: reasonRevoked}
		if s := c.seat(room); s != nil && c.expel(s, e) {
			c.tellRemoved(room, &e)
			c.giveBack(room, e.reason)
			c.afterLeave(room)
		}
	}
}
