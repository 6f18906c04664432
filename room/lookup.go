package room

import (
	"context"
	"errors"
	"fmt"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/validate"
)

// lookup finds a room's settings and record. A room that does not exist has a
// record that lets nobody in, so that what follows, and how long it takes, is
// the same for it as for one that is closed to the asker.
func (s *Server) lookup(ctx context.Context, name string) (*Settings, Record, error) {
	if !validate.Room(name) {
		return nil, Record{}, refuse(CodeInvalidRoom)
	}
	rec, err := s.store.Record(ctx, name)
	missing := errors.Is(err, ErrNoRoom)
	if err != nil && !missing {
		return nil, Record{}, unavailable(err)
	}
	if missing {
		rec = Record{}
	}
	rec, _ = s.present(name, rec)
	settings := s.patterns.find(name)
	if settings == nil {
		settings = &nowhere
	}
	return settings, rec, nil
}

// nowhere stands for the pattern of names that match none.
var nowhere = Settings{Permission: Private}

// check finds the host's own slips, which must not pass in silence: a room that
// no pattern describes, and a user that nobody can be.
func (r *Room) check(users ...string) error {
	if !validate.Room(r.name) {
		return refuse(CodeInvalidRoom)
	}
	if r.srv.patterns.find(r.name) == nil {
		return &Error{Code: CodeInvalidRoom, Cause: fmt.Errorf("no pattern of WithRooms matches %q", r.name)}
	}
	return checkUsers(users)
}

func checkUsers(users []string) error {
	for _, user := range users {
		if !validate.UserID(user) {
			return &Error{Code: CodeBadRequest, Cause: fmt.Errorf("%q is no user ID: use 1 to 128 of A-Z a-z 0-9 _ - . : @ + |", user)}
		}
	}
	return nil
}

// check is for what the host wants a record to be.
func (r *Record) check() error {
	if err := r.Permission.check(); err != nil {
		return &Error{Code: CodeBadRequest, Cause: err}
	}
	if r.MaxMembers < 0 {
		return &Error{Code: CodeBadRequest, Cause: fmt.Errorf("Record.MaxMembers is %d: use 0 for what the pattern says, or a number of users", r.MaxMembers)}
	}
	for _, users := range [][]string{r.Invited, r.Moderators} {
		if err := checkUsers(users); err != nil {
			return err
		}
	}
	if r.Owner != "" {
		return checkUsers([]string{r.Owner})
	}
	return nil
}

// existing is lookup for the host, who is told when there is no such room.
func (r *Room) existing(ctx context.Context) (*Settings, Record, error) {
	if err := r.check(); err != nil {
		return nil, Record{}, err
	}
	settings, rec, err := r.srv.lookup(ctx, r.name)
	if err == nil && rec.Version == 0 && !settings.Standing {
		err = &Error{Code: CodeForbidden, Cause: ErrNoRoom}
	}
	return settings, rec, err
}

// record is that of a room of which nothing is stored.
func (s *Settings) record(name string) Record {
	return Record{Room: name, Permission: s.Permission, Roles: s.Roles, MaxMembers: s.MaxMembers}
}

// visible finds a room for someone who may enter it. For all others it is
// forbidden, whether or not it exists.
func (s *Server) visible(ctx context.Context, c *Conn, name string) (*Settings, Record, error) {
	settings, rec, err := s.lookup(ctx, name)
	if err != nil {
		return nil, Record{}, err
	}
	id := c.Identity()
	if !rec.mayEnter(&id) {
		return nil, Record{}, refuse(CodeForbidden)
	}
	return settings, rec, nil
}

// managed finds a room for someone who may manage it.
func (s *Server) managed(ctx context.Context, c *Conn, name string) (*Settings, Record, error) {
	settings, rec, err := s.lookup(ctx, name)
	if err != nil {
		return nil, Record{}, err
	}
	id := c.Identity()
	if !rec.mayManage(&id) {
		return nil, Record{}, refuse(CodeForbidden)
	}
	return settings, rec, nil
}

// member finds the seat of a connection that is in the room and whose
// capabilities leave it the verb.
func (c *Conn) member(name string, verb auth.Verb) (*seat, error) {
	if !validate.Room(name) {
		return nil, refuse(CodeInvalidRoom)
	}
	s := c.seat(name)
	if s == nil {
		return nil, refuse(CodeNotMember)
	}
	if id := c.identity.Load(); !id.Can(name, verb) {
		return nil, refuse(CodeForbidden)
	}
	return s, nil
}

// unavailable is for a store that failed: nobody knows whether what was asked
// has been done.
func unavailable(err error) error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: CodeUnavailable, Cause: err}
}
