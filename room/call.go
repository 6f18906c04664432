package room

import (
	"context"
	"errors"
	"maps"

	"github.com/go-json-experiment/json"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/wire"
	"github.com/wardroom/wardroom/validate"
)

// call is a handler with its types forgotten.
type call func(ctx context.Context, c *Conn, data []byte) ([]byte, error)

// Handle answers the calls of clients for an event: f is called with the
// call's data, unmarshalled, and what it returns is marshalled into the reply.
// Data that does not fit In is answered bad_request, with where it does not. The
// last function handled for an event wins, also while clients are connected.
// Handle panics when event cannot be the name of one: 1 to 64 of A-Z a-z 0-9
// _ - . and :
//
// f runs on the connection's own goroutine, after the requests before it and
// before those behind it; ctx ends with the connection or after
// Limits.Handler. When the call names a room, the client is in it, and
// [CallRoom] tells which; when it names none, capabilities leave it only to
// those who have auth.Call for every room, "**". An *[Error] that f returns is
// what the client is told; every other error is internal, and only logged. A
// panic is contained.
func Handle[In, Out any](s *Server, event string, f func(ctx context.Context, c *Conn, in In) (Out, error)) {
	if !validate.Event(event) {
		panic("room: Handle: " + texts[CodeInvalidEvent])
	}
	h := func(ctx context.Context, c *Conn, data []byte) ([]byte, error) {
		var in In
		if data != nil {
			if err := json.Unmarshal(data, &in); err != nil {
				return nil, &Error{Code: CodeBadRequest, Message: misfit(err) + " is not what this call takes."}
			}
		}
		out, err := f(ctx, c, in)
		if err != nil {
			return nil, err
		}
		return json.Marshal(out, json.Deterministic(true))
	}
	s.setupMu.Lock()
	defer s.setupMu.Unlock()
	calls := map[string]call{}
	if old := s.calls.Load(); old != nil {
		maps.Copy(calls, *old)
	}
	calls[event] = h
	s.calls.Store(&calls)
}

// misfit says where data is not what a call takes, for those who write clients.
func misfit(err error) string {
	var at *json.SemanticError
	if !errors.As(err, &at) || at.JSONPointer == "" {
		return "The data"
	}
	path := "data"
	for name := range at.JSONPointer.Tokens() {
		path = validate.PathKey(path, name)
	}
	return path
}

type callRoom struct{}

// CallRoom returns the room that a call names, in the context of its handler;
// empty when it names none.
func CallRoom(ctx context.Context) string {
	room, _ := ctx.Value(callRoom{}).(string)
	return room
}

func (c *Conn) call(ctx context.Context, r *wire.Request) (wire.Result, error) {
	s := c.srv
	if !validate.Event(r.Event) {
		return nil, refuse(CodeInvalidEvent)
	}
	if r.Room != "" && !validate.Room(r.Room) {
		return nil, refuse(CodeInvalidRoom)
	}
	var h call
	if calls := s.calls.Load(); calls != nil {
		h = (*calls)[r.Event]
	}
	if h == nil {
		return nil, refuse(CodeUnsupportedCall)
	}
	if r.Room != "" {
		if _, err := c.member(r.Room, auth.Call); err != nil {
			return nil, err
		}
		ctx = context.WithValue(ctx, callRoom{}, r.Room)
	} else if !mayEverywhere(c.identity.Load(), auth.Call) {
		return nil, refuse(CodeForbidden)
	}
	if r.Data != nil {
		if _, err := checkData(&s.data, r.Data, false); err != nil {
			return nil, err
		}
	}
	c.flush()
	ctx, cancel := context.WithTimeout(ctx, s.limits.Handler)
	defer cancel()
	out, err := h(ctx, c, r.Data)
	if err != nil {
		return nil, err
	}
	return wire.Raw(out), nil
}
