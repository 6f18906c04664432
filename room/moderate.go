package room

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/wardroom/wardroom/internal/transport"
	"github.com/wardroom/wardroom/internal/wire"
	"github.com/wardroom/wardroom/validate"
)

// Who may do what in a room. "Moderator" is a user in Record.Moderators or
// with a role in Settings.Moderators. Capabilities narrow all of it.
//
//	                           owner   moderator   member   host
//	update, delete             yes     no          no       yes
//	invite, uninvite           yes     yes         no       yes
//	kick, ban, mute a member   yes     yes         no       yes
//	kick, ban, mute a
//	  user of Moderators       yes     no          no       yes
//	kick, ban, mute the owner  no      no          no       yes
//	unban, unmute              yes     yes         no       yes
//	redact what others said    yes     yes         no       yes
//	make a moderator           no      no          no       yes
//	give the room away         no      no          no       yes
//
// Nobody acts on themselves. Who may not moderate is told forbidden, in a room
// that exists and in one that does not. A moderator need not be in the room.

// moderate does the requests that one user makes about another.
func (c *Conn) moderate(ctx context.Context, r *wire.Request) (wire.Result, error) {
	s, id := c.srv, c.Identity()
	settings, rec, err := s.lookup(ctx, r.Room)
	if err != nil {
		return nil, err
	}
	if !rec.mayModerate(&id, settings) {
		return nil, refuse(CodeForbidden)
	}
	if !validate.UserID(r.User) {
		return nil, &Error{Code: CodeBadRequest, Message: "user is no user ID."}
	}
	reason, bad := moderationText.Clean("reason", r.Reason)
	if bad != nil {
		return nil, bad
	}
	switch r.Type {
	case wire.TypeKick, wire.TypeBan, wire.TypeMute:
		if !rec.mayActOn(&id, r.User) {
			return nil, refuse(CodeForbidden)
		}
	}
	c.flush() // it may have to be waited for
	room, until := s.Room(r.Room), end(r.ForMS)
	switch r.Type {
	case wire.TypeInvite:
		err = room.invite(ctx, &c.batch, r.User)
	case wire.TypeUninvite:
		err = room.uninvite(ctx, &c.batch, r.User)
	case wire.TypeKick:
		err = room.kick(ctx, &c.batch, r.User, reason)
	case wire.TypeBan:
		err = room.ban(ctx, &c.batch, r.User, until, reason)
	case wire.TypeUnban:
		err = room.Unban(ctx, r.User)
	case wire.TypeMute:
		err = room.mute(ctx, &c.batch, r.User, until, reason)
	case wire.TypeUnmute:
		err = room.unmute(ctx, &c.batch, r.User)
	}
	if decided(err) != nil {
		return nil, err
	}
	s.journal.write(ctx, slog.LevelInfo, eventModerate, c, slog.String("type", r.Type), slog.String("room", r.Room), slog.String("target", r.User))
	return &wire.RoomUserResult{Room: r.Room, User: r.User}, nil
}

// moderationText is what a moderator may write as a reason.
var moderationText = validate.Text{MaxChars: 200}

// end is when a sanction of so many milliseconds from now ends.
func end(forMS int64) time.Time {
	if forMS <= 0 || forMS > int64(100*365*24*time.Hour/time.Millisecond) {
		return forever
	}
	return now().Add(time.Duration(forMS) * time.Millisecond)
}

// Invite lets a user into a private room. Up to 1,000 users can be invited to
// one; see [OnJoin] for rooms whose members are in a database.
func (r *Room) Invite(ctx context.Context, user string) error {
	if err := r.check(user); err != nil {
		return err
	}
	return r.invite(ctx, nil, user)
}

func (r *Room) invite(ctx context.Context, batch *transport.Batch, user string) error {
	return r.change(ctx, batch, func(rec *Record) bool {
		if slices.Contains(rec.Invited, user) {
			return false
		}
		rec.Invited = append(rec.Invited, user)
		return true
	})
}

// Uninvite takes an invitation back. A user who may no longer stay is removed.
func (r *Room) Uninvite(ctx context.Context, user string) error {
	if err := r.check(user); err != nil {
		return err
	}
	return r.uninvite(ctx, nil, user)
}

func (r *Room) uninvite(ctx context.Context, batch *transport.Batch, user string) error {
	return r.change(ctx, batch, func(rec *Record) bool {
		n := len(rec.Invited)
		rec.Invited = slices.DeleteFunc(rec.Invited, func(u string) bool { return u == user })
		return len(rec.Invited) < n
	})
}

