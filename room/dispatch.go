package room

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/wardroom/wardroom/internal/wire"
	"github.com/wardroom/wardroom/validate"
)

// Request is one request of a client, as [Middleware] sees it. It is valid
// until the handler returns.
type Request struct {
	in   wire.Request
	size int // of the message it came in, in bytes
}

// Type is the request's type, such as "join".
func (r *Request) Type() string { return r.in.Type }

// Room is the room it names, not validated, empty for none.
func (r *Request) Room() string { return r.in.Room }

// Event is the event it names, not validated, empty for none.
func (r *Request) Event() string { return r.in.Event }

// Data is the raw JSON or binary data. It must not be modified or kept.
func (r *Request) Data() []byte { return r.in.Data }

// Response is what a request is answered with. A [Middleware] passes on the one
// that it was given, or returns an error in its place.
type Response struct{ result wire.Result }

// Handler answers a request. An error is what the client is told; see [Error].
type Handler func(ctx context.Context, c *Conn, r *Request) (Response, error)

// Middleware wraps a Handler, as for net/http.
type Middleware func(next Handler) Handler

// Use wraps every request of every client but those that are too fast, the first
// middleware outermost. It runs on the connection's own goroutine, like
// everything behind it; ctx ends with the connection, a panic is contained. Call
// it before serving.
//
// Middleware learns what became of each message, so that with any each message
// is published by itself: with a [BatchBroker], such as the one in Redis, a
// client that says much at once is then served one round trip per message.
func (s *Server) Use(middleware ...Middleware) {
	s.setupMu.Lock()
	defer s.setupMu.Unlock()
	s.middleware = append(s.middleware, middleware...)
	h := Handler(s.dispatch)
	for i := len(s.middleware) - 1; i >= 0; i-- {
		h = s.middleware[i](h)
	}
	s.handler.Store(&h)
}

var requests = sync.Pool{New: func() any { return new(Request) }}

// handle answers one message. It runs on the goroutine that reads, so that a
// connection's requests are done in the order they came.
func (c *Conn) handle(message []byte, binary bool) {
	r := requests.Get().(*Request)
	defer requests.Put(r)
	r.size = len(message)
	if bad := codecs[c.encoding.codec].Decode(message, binary, &r.in); bad != nil {
		c.publishBurst()
		if err := c.tooFast(r); err != nil {
			c.answer(&r.in, nil, err)
			return
		}
		c.srv.journal.write(&c.life, slog.LevelDebug, eventInvalid, c, slog.String("code", bad.Code))
		c.reject(r.in.Ref, bad)
		return
	}
	if c.identity.Load() == nil {
		c.authenticateFirst(r)
		return
	}
	if r.in.Type != wire.TypeMessage {
		c.publishBurst()
	}
	res, err := c.serve(r)
	if err == errLater { //nolint:errorlint // it is never wrapped: no middleware has seen it
		return
	}
	c.answer(&r.in, res.result, err)
	if c.entered != nil {
		c.settle(c.entered)
		c.entered = nil
	}
}

// serve is dispatch with the host's middleware and the panics of both
// contained.
func (c *Conn) serve(r *Request) (res Response, err error) {
	defer c.srv.recovered(&err)
	c.presence.Active()
	if err := c.tooFast(r); err != nil {
		return Response{}, err
	}
	if h := c.srv.handler.Load(); h != nil {
		c.flush()
		res, err = (*h)(&c.life, c, r)
	} else {
		res, err = c.srv.dispatch(&c.life, c, r)
	}
	probe(err)
	return res, err
}

func (s *Server) dispatch(ctx context.Context, c *Conn, r *Request) (Response, error) {
	res, err := s.result(ctx, c, &r.in)
	return Response{res}, err
}

