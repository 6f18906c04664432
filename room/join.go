package room

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/wire"
)

// join lets a connection into a room: look it up, let the host refuse, take a
// place in one atomic step, attach behind what has been delivered, tell the
// others, read what was missed up to that point, and only then let the cursor
// run, so that live messages come after the reply that holds the old ones.
func (c *Conn) join(ctx context.Context, r *wire.Request) (wire.Result, error) {
	s := c.srv
	settings, rec, err := s.visible(ctx, c, r.Room)
	if err != nil {
		return nil, err
	}
	if c.seat(r.Room) == nil && len(c.Rooms()) >= s.limits.RoomsPerConnection {
		return nil, refuse(CodeTooManyRooms)
	}
	if s.hooks.join != nil {
		c.flush()
		if err := c.ask(func(ctx context.Context) error { return s.hooks.join(ctx, c, r.Room) }); err != nil {
			return nil, err
		}
	}
	if old := c.takeSeat(r.Room); old != nil {
		// Joining again starts anew: what was on its way is sent first.
		old.hall.exit(old, true)
	}
	h, err := s.openHall(ctx, r.Room)
	if err != nil {
		return nil, unavailable(err)
	}
	acts := h.count()
	in, err := s.admitMember(ctx, c, &rec)
	if err != nil {
		s.closeHall(h)
		return nil, err
	}
	seat, at := h.enter(c, settings)
	seat.mute(in.Muted)
	if h.count() != acts {
		// Something happened after we were admitted and before we could be
		// seen here, so that nobody acted on us: be admitted again.
		again, err := s.admitMember(ctx, c, &rec)
		if err != nil {
			h.exit(seat, false)
			c.dismiss(r.Room, reasonRevoked)
			return nil, err
		}
		seat.mute(again.Muted)
	}
	c.sit(r.Room, seat)
	if in.First {
		h.holdFor(&c.batch, KindJoined)
		id := c.Identity()
		_, err = s.broker.Publish(ctx, Message{Kind: KindJoined, Room: r.Room, From: id.ID, Name: id.Name, At: now(), Except: c.id}, Retention{})
	}
	res := &wire.JoinResult{Room: r.Room, Permission: string(rec.Permission)}
	if err == nil {
		err = c.catchUp(ctx, r, settings, at, res)
	}
	if err == nil {
		res.Members, res.Next, err = s.memberPage(ctx, c, r.Room, "", s.limits.Page)
	}
	if err != nil {
		// Half in is not in: the client will try again.
		if left := c.takeSeat(r.Room); left != nil {
			h.exit(left, false)
			c.dismiss(r.Room, reasonLeft)
		}
		return nil, unavailable(err)
	}
	c.entered = seat.cursor
	s.journal.write(ctx, slog.LevelInfo, eventJoin, c, slog.String("room", r.Room))
	return res, nil
}

// admitMember takes a place in the room. When the record changed since it was
// read, the rules are applied anew.
func (s *Server) admitMember(ctx context.Context, c *Conn, rec *Record) (in Admission, err error) {
	id := c.Identity()
	seat := s.seatOf(c, rec.Room)
	for range conflicts {
		if !rec.mayEnter(&id) {
			return Admission{}, refuse(CodeForbidden)
		}
		in, err = s.store.Admit(ctx, seat, rec.Version, rec.MaxMembers)
		switch {
		case err == nil:
			return in, nil
		case errors.Is(err, ErrRoomFull):
			return Admission{}, refuse(CodeRoomFull)
		case errors.Is(err, ErrBanned):
			return Admission{}, bannedUntil(err)
		case !errors.Is(err, ErrConflict):
			return Admission{}, unavailable(err)
		}
		if _, *rec, err = s.lookup(ctx, rec.Room); err != nil {
			return Admission{}, err
		}
	}
	return Admission{}, refuse(CodeConflict)
}

func (s *Server) seatOf(c *Conn, room string) Seat {
	id := c.Identity()
	return Seat{Room: room, User: id.ID, Name: id.Name, Connection: c.id, Node: s.node}
}

// catchUp fills in what was said up to the position at, behind which the
// cursor stands.
func (c *Conn) catchUp(ctx context.Context, r *wire.Request, settings *Settings, at Position, res *wire.JoinResult) error {
	if settings.History.Messages == 0 {
		return nil
	}
	res.Epoch, res.Offset = at.Epoch, at.Offset
	id := c.identity.Load()
	if r.Since == nil && r.Last == 0 || at.Offset == 0 && r.Since == nil || !id.Can(r.Room, auth.History) {
		return nil
	}
	s := c.srv
	ask := Range{Before: at.Offset + 1, Limit: min(max(r.Last, 1), s.limits.Page), Newest: true}
	if r.Since != nil {
		ask.Limit = s.limits.Replay
		if r.Since.Epoch == at.Epoch && r.Since.Offset <= at.Offset {
			ask.After = r.Since.Offset
		}
	}
	read := s.said
	if r.Since != nil {
		read = s.broker.Replay
	}
	page, err := read(ctx, r.Room, ask)
	if err != nil {
		return err
	}
	res.Messages = messages(page.Messages, r.Since != nil)
	if r.Since != nil {
		next := ask.After + 1
		res.Recovered = r.Since.Epoch == at.Epoch && r.Since.Offset <= at.Offset && page.Last.Epoch == at.Epoch &&
			(r.Since.Offset == at.Offset || len(page.Messages) > 0 && page.Messages[0].Offset == next)
	}
	return nil
}

// messages are those of a page, with the changes to earlier ones or without.
func messages(list []Message, changes bool) []wire.Message {
	out := make([]wire.Message, 0, len(list))
	for i := range list {
		m := &list[i]
		if m.Kind != KindMessage && !changes {
			continue
		}
		kept := message(m)
		kept.Target = m.Target
		kept.Redacted = m.Redacted || m.Kind == KindRedacted
		out = append(out, kept)
	}
	return out
}

// sit and takeSeat keep what the connection knows of its seats.
func (c *Conn) sit(room string, s *seat) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seats == nil {
		c.seats = make(map[string]*seat)
	}
	c.seats[room] = s
}

// takeSeat removes the seat from the connection: of all who want to end it,
// one gets it.
func (c *Conn) takeSeat(room string) *seat {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.seats[room]
	delete(c.seats, room)
	return s
}

// ask calls a hook that may refuse.
func (c *Conn) ask(f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(c.ctx, c.srv.limits.Handler)
	defer cancel()
	return c.srv.contain(func() error { return f(ctx) })
}

// now is the time as the protocol tells it.
func now() time.Time { return time.UnixMilli(time.Now().UnixMilli()) }

// mute keeps until when the seat's user may not speak. A mute that was heard
// of since is not undone by an older answer.
func (s *seat) mute(until time.Time) {
	if !until.IsZero() {
		s.muted.Store(until.UnixMilli())
	}
}

func bannedUntil(err error) *Error {
	e := refuse(CodeBanned)
	var banned *BannedError
	if errors.As(err, &banned) && banned.Until.Before(forever) {
		e.RetryAfter = time.Until(banned.Until)
	}
	return e
}

func sortedRoles(roles []string) []string {
	roles = slices.Clone(roles)
	slices.Sort(roles)
	return slices.Compact(roles)
}
