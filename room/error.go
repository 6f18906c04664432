package room

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/wardroom/wardroom/internal/wire"
	"github.com/wardroom/wardroom/validate"
)

// Code tells a client program what went wrong. Those that are here are part of
// the wire protocol (docs/PROTOCOL.md) and do not change.
type Code string

// The codes of docs/PROTOCOL.md.
const (
	CodeBadRequest         Code = "bad_request"
	CodeInvalidJSON        Code = "invalid_json"
	CodeInvalidUTF8        Code = "invalid_utf8"
	CodeTooLarge           Code = "too_large"
	CodeTooDeep            Code = "too_deep"
	CodeTooManyElements    Code = "too_many_elements"
	CodeTooManyKeys        Code = "too_many_keys"
	CodeDuplicateKey       Code = "duplicate_key"
	CodeInvalidRoom        Code = "invalid_room"
	CodeInvalidEvent       Code = "invalid_event"
	CodeUnauthenticated    Code = "unauthenticated"
	CodeTokenExpired       Code = "token_expired"
	CodeForbidden          Code = "forbidden"
	CodeNotMember          Code = "not_member"
	CodeAlreadyExists      Code = "already_exists"
	CodeRoomFull           Code = "room_full"
	CodeTooManyRooms       Code = "too_many_rooms"
	CodeTooManyConnections Code = "too_many_connections"
	CodeRateLimited        Code = "rate_limited"
	CodeMuted              Code = "muted"
	CodeBanned             Code = "banned"
	CodeConflict           Code = "conflict"
	CodeOriginForbidden    Code = "origin_forbidden"
	CodeUnsupportedCall    Code = "unsupported_call"
	CodeUnavailable        Code = "unavailable"
	CodeTimeout            Code = "timeout"
	CodeInternal           Code = "internal"
)

// texts are what a client is told when an Error has no Message of its own.
var texts = map[Code]string{
	CodeBadRequest:         "The request is malformed.",
	CodeInvalidRoom:        "A room's name is 1 to 64 of A-Z a-z 0-9 _ - . and :",
	CodeInvalidEvent:       "An event's name is 1 to 64 of A-Z a-z 0-9 _ - . and :",
	CodeUnauthenticated:    "Sign in first.",
	CodeTokenExpired:       "The token has expired.",
	CodeForbidden:          "You may not do this.",
	CodeNotMember:          "You are not in this room.",
	CodeAlreadyExists:      "There is such a room already.",
	CodeRoomFull:           "The room is full.",
	CodeTooManyRooms:       "You are in too many rooms.",
	CodeTooManyConnections: "There are too many connections.",
	CodeRateLimited:        "Too much at once; slow down.",
	CodeMuted:              "You are muted in this room.",
	CodeBanned:             "You are banned from this room.",
	CodeConflict:           "The room has changed meanwhile; try again.",
	CodeOriginForbidden:    "This origin is not allowed.",
	CodeUnsupportedCall:    "There is no such call.",
	CodeUnavailable:        "Not possible at the moment; try again later.",
	CodeTimeout:            "It took too long.",
	CodeInternal:           "Something went wrong on the server.",
}

// Error is a refusal in two halves that never mix: Code and Message go to the
// client and are safe to show to anyone, Cause goes to the log.
//
// A hook or handler returns an *Error to choose what its client is told. Any
// other error is answered internal, and its text only logged.
type Error struct {
	// Code is one of those here or of the host's own: up to 64 of a-z 0-9 _.
	Code Code
	// Message is one sentence for people. Empty means a standard one.
	Message string
	// RetryAfter says from when on the same request may succeed; 0: unknown.
	RetryAfter time.Duration
	// Cause is why, for the log. Where there is one the client is told an
	// ID that is logged beside it.
	Cause error
}

// Error is for logs: it names the cause.
func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.text(), e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.text())
}

// Unwrap returns Cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is an *Error with the same code, so that
// errors.Is(err, &room.Error{Code: room.CodeForbidden}) works.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

func (e *Error) text() string {
	if e.Message != "" {
		return e.Message
	}
	if text, ok := texts[e.Code]; ok {
		return text
	}
	return texts[CodeInternal]
}

func refuse(code Code) *Error { return &Error{Code: code} }

// public turns any error into what the client is told.
func public(err error) *Error {
	if e, ok := err.(*Error); ok { //nolint:errorlint // the usual case, without what errors.As allocates
		return e.sound()
	}
	var e *Error
	var v *validate.Error
	switch {
	case errors.As(err, &e):
		return e.sound()
	case errors.As(err, &v):
		return &Error{Code: Code(v.Code), Message: v.Message + place(v.Path), Cause: v.Cause}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: CodeTimeout, Cause: err}
	case errors.Is(err, ErrUnavailable):
		return &Error{Code: CodeUnavailable, Cause: err}
	default:
		return &Error{Code: CodeInternal, Cause: err}
	}
}

// place is where in the data something is wrong, for those who write clients.
// Of what is no more than a text there is nothing to say.
func place(path string) string {
	if !strings.ContainsAny(path, ".[") {
		return ""
	}
	return " (" + path + ")"
}

// sound is e, or an internal error where the host has given e a code that
// clients cannot know.
func (e *Error) sound() *Error {
	if _, ok := texts[e.Code]; ok || e.Code.valid() {
		return e
	}
	cause := fmt.Errorf("a room.Error has the code %q, which is none", e.Code)
	if e.Cause != nil {
		cause = fmt.Errorf("%w: %w", cause, e.Cause)
	}
	return &Error{Code: CodeInternal, Message: e.Message, RetryAfter: e.RetryAfter, Cause: cause}
}

// valid reports whether a code of the host's own can be one.
func (c Code) valid() bool {
	for i := range len(c) {
		if b := c[i]; (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '_' {
			return false
		}
	}
	return len(c) > 0 && len(c) <= 64
}

// wire is the client's half of e. id is empty when nothing is hidden.
func (e *Error) wire(id string) *wire.Error {
	// Rounded up: a client that waits exactly this long must not be too early.
	ms := (e.RetryAfter + time.Millisecond - 1).Milliseconds()
	return &wire.Error{Code: string(e.Code), Message: e.text(), RetryAfterMS: ms, ID: id}
}
