package room_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/wardroom/wardroom/room"
)

// Middleware wraps every request, the first outermost, and can answer or
// refuse in place of the server.
func TestMiddleware(t *testing.T) {
	h := serve(t, house())
	d := new(diary)
	wrap := func(name string) room.Middleware {
		return func(next room.Handler) room.Handler {
			return func(ctx context.Context, c *room.Conn, r *room.Request) (room.Response, error) {
				d.write("%s>%s", name, r.Type())
				defer d.write("%s<", name)
				return next(ctx, c, r)
			}
		}
	}
	h.srv.Use(wrap("a"), wrap("b"))
	h.srv.Use(wrap("c"))
	h.connect("ada").must("ping")
	if got, want := d.read(), []string{"a>ping", "b>ping", "c>ping", "c<", "b<", "a<"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Middleware sees what was asked, and who asks.
func TestMiddlewareSees(t *testing.T) {
	h := serve(t, house())
	d := new(diary)
	h.srv.Use(func(next room.Handler) room.Handler {
		return func(ctx context.Context, c *room.Conn, r *room.Request) (room.Response, error) {
			d.write("%s %s %q %q %s", c.Identity().ID, r.Type(), r.Room(), r.Event(), r.Data())
			return next(ctx, c, r)
		}
	})
	ada := h.connect("ada")
	ada.must("join", inRoom("hall"))
	ada.must("message", inRoom("hall"), `"event":"move"`, saying(`{"to":"e4"}`))
	ada.refused("invalid_room", "message", inRoom("a b"), saying(`1`))
	ada.send(`no JSON`)
	ada.request("ping")
	want := []string{
		`ada join "hall" "" `, `ada message "hall" "move" {"to":"e4"}`, `ada message "a b" "" 1`, `ada ping "" "" `,
	}
	if got := d.read(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// What middleware refuses is answered like any refusal, once, and its panics
// are contained.
func TestMiddlewareRefuses(t *testing.T) {
	h := serve(t, house())
	h.srv.Use(func(next room.Handler) room.Handler {
		return func(ctx context.Context, c *room.Conn, r *room.Request) (room.Response, error) {
			switch r.Event() {
			case "refuse":
				return room.Response{}, &room.Error{Code: room.CodeForbidden, Message: "Middleware says no."}
			case "fail":
				return room.Response{}, errors.New("secret-4711")
			case "panic":
				panic("secret-4711")
			case "answer":
				return room.Response{}, nil // without asking anyone
			case "late":
				if _, err := next(ctx, c, r); err != nil {
					return room.Response{}, err
				}
				return room.Response{}, &room.Error{Code: room.CodeConflict}
			}
			return next(ctx, c, r)
		}
	})
	ada, bob := h.in("ada", "hall"), h.in("bob", "hall")
	ada.expect("user_joined")
	say := func(event string) frame {
		return ada.request("message", inRoom("hall"), saying(`1`), `"event":"`+event+`"`, `"echo":false`)
	}
	for event, code := range map[string]string{"refuse": "forbidden", "fail": "internal", "panic": "internal"} {
		f := say(event)
		if f.Error == nil || f.Error.Code != code || strings.Contains(f.text, "secret") {
			t.Errorf("%s: got %s", event, f)
		}
	}
	if f := say("answer"); f.Error != nil || string(f.Data) != "{}" {
		t.Errorf("answer: got %s", f)
	}
	bob.silent()
	if f := say("late"); f.Error == nil || f.Error.Code != "conflict" {
		t.Errorf("late: got %s", f)
	}
	if f := bob.expect("message"); f.Event != "late" {
		t.Errorf("got %s", f)
	}
	ada.silent()
}

// A join that middleware refuses after it was made is one all the same, and
// the client hears what the room says.
func TestMiddlewareAfterJoin(t *testing.T) {
	h := serve(t, house())
	h.srv.Use(func(next room.Handler) room.Handler {
		return func(ctx context.Context, c *room.Conn, r *room.Request) (room.Response, error) {
			res, err := next(ctx, c, r)
			if r.Type() == "join" {
				panic("after the join")
			}
			return res, err
		}
	})
	ada := h.connect("ada")
	ada.refused("internal", "join", inRoom("hall"))
	ada.must("message", inRoom("hall"), saying(`1`))
	ada.expect("message")
}
