package room

import (
	"context"
	"log/slog"
	"time"

	"github.com/wardroom/wardroom/internal/transport"
	"github.com/wardroom/wardroom/internal/wire"
	"github.com/wardroom/wardroom/validate"
)

// Why a user left, as "user_left" says it.
const (
	reasonLeft         = "left"
	reasonDisconnected = "disconnected"
	reasonTimeout      = "timeout"
	reasonRevoked      = "access_revoked"
	reasonKicked       = "kicked"
	reasonBanned       = "banned"
)

func (c *Conn) leave(_ context.Context, r *wire.Request) (wire.Result, error) {
	if !validate.Room(r.Room) {
		return nil, refuse(CodeInvalidRoom)
	}
	s := c.takeSeat(r.Room)
	if s == nil {
		return nil, refuse(CodeNotMember)
	}
	s.hall.holdFor(&c.batch, KindLeft)
	s.hall.exit(s, true)
	c.dismiss(r.Room, reasonLeft)
	return &wire.RoomResult{Room: r.Room}, nil
}

// leaveAll leaves every room when the connection has ended.
func (c *Conn) leaveAll(closing transport.Closing) {
	reason := reasonDisconnected
	if closing.Code == transport.CloseHeartbeatLost {
		reason = reasonTimeout
	}
	for _, room := range c.Rooms() {
		if s := c.takeSeat(room); s != nil {
			s.hall.holdFor(&c.batch, KindLeft)
			s.hall.exit(s, false)
			c.dismiss(room, reason)
		}
	}
	c.batch.Flush()
}

// dismiss gives the place in a room back and tells the others when it was the
// user's last. The connection is out already; a store that fails now is asked
// again in the background, because nobody else would.
func (c *Conn) dismiss(room, reason string) {
	s := c.srv
	s.journal.write(s.ctx, slog.LevelInfo, eventLeave, c, slog.String("room", room), slog.String("reason", reason))
	if s.hooks.leave != nil {
		c.host("OnLeave", func(ctx context.Context) error { s.hooks.leave(ctx, c, room); return nil })
	}
	if s.tryDismiss(c, room, reason) == nil {
		return
	}
	s.wg.Go(func() {
		for pause := dismissAgain; ; pause = min(2*pause, dismissAgainMost) {
			select {
			case <-s.ctx.Done():
				return
			case <-time.After(pause):
			}
			if s.tryDismiss(c, room, reason) == nil {
				return
			}
		}
	})
}

const (
	dismissAgain     = 100 * time.Millisecond
	dismissAgainMost = 10 * time.Second
)

func (s *Server) tryDismiss(c *Conn, room, reason string) error {
	seat := s.seatOf(c, room)
	last, err := s.store.Dismiss(s.ctx, seat)
	if err == nil && last {
		_, err = s.broker.Publish(s.ctx, Message{Kind: KindLeft, Room: room, From: seat.User, Name: seat.Name, Reason: reason, At: now()}, Retention{})
	}
	if err != nil {
		s.journal.write(s.ctx, slog.LevelWarn, eventError, c, slog.String("room", room), slog.Any("error", err))
	}
	return err
}

// evict takes a connection out of a room against its will.
// reason is what the others are told and the code the client gets, why is what
// a moderator wrote.
func (c *Conn) evict(room, reason, why string) {
	s := c.takeSeat(room)
	if s == nil {
		return
	}
	s.hall.exit(s, false)
	c.sendNow(&wire.Removed{Room: room, Code: reason, Reason: why})
	c.dismiss(room, reason)
}

// react does what a change of the room means for those who are in it. The
// logs have told them already.
func (h *hall) react(m Message) {
	if m.Kind == KindDeleted {
		for _, c := range h.all() {
			if s := c.takeSeat(h.name); s != nil {
				s.hall.exit(s, true)
				if f := h.srv.hooks.leave; f != nil {
					c.host("OnLeave", func(ctx context.Context) error { f(ctx, c, h.name); return nil })
				}
			}
		}
		return
	}
	h.mu.Lock()
	rec := h.latest // not that of m: a later change may have been quicker
	h.mu.Unlock()
	for _, c := range h.all() {
		id := c.Identity()
		switch m.Kind {
		case KindKicked, KindBanned:
			if id.ID == m.From {
				reason := reasonKicked
				if m.Kind == KindBanned {
					reason = reasonBanned
				}
				c.evict(h.name, reason, m.Reason)
			}
		case KindUpdated:
			if rec != nil && !rec.mayEnter(&id) {
				c.evict(h.name, reasonRevoked, "")
			}
		}
	}
}
