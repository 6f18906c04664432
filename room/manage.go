package room

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/wire"
	"github.com/wardroom/wardroom/validate"
)

// create makes a room that the client owns.
func (c *Conn) create(ctx context.Context, r *wire.Request) (wire.Result, error) {
	s, id := c.srv, c.Identity()
	settings, rec, err := s.lookup(ctx, r.Room)
	if err != nil {
		return nil, err
	}
	if !id.Can(r.Room, auth.Create) {
		return nil, refuse(CodeForbidden)
	}
	if !settings.AllowCreate {
		if rec.mayEnter(&id) {
			return nil, refuse(CodeAlreadyExists)
		}
		return nil, refuse(CodeForbidden)
	}
	owned, err := s.store.Owned(ctx, id.ID)
	if err != nil {
		return nil, unavailable(err)
	}
	if owned >= s.limits.RoomsPerUser {
		return nil, refuse(CodeTooManyRooms)
	}
	rec = settings.record(r.Room)
	rec.Owner = id.ID
	if err := rec.change(r, settings); err != nil {
		return nil, err
	}
	rec.CreatedAt = now()
	if err := s.clearLog(ctx, r.Room, settings); err != nil {
		return nil, err
	}
	if rec, err = s.store.Create(ctx, rec); errors.Is(err, ErrRoomExists) {
		return nil, refuse(CodeAlreadyExists)
	} else if err != nil {
		return nil, unavailable(err)
	}
	s.journal.write(ctx, slog.LevelInfo, eventModerate, c, slog.String("type", r.Type), slog.String("room", r.Room))
	res := rec.settings(true)
	return &res, nil
}

// update changes a room's settings.
func (c *Conn) update(ctx context.Context, r *wire.Request) (wire.Result, error) {
	s := c.srv
	for range conflicts {
		settings, rec, err := s.managed(ctx, c, r.Room)
		if err != nil {
			return nil, err
		}
		if err := rec.change(r, settings); err != nil {
			return nil, err
		}
		c.flush() // it may have to be waited for
		rec, err = s.replace(ctx, &c.batch, rec)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if decided(err) != nil {
			return nil, err
		}
		s.journal.write(ctx, slog.LevelInfo, eventModerate, c, slog.String("type", r.Type), slog.String("room", r.Room))
		res := rec.settings(true)
		return &res, nil
	}
	return nil, refuse(CodeConflict)
}

// settings answers what a room is like, to those who may enter it.
func (c *Conn) settings(ctx context.Context, r *wire.Request) (wire.Result, error) {
	_, rec, err := c.srv.visible(ctx, c, r.Room)
	if err != nil {
		return nil, err
	}
	id := c.Identity()
	res := rec.settings(rec.mayManage(&id))
	return &res, nil
}

func (c *Conn) deleteRoom(ctx context.Context, r *wire.Request) (wire.Result, error) {
	s := c.srv
	if _, _, err := s.managed(ctx, c, r.Room); err != nil {
		return nil, err
	}
	c.flush() // it may have to be waited for
	if err := s.drop(ctx, r.Room); decided(err) != nil {
		return nil, err
	}
	s.journal.write(ctx, slog.LevelInfo, eventModerate, c, slog.String("type", r.Type), slog.String("room", r.Room))
	return &wire.RoomResult{Room: r.Room}, nil
}

// change applies what a client asked for, within what the pattern allows.
func (r *Record) change(req *wire.Request, settings *Settings) error {
	if req.Permission != "" {
		r.Permission = Permission(req.Permission)
		if !r.Permission.valid() {
			return &Error{Code: CodeBadRequest, Message: "permission is public, private, restricted or owner_only."}
		}
		if !settings.mayBecome(r.Permission) {
			return &Error{Code: CodeForbidden, Message: "Rooms of this kind cannot have that permission."}
		}
	}
	if req.Roles != nil {
		r.Roles = sortedRoles(req.Roles)
	}
	if req.Invited != nil {
		r.Invited = sortedRoles(req.Invited)
	}
	if req.MaxMembers != nil {
		r.MaxMembers = *req.MaxMembers
	}
	switch {
	case r.MaxMembers < 1 || r.MaxMembers > settings.MaxMembers:
		return &Error{Code: CodeBadRequest, Message: fmt.Sprintf("max_members is 1 to %d.", settings.MaxMembers)}
	case r.Permission == Restricted && len(r.Roles) == 0:
		return &Error{Code: CodeBadRequest, Message: "A restricted room needs roles."}
	case len(r.Roles) > maxRoles || len(r.Invited) > maxInvited:
		return &Error{Code: CodeTooManyElements, Message: fmt.Sprintf("At most %d roles and %d invited users.", maxRoles, maxInvited)}
	case slices.ContainsFunc(r.Roles, func(role string) bool { return !validate.Event(role) }):
		return &Error{Code: CodeBadRequest, Message: "A role is 1 to 64 of A-Z a-z 0-9 _ - . and :"}
	case slices.ContainsFunc(r.Invited, func(user string) bool { return !validate.UserID(user) }):
		return &Error{Code: CodeBadRequest, Message: "invited holds something that is no user ID."}
	}
	return nil
}
