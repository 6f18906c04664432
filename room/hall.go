package room

import (
	"context"
	"log/slog"
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
	mu     sync.Mutex
	at     Position // of the last message delivered that has one
	latest *Record  // as the last KindUpdated told it; nil before
	acts   int      // how often something happened that may concern who may be here
	ledger ledger
	seats  map[string]*seat
	// leaving are the cursors of those who have been kicked or banned and whose
	// seats are about to end. They get nothing of what comes after, which may be
	// much at once when the node has just heard what it had missed.
	leaving   []*transport.Member
	skip      []*transport.Member // who does not get the message being delivered
	peak      int                 // of len(seats), as it was last logged
	logs      []*transport.Log    // by encoding; nil until someone needs it
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

// deliver is the broker's way back up: it appends one message to the logs and
// wakes whoever sleeps. A BatchBroker does the two apart.
func (h *hall) deliver(m Message) {
	h.append(m)
	h.wake()
}

// append encodes a message, once for each of the logs.
func (h *hall) append(m Message) {
	h.mu.Lock()
	h.delivered++
	if m.Offset != 0 || m.Kind == KindLost || m.Kind == KindContinued {
		h.at = m.Position
	}
	h.note(&m)
	h.skip = append(h.skip[:0], h.leaving...)
	if m.Except != "" {
		if s := h.seats[m.Except]; s != nil {
			h.skip = append(h.skip, s.cursor)
		}
	}
	f := h.encodable(&m)
	for i, codec := range codecs {
		plain, deflated := h.logs[2*i], h.logs[2*i+1]
		if f == nil || plain == nil && deflated == nil {
			continue
		}
		buf := scratch.Get().(*[]byte)
		payload, binary := codec.Append((*buf)[:0], f)
		frame := transport.Frame{Payload: payload, Binary: binary}
		if plain != nil {
			plain.Append(frame, h.skip...)
		}
		if deflated != nil {
			deflated.Append(h.srv.deflated(frame), h.skip...)
		}
		keepScratch(buf, payload)
	}
	var done *act
	switch m.Kind {
	case KindUpdated, KindDeleted, KindKicked, KindBanned:
		done = h.ledger.hear(m.Act)
	case KindMuted, KindUnmuted:
		noted := h.ledger.hear(m.Act)
		close(noted.force)
		close(noted.drawn)
	}
	h.mu.Unlock()
	if done != nil {
		h.srv.wg.Go(func() { h.react(m, done) })
	}
}

// note keeps what later arrivals, and those who speak, must know at once. The
// caller holds mu.
func (h *hall) note(m *Message) {
	switch m.Kind {
	case KindUpdated:
		rec, err := decodeRecord(m.Data)
		if err != nil {
			h.srv.journal.write(h.srv.ctx, slog.LevelError, eventError, nil, slog.String("room", m.Room), slog.Any("error", err))
			return
		}
		h.latest = &rec
	case KindKicked, KindBanned:
		for _, s := range h.seats {
			if s.cursor != nil && s.conn.Identity().ID == m.From {
				h.leaving = append(h.leaving, s.cursor)
			}
		}
	case KindDeleted:
	case KindLost:
		h.srv.patrolSoon() // an act may have been among it
	case KindMuted, KindUnmuted:
		until := int64(0)
		if m.Kind == KindMuted {
			until = m.Until.UnixMilli()
		}
		for _, s := range h.seats {
			if s.conn.Identity().ID == m.From {
				s.muted.Store(until)
			}
		}
	default:
		return
	}
	h.acts++
}

// count returns how often something happened so far that may concern who may
// be here.
func (h *hall) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.acts
}

// promiseMost is how long what a broker elsewhere delivers waits for a publisher
// that has promised to flush, and itself waits for that broker.
const promiseMost = 10 * time.Millisecond

// wake flushes the logs unless the goroutine that published has promised to.
// The broker may be holding a lock, so the sockets are another goroutine's.
func (h *hall) wake() {
	for _, l := range h.snapshot() {
		switch {
		case l == nil:
		case !l.Held():
			h.srv.wg.Go(func() { transport.Wake(l) })
		case h.srv.remote && l.Remind():
			h.srv.wg.Go(func() { transport.Overdue(l, h.srv.waitPromise) })
		}
	}
}

func (s *Server) waitPromise() bool {
	select {
	case <-time.After(promiseMost):
		return true
	case <-s.ctx.Done():
		return false
	}
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
// grown is how many connections there are when they are twice as many as ever
// before, and else 0.
func (h *hall) enter(c *Conn, settings *Settings) (s *seat, at Position, grown int) {
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
	h.leaving = slices.DeleteFunc(h.leaving, func(m *transport.Member) bool { return m == s.cursor })
	h.mu.Unlock()
	s.cursor.Detach(drain)
}

// all returns the seats in the hall.
func (h *hall) all() []*seat {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Collect(maps.Values(h.seats))
}

// encodable is the frame that tells clients of m, nil when they are told
// nothing. The caller holds mu.
func (h *hall) encodable(m *Message) wire.Frame {
	at := m.At.UnixMilli()
	switch m.Kind {
	case KindMessage:
		h.frame = message(m)
		return &h.frame
	case KindJoined:
		return &wire.Joined{Room: m.Room, User: m.From, Name: m.Name, At: at}
	case KindLeft:
		return &wire.Left{Room: m.Room, User: m.From, Name: m.Name, Reason: m.Reason, At: at}
	case KindUpdated:
		if h.latest != nil {
			return &wire.RoomUpdated{Settings: h.latest.settings(false)}
		}
	case KindDeleted:
		return &wire.RoomDeleted{Room: m.Room}
	case KindPresence:
		return &wire.PresenceUpdate{Room: m.Room, User: m.From, Status: m.Event, Meta: m.Data, At: at}
	case KindEdited:
		return &wire.Edited{Room: m.Room, From: m.From, Target: m.Target, Data: m.Data, At: at, Offset: m.Offset, Epoch: m.Epoch}
	case KindRedacted:
		return &wire.Redacted{Room: m.Room, From: m.From, Target: m.Target, At: at, Offset: m.Offset, Epoch: m.Epoch}
	}
	return nil
}

func message(m *Message) wire.Message {
	return wire.Message{
		Room: m.Room, Event: m.Event, From: m.From, ID: m.ID, Data: m.Data, Binary: m.Binary,
		At: m.At.UnixMilli(), Offset: m.Offset, Epoch: m.Epoch, Redacted: m.Redacted,
	}
}
