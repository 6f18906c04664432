package room

import (
	"context"
	"log/slog"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/transport"
	"github.com/wardroom/wardroom/internal/wire"
	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/validate"
)

// reasonClosed is why a user left whose client said goodbye: to the others it
// is "disconnected" as when the line broke, but nobody is waited for.
const reasonClosed presence.Reason = "closed"

// startPresence makes the tracker, which tells announcePresence who comes and
// goes.
func (s *Server) startPresence() error {
	t, err := presence.NewTracker(s.presenceStore, presence.Options{
		Node:      s.node,
		Beat:      s.limits.PresenceBeat,
		Timeout:   s.limits.PresenceTimeout,
		Sweep:     s.limits.PresenceSweep,
		Grace:     s.limits.Grace,
		AwayAfter: s.limits.AwayAfter,
		LargeRoom: s.limits.Crowd,
		Window:    s.limits.CrowdDelay,
		Notify:    s.announcePresence,
	})
	s.tracker = t
	return err
}

// announcePresence publishes what others can see of users, all of one call in
// one flush. The tracker calls it in the order of each room.
func (s *Server) announcePresence(ctx context.Context, events []presence.Event) (n int, err error) {
	var batch transport.Batch
	defer batch.Flush()
	if h := s.findHall(events[0].Room); h != nil {
		h.hold(&batch)
	}
	for i := range events {
		if err := s.announceOne(ctx, &events[i]); err != nil {
			return i, err
		}
	}
	return len(events), nil
}

func (s *Server) announceOne(ctx context.Context, e *presence.Event) error {
	if f := s.hooks.presence; f != nil {
		if err := s.contain(func() error { f(ctx, *e); return nil }); err != nil {
			s.journal.write(ctx, slog.LevelError, eventError, nil, slog.String("hook", "OnPresence"), slog.Any("error", err))
		}
	}
	if e.Room == "" {
		return nil // presence everywhere is for the host
	}
	m := Message{Room: e.Room, From: e.User, Name: e.Name, At: e.At}
	switch e.Kind {
	case presence.Joined:
		m.Kind, m.Except = KindJoined, e.Connection
	case presence.Left:
		m.Kind, m.Reason = KindLeft, string(e.Reason)
		switch e.Reason {
		case reasonClosed:
			m.Reason = string(presence.ReasonDisconnected)
		case presence.Reason(reasonFull):
			m.Reason = string(presence.ReasonTimeout)
		}
	default:
		m.Kind, m.Event, m.Data = KindPresence, string(e.Status), e.Meta
	}
	_, err := s.broker.Publish(ctx, m, Retention{})
	return err
}

// appear makes the connection known to the tracker. It does not when the server
// is shutting down.
func (c *Conn) appear() bool {
	id := c.Identity()
	p, err := c.srv.tracker.Connect(presence.Peer{User: id.ID, Name: id.Name, Connection: c.id})
	if err != nil {
		return false
	}
	c.presence = p
	if c.srv.hooks.presence != nil {
		// Presence everywhere costs a write for each connection, so it is
		// kept only where somebody listens.
		c.noted(p.Join(&c.life, ""))
	}
	return true
}

// disappear ends the connection's presence. When the line broke, the user is
// kept for Limits.Grace, because they may be back in a moment. Who said goodbye
// or was sent away will not.
func (c *Conn) disappear(closing transport.Closing) {
	if c.presence == nil {
		return
	}
	reason := presence.ReasonDisconnected
	switch {
	case closing.ByPeer, closing.Code == closeForbidden:
		reason = reasonClosed
	case closing.Code == closeRevoked:
		reason = presence.ReasonRevoked
	case closing.Code == transport.CloseHeartbeatLost:
		reason = presence.ReasonTimeout
	}
	c.noted(c.presence.Close(c.srv.ctx, reason))
}

// noted takes the error of a change that the tracker keeps trying to make.
func (c *Conn) noted(err error) {
	if err != nil {
		c.srv.journal.write(&c.life, slog.LevelDebug, eventError, c, slog.Any("error", err))
	}
}

// setPresence sets the status that others see of the connection, in one room
// or in all.
func (c *Conn) setPresence(ctx context.Context, r *wire.Request) (wire.Result, error) {
	status := presence.Status(r.Status)
	if !status.Valid() {
		return nil, &Error{Code: CodeBadRequest, Message: "status is online, away or offline."}
	}
	meta := r.Meta
	if meta != nil {
		clean, bad := metaRules.JSON(meta)
		if bad != nil {
			return nil, bad
		}
		meta = clean
	}
	var err error
	if r.Room == "" {
		if !mayEverywhere(c.identity.Load(), auth.Presence) {
			return nil, refuse(CodeForbidden)
		}
		err = c.presence.Set(ctx, status, meta)
	} else {
		if _, err := c.member(r.Room, auth.Presence); err != nil {
			return nil, err
		}
		err = c.presence.SetIn(ctx, r.Room, status, meta)
	}
	c.noted(err)
	return &wire.StatusResult{Status: r.Status}, nil
}

// metaRules are what presence metadata has to pass.
var metaRules = validate.Rules{Limits: validate.MetaLimits()}

// Presence returns how present a user is in the room, as others see it.
func (r *Room) Presence(ctx context.Context, user string) (presence.Member, error) {
	return r.srv.presenceOf(ctx, r.name, user)
}

// PresenceList returns a page of up to limit users, or Limits.Page when it is 0,
// whom others see in the room, each with status and meta, in the order of their
// IDs. The first page is behind "", the next one behind Page.Next. Who is
// invisible is not among them, but among [Room.Members].
func (r *Room) PresenceList(ctx context.Context, after string, limit int) (presence.Page, error) {
	if err := r.check(); err != nil {
		return presence.Page{}, err
	}
	s := r.srv
	if limit <= 0 {
		limit = s.limits.Page
	}
	s.start()
	if s.tracker == nil {
		return presence.Page{}, refuse(CodeUnavailable) // shut down before it was used
	}
	page, err := s.tracker.List(ctx, r.name, presence.Query{After: after, Limit: limit})
	if err != nil {
		return presence.Page{}, unavailable(err)
	}
	return page, nil
}

// Presence returns how present a user is anywhere. It is known only where
// [OnPresence] is used.
func (u *User) Presence(ctx context.Context) (presence.Member, error) {
	return u.srv.presenceOf(ctx, "", u.id)
}

func (s *Server) presenceOf(ctx context.Context, room, user string) (presence.Member, error) {
	s.start()
	if s.tracker == nil {
		return presence.Member{}, refuse(CodeUnavailable) // shut down before it was used
	}
	m, err := s.tracker.Get(ctx, room, user, false)
	if err != nil {
		return presence.Member{}, unavailable(err)
	}
	return m, nil
}
