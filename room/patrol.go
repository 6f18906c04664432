package room

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"
)

const (
	// patrolEvery is how often a server asks the store, at the latest, whether
	// those who are here still may be. With patrolSpread, over which the calls
	// of one round are spread, and a call that fails, it is below 30 seconds.
	patrolEvery  = 20 * time.Second
	patrolSpread = 5 * time.Second
	// lostSpread is that when something may be lost.
	lostSpread = time.Second
	// lostPause is between the loss of messages and the call of the store.
	lostPause = 100 * time.Millisecond
	// patrolAgain is the pause after a call that failed.
	patrolAgain = time.Second
	// reclaimFirst is how long a round begins with giving places back.
	reclaimFirst = 2 * time.Second
	// patrolAtOnce is how many seats one call of the store is about.
	patrolAtOnce = 500
)

// patrol looks from time to time for what this node was not told: a change of
// a room, its end, and who was kicked, banned or muted there; and for places in
// the store that nobody holds. What costs it is one call of the store each for
// every 500 seats on this node.
func (s *Server) patrol() {
	timer := time.NewTimer(patrolEvery - rand.N(patrolEvery/4))
	defer timer.Stop()
	for {
		urgent := false
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		case <-s.lost:
			urgent = true
			// What was lost in one room was probably lost in many.
			select {
			case <-s.ctx.Done():
				return
			case <-time.After(lostPause):
			}
		}
		began := time.Now()
		ok := s.round(urgent)
		pause := patrolEvery - rand.N(patrolEvery/4) - time.Since(began)
		if !ok {
			pause = 0
		}
		timer.Reset(max(pause, patrolAgain+rand.N(patrolAgain)))
	}
}

// round reports whether the store could say, and do, everything. Places that
// nobody holds are given back first, so that they keep nobody out who is looked
// at; but where a node has very many, nobody waits for all of them.
func (s *Server) round(urgent bool) bool {
	reclaimed := make(chan bool, 1)
	s.wg.Go(func() { reclaimed <- s.reclaim() })
	first := time.NewTimer(reclaimFirst)
	defer first.Stop()
	select {
	case ok := <-reclaimed:
		return s.patrolOnce(urgent) && ok
	case <-first.C:
	}
	ok := s.patrolOnce(urgent)
	return <-reclaimed && ok
}

