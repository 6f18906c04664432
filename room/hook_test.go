package room_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/room"
)

// diary writes down what happens, in order.
type diary struct {
	mu      sync.Mutex // protects entries
	entries []string
}

func (d *diary) write(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, fmt.Sprintf(format, args...))
}

func (d *diary) read() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.entries)
}

// The hooks are called in the order of a connection's life, each once.
func TestHooksInOrder(t *testing.T) {
	d := new(diary)
	h := serve(t, house(),
		room.OnConnect(func(_ context.Context, c *room.Conn, r *http.Request) error {
			d.write("connect %s %s %s", c.Identity().ID, r.URL.Path, c.RemoteIP())
			if err := c.Send("early", 1); err != nil {
				t.Errorf("Send in OnConnect: %v", err)
			}
			c.Disconnect("nothing to close yet")
			return nil
		}),
		room.OnJoin(func(_ context.Context, c *room.Conn, name string) error {
			d.write("join %s %t", name, c.In(name))
			return nil
		}),
		room.OnMessage(func(_ context.Context, c *room.Conn, m *room.Message) error {
			d.write("message %s %s %s %t", m.Room, m.Event, m.Data, c.In(m.Room))
			return nil
		}),
		room.OnLeave(func(_ context.Context, c *room.Conn, name string) {
			d.write("leave %s %t", name, c.In(name))
		}),
		room.OnDisconnect(func(ctx context.Context, c *room.Conn) {
			d.write("disconnect %v %v %v", c.Rooms(), ctx.Err(), c.Context().Err())
		}),
	)
	ada := h.connect("ada")
	ada.must("join", inRoom("hall"))
	ada.must("join", inRoom("lounge"))
	ada.must("message", inRoom("hall"), saying(`"hi"`), `"echo":false`)
	ada.must("leave", inRoom("hall"))
	ada.bye()
	eventually(t, "the connection is gone", func() bool { return h.srv.Stats().Connections == 0 })
	want := []string{
		"connect ada /ws 127.0.0.1",
		"join hall false",
		"join lounge false",
		`message hall message "hi" true`,
		"leave hall false",
		"leave lounge false",
		"disconnect [] <nil> context canceled",
	}
	if got := d.read(); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// A hook that refuses decides what the client is told; an error of the host's
// own, or a panic, is told as internal and nothing of it leaks.
func TestHooksRefuse(t *testing.T) {
	const secret = "secret-4711"
	outcome := func(what string) error {
		switch what {
		case "forbidden":
			return &room.Error{Code: room.CodeForbidden, Message: "Not you.", Cause: errors.New(secret)}
		case "wrapped":
			return fmt.Errorf("%s: %w", secret, &room.Error{Code: room.CodeConflict})
		case "plain":
			return errors.New(secret)
		case "panic":
			panic(secret)
		case "timeout":
			return fmt.Errorf("%s: %w", secret, context.DeadlineExceeded)
		}
		return nil
	}
	h := serve(t, house(),
		room.OnJoin(func(_ context.Context, c *room.Conn, _ string) error { return outcome(c.Identity().Name) }),
		room.OnMessage(func(_ context.Context, _ *room.Conn, m *room.Message) error { return outcome(m.Event) }),
	)
	speaker := h.in("speaker", "lounge")
	for what, code := range map[string]string{"forbidden": "forbidden", "wrapped": "conflict", "plain": "internal", "panic": "internal", "timeout": "timeout"} {
		v := h.connect("ada~name." + what)
		for _, e := range []*fault{
			v.refused(code, "join", inRoom("hall")),
			speaker.refused(code, "message", inRoom("lounge"), `"event":"`+what+`"`, saying("1")),
		} {
			if strings.Contains(e.Message, secret) {
				t.Errorf("%s: the client is told %q", what, e.Message)
			}
			if what == "forbidden" && e.Message != "Not you." {
				t.Errorf("%s: the client is told %q", what, e.Message)
			}
			if what == "wrapped" {
				continue // the wrapping is not the error's own cause
			}
			if e.ID == "" || !strings.Contains(h.log.String(), e.ID) {
				t.Errorf("%s: id %q is not in the log", what, e.ID)
			}
		}
		v.refused("not_member", "message", inRoom("hall"), saying("1"))
		v.silent()
	}
	speaker.silent()
	if !strings.Contains(h.log.String(), secret) {
		t.Error("the cause is not in the log")
	}
	if got := memberIDs(h, "hall"); len(got) != 0 {
		t.Errorf("members %v", got)
	}
}

// A message can be rewritten before it is stored and sent, not moved.
func TestHookRewrites(t *testing.T) {
	h := serve(t, house(), room.OnMessage(func(_ context.Context, _ *room.Conn, m *room.Message) error {
		m.Data, m.Room = []byte(`"tidy"`), "lounge"
		if m.Event == "message" {
			m.Event = "clean"
		}
		return nil
	}))
	ada, bob := h.in("ada", "hall", "lounge"), h.in("bob", "hall")
	ada.forget()
	ada.must("message", inRoom("hall"), saying(`"mess"`), `"echo":false`)
	if f := bob.expect("message"); f.Room != "hall" || f.Event != "clean" || string(f.Data) != `"tidy"` {
		t.Errorf("got %s", f)
	}
	if r := ada.must("history", inRoom("hall")); len(r.Messages) != 1 || string(r.Messages[0].Data) != `"tidy"` {
		t.Errorf("history %s", r.raw)
	}
	ada.must("edit", inRoom("hall"), `"target":1`, saying(`"worse"`))
	if f := bob.expect("message_edited"); string(f.Data) != `"tidy"` {
		t.Errorf("got %s", f)
	}
}

// Whoever is put out or muted while the host looks at their message has said
// nothing.
func TestSilencedWhileAsked(t *testing.T) {
	ctx := context.Background()
	for code, act := range map[string]func(*room.Room) error{
		"not_member": func(r *room.Room) error { return r.Kick(ctx, "bob", "") },
		"muted":      func(r *room.Room) error { return r.Mute(ctx, "bob", time.Time{}, "") },
	} {
		var h *host
		h = serve(t, house(), room.OnMessage(func(_ context.Context, _ *room.Conn, m *room.Message) error { return act(h.srv.Room(m.Room)) }))
		ada, bob := h.in("ada", "hall"), h.in("bob", "hall")
		ada.expect("user_joined")
		bob.refused(code, "message", inRoom("hall"), saying(`"last words"`))
		if r := ada.must("history", inRoom("hall")); len(r.Messages) != 0 {
			t.Errorf("%s: history %s", code, r.raw)
		}
		if code == "not_member" {
			ada.expect("user_left")
		}
		ada.silent()
	}
}

// Hooks that can refuse nothing can do no harm either.
func TestPanicsAreContained(t *testing.T) {
	h := serve(t, house(),
		room.OnLeave(func(context.Context, *room.Conn, string) { panic("leave") }),
		room.OnDisconnect(func(context.Context, *room.Conn) { panic("disconnect") }),
	)
	ada, bob := h.in("ada", "hall"), h.in("bob", "hall")
	ada.expect("user_joined")
	bob.must("leave", inRoom("hall"))
	ada.expect("user_left")
	bob.must("join", inRoom("hall"))
	ada.expect("user_joined")
	bob.bye()
	ada.expect("user_left")
	eventually(t, "Bob is gone", func() bool { return h.srv.Stats().Connections == 1 })
	if log := h.log.String(); !strings.Contains(log, "leave") || !strings.Contains(log, "disconnect") || !strings.Contains(log, `"stack"`) {
		t.Error("the panics are not in the log")
	}
}

// lame is an error whose methods panic.
type lame struct{}

func (*lame) Error() string { return "lame" }
func (*lame) Unwrap() error { panic("unwrapped") }

// An error of the host's that cannot be looked at is a panic like others: it
// refuses, and ends nothing but the request.
func TestErrorsThatPanic(t *testing.T) {
	var none *room.Error
	var missing *fs.PathError
	for name, bad := range map[string]error{
		"nil":         none,
		"nil, inside": fmt.Errorf("no: %w", none),
		"another nil": missing,
		"lame":        &lame{},
	} {
		t.Run(name, func(t *testing.T) {
			var enter atomic.Bool
			h := serve(t, house(),
				room.WithAuthenticator(auth.AuthenticatorFunc(func(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
					if c.Token == "eve" {
						return auth.Identity{ID: "eve"}, bad
					}
					return gate(ctx, c)
				})),
				room.OnConnect(func(_ context.Context, c *room.Conn, _ *http.Request) error {
					if c.Identity().ID == "bob" {
						return bad
					}
					return nil
				}),
				room.OnJoin(func(context.Context, *room.Conn, string) error {
					if enter.Load() {
						return nil
					}
					return bad
				}),
				room.OnMessage(func(context.Context, *room.Conn, *room.Message) error { return bad }))
			h.srv.Use(func(next room.Handler) room.Handler {
				return func(ctx context.Context, c *room.Conn, r *room.Request) (room.Response, error) {
					if r.Type() == "history" {
						return room.Response{}, bad
					}
					return next(ctx, c, r)
				}
			})
			room.Handle(h.srv, "bad", func(context.Context, *room.Conn, any) (int, error) { return 1, bad })
			for _, user := range []string{"bob", "eve"} {
				if _, status, _, body := h.handshake(upgrade("Authorization: Bearer " + user)...); status != http.StatusServiceUnavailable {
					t.Errorf("%s: %d %s", user, status, body)
				}
			}
			ada := h.connect("ada")
			ada.refused("internal", "join", inRoom("hall"))
			enter.Store(true)
			ada.must("join", inRoom("hall"))
			ada.refused("internal", "message", inRoom("hall"), saying("1"))
			ada.refused("internal", "history", inRoom("hall"))
			ada.refused("internal", "call", `"event":"bad"`)
			ada.must("ping")
			ada.bye()
		})
	}
}

// A handler that ends its goroutine, as one in a test does by t.Fatal, ends its
// connection, and Shutdown does not wait for it.
func TestHandlerThatExits(t *testing.T) {
	h := serve(t, house())
	room.Handle(h.srv, "exit", func(context.Context, *room.Conn, any) (int, error) { runtime.Goexit(); return 0, nil })
	bob := h.in("bob", "hall")
	ada := h.in("ada", "hall")
	bob.expect("user_joined")
	ada.send(envelope(7, "call", `"event":"exit"`))
	bob.expect("user_left")
	eventually(t, "Ada is gone", func() bool { return h.srv.Stats().Connections == 1 })
	bob.bye()
	if err := h.srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// A code of the host's own reaches the client; what cannot be one does not.
func TestCodesOfTheHost(t *testing.T) {
	h := serve(t, house())
	for event, e := range map[string]*room.Error{
		"own":  {Code: "quota_2_exceeded", Message: "Buy more."},
		"none": {Message: "Buy more."},
		"odd":  {Code: "Quota exceeded\n", Cause: errors.New("a cause")},
		"long": {Code: room.Code(strings.Repeat("a", 65))},
	} {
		room.Handle(h.srv, event, func(context.Context, *room.Conn, any) (int, error) { return 0, e })
	}
	ada := h.connect("ada")
	if f := ada.refused("quota_2_exceeded", "call", `"event":"own"`); f.ID != "" || f.Message != "Buy more." {
		t.Errorf("got %+v", f)
	}
	if f := ada.refused("internal", "call", `"event":"none"`); f.ID == "" || f.Message != "Buy more." {
		t.Errorf("got %+v", f)
	}
	ada.refused("internal", "call", `"event":"odd"`)
	ada.refused("internal", "call", `"event":"long"`)
	if log := h.log.String(); !strings.Contains(log, "which is none: a cause") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

// A hook has so much time, by its context, and is then answered for.
func TestHooksHaveDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := servePipes(t, house(), limits(func(l *room.Limits) { l.Handler = 3 * time.Second }),
			room.OnJoin(func(ctx context.Context, _ *room.Conn, name string) error {
				if name == "hall" {
					return nil
				}
				<-ctx.Done()
				return ctx.Err()
			}),
			room.OnMessage(func(ctx context.Context, _ *room.Conn, _ *room.Message) error {
				<-ctx.Done()
				return ctx.Err()
			}),
		)
		room.Handle(h.srv, "wait", func(ctx context.Context, _ *room.Conn, _ int) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		ada := h.in("ada", "hall")
		for _, request := range [][]string{
			{"join", inRoom("lounge")},
			{"message", inRoom("hall"), saying("1")},
			{"call", `"event":"wait"`},
		} {
			began := time.Now()
			ada.refused("timeout", request[0], request[1:]...)
			if after := time.Since(began); after != 3*time.Second {
				t.Errorf("%v: after %v", request, after)
			}
		}
		ada.silent()
	})
}

// What a hook takes its time for delays nobody else, and what was done before
// it is sent before it.
func TestHooksDelayNobody(t *testing.T) {
	release := make(chan struct{})
	h := serve(t, house(), room.OnMessage(func(_ context.Context, _ *room.Conn, m *room.Message) error {
		if m.Event == "slow" {
			<-release
		}
		return nil
	}))
	ada, bob := h.in("ada", "hall"), h.in("bob", "hall")
	ada.forget()
	b := masked(nil, opText, []byte(`{"type":"ping","ref":50}`))
	b = masked(b, opText, []byte(`{"type":"message","ref":51,"room":"hall","data":1}`))
	b = masked(b, opText, []byte(`{"type":"message","ref":52,"room":"hall","event":"slow","data":2}`))
	if _, err := ada.conn.Write(b); err != nil {
		t.Fatal(err)
	}
	ada.reply(50)
	ada.reply(51)
	if f := bob.expect("message"); string(f.Data) != "1" {
		t.Errorf("got %s", f)
	}
	bob.must("message", inRoom("hall"), saying("3"), `"echo":false`)
	close(release)
	ada.reply(52)
	if f := bob.expect("message"); string(f.Data) != "2" {
		t.Errorf("got %s", f)
	}
}

// A client refused by OnConnect was never there.
func TestConnectRefused(t *testing.T) {
	d := new(diary)
	h := serve(t, house(), limits(func(l *room.Limits) { l.ConnectionsPerUser = 1 }), room.AllowFirstMessageToken(),
		room.OnConnect(func(context.Context, *room.Conn, *http.Request) error {
			return &room.Error{Code: room.CodeForbidden, Message: "Closed today."}
		}),
		room.OnDisconnect(func(context.Context, *room.Conn) { d.write("disconnect") }),
	)
	for range 3 {
		_, status, _, body := h.handshake(upgrade("Authorization: Bearer ada")...)
		if status != http.StatusForbidden || !strings.Contains(body, "Closed today.") {
			t.Errorf("%d %s", status, body)
		}
		c := h.anonymous()
		if e := c.refused("forbidden", "auth", `"token":"ada"`); e.Message != "Closed today." {
			t.Errorf("got %q", e.Message)
		}
		c.expectClose(4003)
		eventually(t, "the connection is gone", func() bool { return h.srv.Stats().Connections == 0 })
	}
	if got := d.read(); len(got) != 0 {
		t.Errorf("hooks %q", got)
	}
}
