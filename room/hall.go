package room

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/internal/transport"
	"github.com/wardroom/wardroom/internal/wire"
)

// hall is what one node has of a room: the logs that its members' cursors run
// over, fed by one subscription to the broker. It lives from the first local
// member to the last.
type hall struct {
	srv  *Server
	name string
	refs int // members and those entering; Server.hallMu protects it

	key string // of the limits for all that is said here

	// ready is closed when the subscription stands or has failed.
	ready  chan struct{}
	err    error
	cancel func()
	gone   chan struct{} // closed when the subscription has ended

	// mu protects what follows. Holding it makes "what was delivered" one
	// thing for a publisher and for someone who enters meanwhile.
	mu        sync.Mutex
	at        Position // of the last message delivered that has one
	latest    *Record  // as the last KindUpdated told it; nil before
	acts      int      // how often something happened that may concern who may be here
	ledger    ledger
	seats     map[string]*seat
	peak      int              // of len(seats), as it was last logged
	logs      []*transport.Log // by encoding; nil until someone needs it
	delivered uint64
	since     time.Time
	frame     wire.Message // of the message being delivered, to allocate it once
}

// seat is one local connection in a hall.
type seat struct {
	hall     *hall
	conn     *Conn
	cursor   *transport.Member
	settings *Settings
	rates    *Rates       // of this user here; nil where Limits.Messages apply
	userKey  string       // of the limit for what the user says here
	muted    atomic.Int64 // until when, in Unix milliseconds; 0: not
	kicked   *eviction    // of the hall's mu
	// Of the connection's mu: it has been made known, the join is not
	// answered yet, and what has to be done once it is.
	sat      bool
	settling bool
	evicted  *eviction
	// Also of it, once it is made known: for which node the place in the store
	// was taken, and while it is being taken anew, what is closed at the end.
	node        string
	readmission chan struct{}
}

// encoding tells the logs of a hall apart: what a connection can read.
type encoding struct {
	codec   int // index in codecs
	deflate bool
}

func (e encoding) index() int {
	i := 2 * e.codec
	if e.deflate {
		i++
	}
	return i
}

// openHall returns the room's hall, subscribed. Every call that returns no
// error must be followed by one of closeHall.
func (s *Server) openHall(ctx context.Context, name string) (*hall, error) {
	s.hallMu.Lock()
	h := s.halls[name]
	if h == nil {
		h = &hall{srv: s, name: name, key: "room:" + name, ready: make(chan struct{}), gone: make(chan struct{}), seats: make(map[string]*seat), since: time.Now(), logs: make([]*transport.Log, 2*len(codecs))}
		s.halls[name] = h
		h.refs++
		s.hallMu.Unlock()
		h.subscribe(ctx)
	} else {
		h.refs++
		s.hallMu.Unlock()
	}
	if !h.opened() { // or a connection's context would be made ready to be waited for
		select {
		case <-h.ready:
		case <-ctx.Done():
			s.closeHall(h)
			return nil, ctx.Err()
		}
	}
	if h.err != nil {
		s.closeHall(h)
		return nil, h.err
	}
	return h, nil
}

// opened reports whether ready is closed.
func (h *hall) opened() bool {
	select {
	case <-h.ready:
		return true
	default:
		return false
	}
}

func (s *Server) closeHall(h *hall) {
	s.hallMu.Lock()
	h.refs--
	last := h.refs == 0
	if last && s.halls[h.name] == h {
		delete(s.halls, h.name)
	}
	s.hallMu.Unlock()
	if !last {
		return
	}
	<-h.ready
	if h.cancel != nil {
		h.cancel()
	}
	close(h.gone)
}

// findHall returns the room's hall if this node has one.
func (s *Server) findHall(name string) *hall {
	s.hallMu.Lock()
	defer s.hallMu.Unlock()
	return s.halls[name]
}

func (h *hall) subscribe(ctx context.Context) {
	defer close(h.ready)
	var at Position
	var cancel func()
	var err error
	if b := h.srv.batches; b != nil {
		at, cancel, err = b.Follow(ctx, h.name, h.append, h.wake)
	} else {
		at, cancel, err = h.srv.broker.Subscribe(ctx, h.name, h.deliver)
	}
	if err != nil {
		h.err = err
		// The next to come must not find this one.
		h.srv.hallMu.Lock()
		if h.srv.halls[h.name] == h {
			delete(h.srv.halls, h.name)
		}
		h.srv.hallMu.Unlock()
		return
	}
	h.cancel = cancel
	h.mu.Lock()
	if h.at == (Position{}) { // what was delivered meanwhile is behind it
		h.at = at
	}
	h.mu.Unlock()
}

// count returns how often something happened so far that may concern who may
// be here.
func (h *hall) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.acts
}

// hold makes a batch flush the hall's logs.
func (h *hall) hold(b *transport.Batch) {
	for _, l := range h.snapshot() {
		if l != nil {
			b.Hold(l)
		}
	}
}

// snapshot returns the logs. The slice is replaced, never changed, when one is
// added.
func (h *hall) snapshot() []*transport.Log {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.logs
}

// enter attaches a connection behind everything delivered so far and returns
// the position of that. Nothing reaches it before its cursor is released.
// last is the seat that this one takes the place of, nil for none: who was kicked
// from that is kicked from this. grown is how many connections there are when
// they are twice as many as ever before, and else 0.
func (h *hall) enter(c *Conn, settings *Settings, last *seat) (s *seat, at Position, grown int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := c.encoding.index()
	if h.logs[i] == nil {
		logs := append([]*transport.Log(nil), h.logs...)
		logs[i] = transport.NewLog(int64(h.srv.limits.MaxLag), &h.srv.wg)
		h.logs = logs
	}
	s = &seat{hall: h, conn: c, cursor: h.logs[i].Attach(c.socket), settings: settings}
	id := c.Identity()
	s.userKey, s.rates = "user:"+id.ID, settings.rates(&id)
	if s.rates != nil {
		s.userKey += " " + h.name // a room with rates of its own is counted by itself
	}
	if last != nil {
		s.kicked = last.kicked
	}
	h.seats[c.id] = s
	if n := len(h.seats); n >= max(2*h.peak, sizeFrom) {
		h.peak, grown = n, n
	}
	return s, h.at, grown
}

// sizeFrom is the number of a room's connections from which on its growth is
// logged.
const sizeFrom = 64

// exit detaches a seat; with drain, what it has not got yet is still sent.
func (h *hall) exit(s *seat, drain bool) {
	h.detach(s, drain)
	h.srv.closeHall(h)
}

// detach is exit for who stays in the hall.
func (h *hall) detach(s *seat, drain bool) {
	h.mu.Lock()
	if h.seats[s.conn.id] == s {
		delete(h.seats, s.conn.id)
	}
	if drain {
		s.cursor.Stop() // an act that comes from here on does not find it
	}
	h.mu.Unlock()
	s.cursor.Detach(drain)
}

// drop ends a seat that no other has taken the place of; nil for none.
func (h *hall) drop(s *seat) {
	if s != nil {
		h.detach(s, false)
	}
}

// leave stops what the hall has for a seat that another is about to take the
// place of. The hall goes on to look for it.
func (s *seat) leave() { s.cursor.Detach(false) }

// out is why the seat's user was kicked, nil for who was not.
func (s *seat) out() *eviction {
	s.hall.mu.Lock()
	defer s.hall.mu.Unlock()
	return s.kicked
}

// all returns the seats in the hall.
func (h *hall) all() []*seat {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Values(h.seats))
}