// patrolSoon makes patrol and keepPresence look at once: messages were lost, or a
// store or the broker is back, or has another past, and may have lost something.
func (s *Server) patrolSoon() {
	for _, c := range []chan struct{}{s.lost, s.doubt} {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// beat is a part of a room that is asked about.
type beat struct {
	hall  *hall
	acts  int // how many the hall had heard of
	seats []*seat
}

// patrolOnce reports whether the store could say everything. Its calls are spread
// over some time; when something may be lost meanwhile it ends, unless it is urgent
// itself.
func (s *Server) patrolOnce(urgent bool) bool {
	spread, lost := patrolSpread, s.lost
	if urgent {
		spread, lost = lostSpread, nil
	}
	calls := beats(s.allHalls())
	pause := min(spread/time.Duration(len(calls)+1), 100*time.Millisecond)
	ok := true
	for i, call := range calls {
		if i > 0 {
			select {
			case <-s.ctx.Done():
				return true
			case <-lost:
				s.patrolSoon()
				return ok
			case <-time.After(pause):
			}
		}
		ok = s.examine(call) && ok
	}
	return ok
}

// look is patrolOnce for one hall, at once.
func (s *Server) look(h *hall) bool {
	for _, call := range beats([]*hall{h}) {
		if !s.examine(call) {
			return false
		}
	}
	return true
}

// examine makes one call and does what its findings demand. It reports whether
// the store could say.
func (s *Server) examine(call []beat) bool {
	findings, err := s.inspect(call)
	if err != nil {
		return false
	}
	for i := range findings {
		call[i].hall.heed(call[i], &findings[i])
	}
	return true
}

// beats are the calls of one round.
func beats(halls []*hall) (calls [][]beat) {
	var call []beat
	room := patrolAtOnce
	for _, h := range halls {
		h.mu.Lock()
		acts := h.acts
		h.mu.Unlock()
		for rest := h.all(); len(rest) > 0; {
			n := min(room, len(rest))
			call = append(call, beat{h, acts, rest[:n]})
			rest = rest[n:]
			if room -= n; room == 0 {
				calls, call, room = append(calls, call), nil, patrolAtOnce
			}
		}
	}
	if len(call) > 0 {
		calls = append(calls, call)
	}
	return calls
}

// inspect asks the store. One that is no Inspector knows of rooms alone.
func (s *Server) inspect(call []beat) ([]Finding, error) {
	ctx, cancel := context.WithTimeout(s.ctx, inspectMost)
	defer cancel()
	if s.inspector == nil {
		findings := make([]Finding, len(call))
		for i := range call {
			rec, err := s.store.Record(ctx, call[i].hall.name)
			if err != nil && !errors.Is(err, ErrNoRoom) {
				return nil, err
			}
			findings[i].Record = rec
		}
		return findings, nil
	}
	asks := make([]Inspection, len(call))
	for i := range call {
		asks[i] = Inspection{Room: call[i].hall.name, Seats: make([]Seat, len(call[i].seats))}
		for j, seat := range call[i].seats {
			asks[i].Seats[j] = Seat{Room: call[i].hall.name, User: seat.conn.Identity().ID, Connection: seat.conn.id}
		}
	}
	return s.inspector.Inspect(ctx, asks)
}

// inspectMost is the deadline of one call.
const inspectMost = time.Second

// heed does what a finding demands. What the hall has heard of since may be
// newer than that.
func (h *hall) heed(b beat, f *Finding) {
	for i := range f.Seats {
		seat, found := b.seats[i], &f.Seats[i]
		if !found.Expelled && h.srv.nodeStore != nil {
			seat.conn.compare(seat, found.Node)
		}
		switch {
		case found.Expelled:
			h.evict(seat, eviction{reason: reasonKicked})
		case !found.Banned.IsZero():
			h.evict(seat, eviction{reason: reasonBanned})
		default:
			until := int64(0)
			if !found.Muted.IsZero() {
				until = found.Muted.UnixMilli()
			}
			h.mu.Lock()
			if h.acts == b.acts {
				seat.muted.Store(until)
			}
			h.mu.Unlock()
		}
	}
	if h.count() != b.acts {
		return
	}
	rec, exists := h.srv.present(h.name, f.Record)
	h.mu.Lock()
	newer := h.latest != nil && rec.Version > h.latest.Version
	h.mu.Unlock()
	for _, seat := range b.seats {
		id := seat.conn.Identity()
		newer = newer || !rec.mayEnter(&id)
	}
	if !newer {
		return
	}
	// As if it had been heard now.
	m := Message{Kind: KindDeleted, Room: h.name, At: now()}
	if exists {
		data, err := encodeRecord(rec)
		if err != nil {
			h.srv.journal.write(h.srv.ctx, slog.LevelError, eventError, nil, slog.String("room", h.name), slog.Any("error", err))
			return
		}
		m.Kind, m.Data = KindUpdated, data
	}
	h.deliver(m)
}

// evict expels one seat, unless somebody else is about to. The host's hooks are
// part of what follows, and others are waiting to be evicted meanwhile.
func (h *hall) evict(seat *seat, e eviction) {
	c := seat.conn
	if !c.expel(seat, e) {
		return
	}
	c.tellRemoved(h.name, &e)
	h.srv.wg.Go(func() {
		c.giveBack(h.name, e.reason)
		c.afterLeave(h.name)
	})
}

// present is what a room is like of which the store has that record, and
// whether it exists.
func (s *Server) present(name string, rec Record) (Record, bool) {
	settings := s.patterns.find(name)
	switch {
	case settings == nil, rec.Version == 0 && !settings.Standing:
		return Record{Room: name, Permission: Private}, false
	case rec.Version == 0:
		return settings.record(name), true
	}
	return rec, true
}

// allHalls returns every hall of this node.
func (s *Server) allHalls() []*hall {
	s.hallMu.Lock()
	defer s.hallMu.Unlock()
	halls := make([]*hall, 0, len(s.halls))
	for _, h := range s.halls {
		halls = append(halls, h)
	}
	return halls
}
