package room

import (
	"context"

	"github.com/go-json-experiment/json"

	"github.com/wardroom/wardroom/internal/wire"
	"github.com/wardroom/wardroom/validate"
)

// User is a host's hold on one user, on all of their connections. Its methods
// are safe for concurrent use.
type User struct {
	srv *Server
	id  string
}

// User returns the user with that ID.
func (s *Server) User(id string) *User { return &User{srv: s, id: id} }

// Send sends data, marshalled to JSON, to every connection of the user: a
// "message" without a room.
func (u *User) Send(_ context.Context, event string, data any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return &Error{Code: CodeBadRequest, Cause: err}
	}
	if !validate.Event(event) {
		return refuse(CodeInvalidEvent)
	}
	m := &wire.Message{Event: event, Data: raw, At: now().UnixMilli()}
	for _, c := range u.srv.connsOf(u.id) {
		c.sendNow(m)
	}
	return nil
}

// Send sends data, marshalled to JSON, to this connection alone: a "message"
// without a room.
func (c *Conn) Send(event string, data any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return &Error{Code: CodeBadRequest, Cause: err}
	}
	if !validate.Event(event) {
		return refuse(CodeInvalidEvent)
	}
	c.sendNow(&wire.Message{Event: event, Data: raw, At: now().UnixMilli()})
	return nil
}

// Disconnect closes every connection of the user with 4003.
func (u *User) Disconnect(_ context.Context, reason string) error {
	for _, c := range u.srv.connsOf(u.id) {
		c.Disconnect(reason)
	}
	return nil
}
