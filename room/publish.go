package room

import (
	"context"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/wire"
	"github.com/wardroom/wardroom/validate"
)

const (
	defaultEvent = "message"
	maxMessageID = 64 // characters
)

// publish says something in a room: check it, let the host change or refuse
// it, hand it to the broker, at once or with what else this input brings. The
// broker calls hall.deliver, which appends it to the members' logs; the sockets
// are written when this connection's input is used up.
func (c *Conn) publish(ctx context.Context, r *wire.Request) (wire.Result, error) {
	s := c.srv
	seat, err := c.member(r.Room, auth.Publish)
	if err != nil {
		return nil, err
	}
	if err := seat.maySpeak(); err != nil {
		return nil, err
	}
	m := Message{Kind: KindMessage, Room: r.Room, Event: r.Event, From: c.identity.Load().ID, ID: r.ID, Binary: r.Binary}
	if m.Event == "" {
		m.Event = defaultEvent
	}
	if !validate.Event(m.Event) {
		return nil, refuse(CodeInvalidEvent)
	}
	if utf8.RuneCountInString(m.ID) > maxMessageID {
		return nil, &Error{Code: CodeBadRequest, Message: "An id has at most 64 characters."}
	}
	if err := c.limitMessage(ctx, seat, len(r.Data)); err != nil {
		return nil, err
	}
	if m.Data, err = checkData(s.rules(seat.settings, m.Event), r.Data, r.Binary); err != nil {
		return nil, err
	}
	m.Data = slices.Clone(m.Data) // the frame's buffer is used again for the next one
	if err := c.consult(seat, &m); err != nil {
		return nil, err
	}
	keep := seat.settings.History
	if r.NoStore {
		keep = Retention{}
	}
	if r.NoEcho {
		m.Except = c.id
	}
	m.At = now()
	if s.gathers() {
		c.gather(seat, r.Ref, m, keep)
		return nil, errLater
	}
	seat.hall.hold(&c.batch)
	receipt, err := s.broker.Publish(ctx, m, keep)
	if err != nil {
		return nil, unavailable(err)
	}
	if r.Ref == 0 {
		return nil, nil
	}
	return published(receipt), nil
}

// consult lets the host refuse a message, or change its event and data.
func (c *Conn) consult(seat *seat, m *Message) error {
	f := c.srv.hooks.message
	if f == nil {
		return nil
	}
	c.flush()
	shown := *m
	if err := c.ask(func(ctx context.Context) error { return f(ctx, c, &shown) }); err != nil {
		return err
	}
	m.Event, m.Data = shown.Event, shown.Data
	// The host may have taken its time.
	if c.seat(m.Room) != seat {
		return refuse(CodeNotMember)
	}
	return seat.maySpeak()
}

// maySpeak refuses who is muted.
func (s *seat) maySpeak() error {
	until := s.muted.Load()
	if until == 0 {
		return nil
	}
	left := time.Until(time.UnixMilli(until))
	if left <= 0 {
		return nil
	}
	e := refuse(CodeMuted)
	if until < forever.UnixMilli() {
		e.RetryAfter = left
	}
	return e
}

// rules finds what the data of an event has to pass.
func (s *Server) rules(settings *Settings, event string) *validate.Rules {
	if len(settings.Events) > 0 {
		if r, ok := settings.Events[event]; ok {
			return &r
		}
	}
	if settings.Rules != nil {
		return settings.Rules
	}
	return &s.data
}

// checkData applies the rules for content and returns what may be sent.
func checkData(rules *validate.Rules, data []byte, binary bool) ([]byte, error) {
	if binary {
		if e := rules.Binary(data); e != nil {
			return nil, e
		}
		return data, nil
	}
	clean, e := rules.JSON(data)
	if e != nil {
		return nil, e
	}
	return clean, nil
}