// change is Update where f says whether there is anything to do.
func (r *Room) change(ctx context.Context, batch *transport.Batch, f func(*Record) bool) error {
	for range conflicts {
		_, rec, err := r.existing(ctx)
		if err != nil {
			return err
		}
		rec.Roles, rec.Invited, rec.Moderators = slices.Clone(rec.Roles), slices.Clone(rec.Invited), slices.Clone(rec.Moderators)
		if !f(&rec) {
			return nil
		}
		if len(rec.Invited) > maxInvited {
			return &Error{Code: CodeTooManyElements, Message: "Too many users are invited."}
		}
		if _, err = r.srv.replace(ctx, batch, rec); !errors.Is(err, ErrConflict) {
			return err
		}
	}
	return refuse(CodeConflict)
}

// conflicts is how often a change is tried again that somebody else was
// quicker than.
const conflicts = 5

// Kick removes a user, who may come back at once. The user is told the reason;
// the others are told that it was a kick.
func (r *Room) Kick(ctx context.Context, user, reason string) error {
	if err := r.check(user); err != nil {
		return err
	}
	return r.kick(ctx, nil, user, reason)
}

func (r *Room) kick(ctx context.Context, batch *transport.Batch, user, reason string) error {
	if i := r.srv.inspector; i != nil { // for the nodes that do not hear of it
		if err := i.Expel(ctx, r.name, user); err != nil {
			return unavailable(err)
		}
	}
	return r.act(ctx, batch, Message{Kind: KindKicked, From: user, Reason: reason})
}

// Ban removes a user and keeps them out, for ever when until is zero. It fails
// with too_many_elements when the room has [MaxSanctions].
func (r *Room) Ban(ctx context.Context, user string, until time.Time, reason string) error {
	if err := r.check(user); err != nil {
		return err
	}
	if until.IsZero() {
		until = forever
	}
	return r.ban(ctx, nil, user, until, reason)
}

func (r *Room) ban(ctx context.Context, batch *transport.Batch, user string, until time.Time, reason string) error {
	if err := r.sanction(ctx, user, Ban, until); err != nil {
		return err
	}
	return r.act(ctx, batch, Message{Kind: KindBanned, From: user, Reason: reason, Until: until})
}

func (r *Room) sanction(ctx context.Context, user string, kind Sanction, until time.Time) error {
	switch err := r.srv.store.Sanction(ctx, r.name, user, kind, until); {
	case errors.Is(err, ErrTooManySanctions):
		return &Error{Code: CodeTooManyElements, Message: "Too many users are banned or muted."}
	case err != nil:
		return unavailable(err)
	}
	return nil
}

// Unban ends a ban.
func (r *Room) Unban(ctx context.Context, user string) error {
	if err := r.check(user); err != nil {
		return err
	}
	if err := r.srv.store.Lift(ctx, r.name, user, Ban); err != nil {
		return unavailable(err)
	}
	return nil
}

// Mute keeps a user from saying anything, for ever when until is zero.
func (r *Room) Mute(ctx context.Context, user string, until time.Time, reason string) error {
	if err := r.check(user); err != nil {
		return err
	}
	if until.IsZero() {
		until = forever
	}
	return r.mute(ctx, nil, user, until, reason)
}

func (r *Room) mute(ctx context.Context, batch *transport.Batch, user string, until time.Time, reason string) error {
	if err := r.sanction(ctx, user, Mute, until); err != nil {
		return err
	}
	return r.act(ctx, batch, Message{Kind: KindMuted, From: user, Reason: reason, Until: until})
}

// Unmute ends a mute.
func (r *Room) Unmute(ctx context.Context, user string) error {
	if err := r.check(user); err != nil {
		return err
	}
	return r.unmute(ctx, nil, user)
}

func (r *Room) unmute(ctx context.Context, batch *transport.Batch, user string) error {
	if err := r.srv.store.Lift(ctx, r.name, user, Mute); err != nil {
		return unavailable(err)
	}
	return r.act(ctx, batch, Message{Kind: KindUnmuted, From: user})
}

// act tells every node what was done to a user.
func (r *Room) act(ctx context.Context, batch *transport.Batch, m Message) error {
	m.Room, m.At = r.name, now()
	return r.srv.enact(ctx, batch, m, nil)
}
