package room

import (
	"log/slog"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/transport"
	"github.com/wardroom/wardroom/internal/wire"
)

// deliver is the broker's way back up: it appends one message to the logs and
// wakes whoever sleeps. A BatchBroker does the two apart.
func (h *hall) deliver(m Message) {
	h.append(m)
	h.wake()
}

// append encodes a message, once for each of the logs.
func (h *hall) append(m Message) {
	var rec *Record
	if m.Kind == KindUpdated {
		rec = h.recordOf(&m)
	}
	h.mu.Lock()
	h.delivered++
	if m.Offset != 0 || m.Kind == KindLost || m.Kind == KindContinued {
		h.at = m.Position
	}
	h.note(&m, rec)
	var skip *transport.Member
	if m.Except != "" {
		if s := h.seats[m.Except]; s != nil {
			skip = s.cursor
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
			plain.Append(frame, skip)
		}
		if deflated != nil {
			deflated.Append(h.srv.deflated(frame), skip)
		}
		keepScratch(buf, payload)
	}
	barred := h.bar(&m, rec)
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
		h.srv.wg.Go(func() { h.react(m, done, barred) })
	}
}

// recordOf is what a KindUpdated says; nil when that cannot be read.
func (h *hall) recordOf(m *Message) *Record {
	rec, err := decodeRecord(m.Data)
	if err != nil {
		h.srv.journal.write(h.srv.ctx, slog.LevelError, eventError, nil, slog.String("room", m.Room), slog.Any("error", err))
		return nil
	}
	return &rec
}

// note keeps what later arrivals, and those who speak, must know at once: of a
// KindUpdated, what it says. The caller holds mu.
func (h *hall) note(m *Message, rec *Record) {
	switch m.Kind {
	case KindUpdated:
		if rec == nil {
			return
		}
		h.latest = rec
	case KindKicked, KindBanned, KindDeleted:
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

// bar stops the cursors of those who may not be here any more. Their seats are
// about to end, and nothing that comes after is for them; it may be much at
// once when the node has just heard what it had missed. So they go even if they
// may come back by the time they do. The caller holds mu.
func (h *hall) bar(m *Message, rec *Record) (barred []*seat) {
	var stays func(*auth.Identity) bool
	switch m.Kind {
	case KindKicked, KindBanned:
		stays = func(id *auth.Identity) bool { return id.ID != m.From }
	case KindDeleted:
		stays = func(*auth.Identity) bool { return false }
	case KindUpdated:
		if rec == nil {
			return nil
		}
		stays = rec.mayEnter
	default:
		return nil
	}
	for _, s := range h.seats {
		if id := s.conn.Identity(); !stays(&id) {
			s.cursor.Stop()
			if m.Kind == KindKicked {
				s.kicked = &eviction{reasonKicked, m.Reason}
			}
			barred = append(barred, s)
		}
	}
	return barred
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
