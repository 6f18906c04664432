package room

import (
	"context"

	"github.com/go-json-experiment/json"

	"github.com/wardroom/wardroom/internal/wire"
	"github.com/wardroom/wardroom/validate"
)

// User is a host's hold on one user, on all of their connections on all nodes. Its methods
// are safe for concurrent use.
type User struct {
	srv *Server
	id  string
}

// User returns the user with that ID.
func (s *Server) User(id string) *User { return &User{srv: s, id: id} }

// Send sends data, marshalled to JSON, to every connection of the user: a
// "message" without a room.
//
// A nil error says that every node has been told, not that anybody was there.
func (u *User) Send(ctx context.Context, event string, data any) error {
	raw, err := direct(event, data)
	if err != nil {
		return err
	}
	return u.srv.control(ctx, Message{Kind: KindDirect, From: u.id, Event: event, Data: raw})
}

// direct marshals what is sent outside of rooms.
func direct(event string, data any) ([]byte, error) {
	raw, err := json.Marshal(data)
	if err != nil {
		return nil, &Error{Code: CodeBadRequest, Cause: err}
	}
	if !validate.Event(event) {
		return nil, refuse(CodeInvalidEvent)
	}
	return raw, nil
}

// Send sends data, marshalled to JSON, to this connection alone: a "message"
// without a room. It does not wait: a nil error says that it is on its way. In
// [OnConnect] it is too early, and nothing is sent.
func (c *Conn) Send(event string, data any) error {
	raw, err := direct(event, data)
	if err != nil {
		return err
	}
	c.sendNow(&wire.Message{Event: event, Data: raw, At: now().UnixMilli()})
	return nil
}

// Disconnect closes every connection of the user with 4003. It takes nothing
// back: see [User.Revoke]. It waits as that does; a node that cannot be told leaves
// the user connected.
func (u *User) Disconnect(ctx context.Context, reason string) error {
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	return u.srv.command(ctx, Message{Kind: KindDisconnect, From: u.id, Reason: reason})
}