// result is the table of requests.
func (s *Server) result(ctx context.Context, c *Conn, r *wire.Request) (wire.Result, error) {
	switch r.Type {
	case wire.TypeMessage:
		return c.publish(ctx, r)
	case wire.TypeJoin:
		return c.join(ctx, r)
	case wire.TypeLeave:
		return c.leave(ctx, r)
	case wire.TypeMembers:
		return c.members(ctx, r)
	case wire.TypeHistory:
		return c.history(ctx, r)
	case wire.TypeCreate:
		return c.create(ctx, r)
	case wire.TypeUpdate:
		return c.update(ctx, r)
	case wire.TypeSettings:
		return c.settings(ctx, r)
	case wire.TypeDelete:
		return c.deleteRoom(ctx, r)
	case wire.TypePresence:
		return c.setPresence(ctx, r)
	case wire.TypeEdit, wire.TypeRedact:
		return c.amend(ctx, r)
	case wire.TypeInvite, wire.TypeUninvite, wire.TypeKick, wire.TypeBan, wire.TypeUnban, wire.TypeMute, wire.TypeUnmute:
		return c.moderate(ctx, r)
	case wire.TypeCall:
		return c.call(ctx, r)
	case wire.TypeAuth:
		return c.renew(ctx, r)
	case wire.TypePing:
		return &wire.PingResult{At: time.Now().UnixMilli()}, nil
	}
	return nil, &Error{Code: CodeUnsupportedCall, Message: "This server does not support that request."}
}

// reject answers a message that could not be decoded.
func (c *Conn) reject(ref int64, bad *wire.Error) {
	if ref == 0 {
		c.send(&wire.Failure{Error: bad})
		return
	}
	c.send(&wire.Reply{Ref: ref, Error: bad})
}

// answer sends the one reply to a request: none to a success without a ref,
// an error frame to a failure without one.
func (c *Conn) answer(r *wire.Request, res wire.Result, err error) {
	ref := r.Ref
	if err != nil {
		c.publishBurst() // which came before it
		e := public(err)
		c.note(e, r)
		c.reject(ref, c.srv.explain(c, e))
		return
	}
	if ref != 0 {
		c.send(&wire.Reply{Ref: ref, Data: res})
	}
}

// note logs the refusals that tell something about a client.
func (c *Conn) note(e *Error, r *wire.Request) {
	event, level := "", slog.LevelInfo
	switch e.Code {
	case CodeRateLimited, CodeTooManyRooms:
		event = eventLimit
	case CodeInvalidJSON, CodeInvalidUTF8, CodeTooLarge, CodeTooDeep, CodeTooManyElements, CodeTooManyKeys, CodeDuplicateKey, CodeInvalidRoom, CodeInvalidEvent, CodeBadRequest:
		event, level = eventInvalid, slog.LevelDebug
	case CodeForbidden, CodeBanned, CodeRoomFull:
		if r.Type != wire.TypeJoin {
			return
		}
		event = eventRefuseJoin
	default:
		return
	}
	c.srv.journal.write(&c.life, level, event, c, slog.String("type", r.Type), slog.String("room", c.srv.known(r.Room)), slog.String("code", string(e.Code)))
}

// known leaves out of the log what cannot be a room here: it may be anything,
// a token that was pasted into the wrong place for one.
func (s *Server) known(room string) string {
	if validate.Room(room) && s.patterns.find(room) != nil {
		return room
	}
	return ""
}

// explain keeps the two halves of an error apart: the cause goes to the log
// under an ID, everything else to the client.
func (s *Server) explain(c *Conn, e *Error) *wire.Error {
	if e.Cause == nil {
		return e.wire("")
	}
	id := newID()
	level := slog.LevelWarn
	if e.Code == CodeInternal {
		level = slog.LevelError
	}
	s.journal.write(&c.life, level, eventError, c, slog.String("code", string(e.Code)), slog.String("id", id), slog.Any("error", e.Cause))
	return e.wire(id)
}

// contain runs the host's code and turns a panic into an error.
func (s *Server) contain(f func() error) (err error) {
	defer s.recovered(&err)
	err = f()
	probe(err)
	return err
}

// probe panics where an error of the host's will when it is looked at, as one
// that is a nil pointer does, while that is contained.
func probe(err error) {
	if err == nil {
		return
	}
	e, ok := err.(*Error) //nolint:errorlint // the usual case, as in public
	if !ok && errors.As(err, &e) {
		ok = true
	}
	if ok && e == nil {
		panic("a nil *room.Error was returned as an error: declare it as error, or return nil")
	}
	if !ok {
		_ = public(err)
	}
}

func (s *Server) recovered(err *error) {
	if p := recover(); p != nil {
		*err = &Error{Code: CodeInternal, Cause: s.journal.panicked(s.ctx, p)}
	}
}

// panicked records a panic of the host's code and returns it as an error.
func (j *journal) panicked(ctx context.Context, p any) error {
	j.write(ctx, slog.LevelError, eventPanic, nil, slog.String("panic", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
	return errors.New("panic: " + fmt.Sprint(p))
}
