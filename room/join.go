package room

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/wardroom/wardroom/internal/wire"
)

// join lets a connection into a room: look it up, let the host refuse, take a
// place in one atomic step, attach behind what has been delivered, tell the
// others, read what was missed up to that point, and only then let the cursor
// run, so that live messages come after the reply that holds the old ones.
func (c *Conn) join(ctx context.Context, r *wire.Request) (wire.Result, error) {
	s := c.srv
	read := s.sofar(r.Room)
	settings, rec, err := s.visible(ctx, c, r.Room)
	if err != nil {
		return nil, err
	}
	if c.seat(r.Room) == nil && c.taken() >= s.limits.RoomsPerConnection {
		return nil, refuse(CodeTooManyRooms)
	}
	if s.hooks.join != nil {
		c.flush()
		if err := c.ask(func(ctx context.Context) error { return s.hooks.join(ctx, c, r.Room) }); err != nil {
			return nil, err
		}
	}
	old, err := c.vacate(ctx, r.Room)
	if err != nil {
		return nil, err
	}
	defer c.joined()
	c.placed = old != nil
	if old != nil {
		// Joining again starts anew: what was on its way is sent first.
		old.hall.exit(old, true)
	}
	seat, res, err := c.enter(ctx, r, settings, &rec, read)
	if err != nil {
		c.retreat(r.Room, seat, old != nil, err)
		return nil, unavailable(err)
	}
	c.entered = seat
	s.journal.write(ctx, slog.LevelInfo, eventJoin, c, slog.String("room", r.Room))
	return res, nil
}

// retreat undoes half a join: half in is not in, and the client will try again.
// Before it the connection had another seat, or not.
func (c *Conn) retreat(room string, s *seat, before bool, err error) {
	var refused *Error
	if !c.placed && errors.As(err, &refused) && refused.Code != CodeUnavailable {
		return // it has not been let in
	}
	c.takeSeat(room)
	if s != nil {
		s.hall.exit(s, false)
	}
	c.giveBack(room, reasonOf(err))
	if before {
		c.afterLeave(room)
	}
}

// sofar is how much a hall, nil for none, had heard at some time.
type sofar struct {
	hall *hall
	acts int
}

func (s *Server) sofar(name string) (now sofar) {
	if now.hall = s.findHall(name); now.hall != nil {
		now.acts = now.hall.count()
	}
	return now
}

// enter is join from the moment on that the connection has no seat. The record
// was read no sooner than read. A seat that is returned with an error, and a
// place that was taken, must be given back.
func (c *Conn) enter(ctx context.Context, r *wire.Request, settings *Settings, rec *Record, read sofar) (*seat, *wire.JoinResult, error) {
	s := c.srv
	h, err := s.openHall(ctx, r.Room)
	if err != nil {
		return nil, nil, err
	}
	if r.Since != nil && settings.History.Messages > 0 {
		if err := c.abreast(ctx, h, Position{Epoch: r.Since.Epoch, Offset: r.Since.Offset}); err != nil {
			s.closeHall(h)
			return nil, nil, err
		}
	}
	seat, at, err := c.takePlace(ctx, h, settings, rec, read, nil)
	if err != nil {
		s.closeHall(h)
		return nil, nil, err
	}
	// The others hear of it before we can say anything. When the store fails
	// the tracker goes on trying.
	c.noted(c.presence.Join(ctx, r.Room))
	res := &wire.JoinResult{Room: r.Room}
	if seat, err = c.catchUp(ctx, r, settings, rec, seat, at, res); err != nil {
		return seat, nil, err
	}
	res.Permission = string(rec.Permission) // of the seat that it came to
	// Nor does it matter for being in whether the others can be listed.
	res.Members, res.Next, err = s.memberPage(ctx, c, r.Room, "", s.limits.Page)
	c.noted(err)
	return seat, res, nil
}

// takePlace is admitted to the room and takes a seat in the hall. When it fails,
// placed says whether there is a place to give back. A record may have the
// version that one before it had, of a room that was deleted: so it is read again
// unless the hall has heard of nothing since it was. last is the seat before, nil
// for none.
func (c *Conn) takePlace(ctx context.Context, h *hall, settings *Settings, rec *Record, read sofar, last *seat) (*seat, Position, error) {
	for range conflicts {
		var err error
		var in Admission
		var node string
		acts := h.count()
		if now := (sofar{h, acts}); now != read {
			read = now
			_, *rec, err = c.srv.lookup(ctx, h.name)
		}
		if err == nil {
			in, node, err = c.srv.admitMember(ctx, c, rec)
		}
		if err != nil {
			h.drop(last)
			return nil, Position{}, err
		}
		c.placed = true
		seat, at, grown := h.enter(c, settings, last)
		if grown > 0 {
			c.srv.journal.write(ctx, slog.LevelInfo, eventSize, nil, slog.String("room", h.name), slog.Int("connections", grown))
		}
		seat.mute(in.Muted)
		seat.node = node
		c.sit(h.name, seat)
		if h.count() == acts && c.srv.leased(node) {
			return seat, at, nil // whatever happens from here on, somebody acts on us
		}
		// Something happened after we were admitted and before we could be
		// seen here. Perhaps we may be here no longer; and if we may again,
		// what was said meanwhile is not for us.
		c.stand(h.name)
		seat.leave()
		last = seat
	}
	h.drop(last)
	return nil, Position{}, refuse(CodeConflict)
}

// admitMember takes a place in the room. When the record changed since it was
// read, the rules are applied anew. node is who has the place.
func (s *Server) admitMember(ctx context.Context, c *Conn, rec *Record) (in Admission, node string, err error) {
	id := c.Identity()
	for range conflicts {
		if !rec.mayEnter(&id) {
			return Admission{}, "", refuse(CodeForbidden)
		}
		if node, err = s.leaseOf(ctx); err != nil {
			return Admission{}, "", unavailable(err)
		}
		in, err = s.store.Admit(ctx, s.seatOf(c, rec.Room, node), rec.Version, rec.MaxMembers)
		switch {
		case err == nil:
			return in, node, nil
		case errors.Is(err, ErrRoomFull):
			return Admission{}, "", refuse(CodeRoomFull)
		case errors.Is(err, ErrBanned):
			return Admission{}, "", bannedUntil(err)
		case errors.Is(err, ErrLapsed):
			s.lease.drop(node)
			continue
		case !errors.Is(err, ErrConflict):
			return Admission{}, "", unavailable(err)
		}
		if _, *rec, err = s.lookup(ctx, rec.Room); err != nil {
			return Admission{}, "", err
		}
	}
	return Admission{}, "", refuse(CodeConflict)
}

func (s *Server) seatOf(c *Conn, room, node string) Seat {
	id := c.Identity()
	return Seat{Room: room, User: id.ID, Name: id.Name, Connection: c.id, Node: node}
}

// ask calls a hook that may refuse.
func (c *Conn) ask(f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(&c.life, c.srv.limits.Handler)
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
