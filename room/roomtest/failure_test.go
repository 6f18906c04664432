package roomtest_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/roomtest"
)

// recorder is a test that fails without failing anything.
type recorder struct {
	testing.TB // nil: what is not below is not used
	cleanups   []func()

	mu      sync.Mutex // protects failure
	failure string
}

func (*recorder) Helper()                  {}
func (r *recorder) Cleanup(f func())       { r.cleanups = append(r.cleanups, f) }
func (*recorder) Context() context.Context { return context.Background() }
func (*recorder) Output() io.Writer        { return io.Discard }

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failure == "" {
		r.failure = fmt.Sprintf(format, args...)
	}
}

// stop is what Fatalf panics with.
type stop struct{}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(stop{})
}

// run runs a test in it, its cleanups included.
func (r *recorder) run(f func(t testing.TB)) {
	defer func() {
		for i := len(r.cleanups) - 1; i >= 0; i-- {
			r.cleanups[i]()
		}
	}()
	defer func() {
		if p := recover(); p != nil && p != any(stop{}) {
			panic(p)
		}
	}()
	f(r)
}

// failureOf is with what a test ends; it has to.
func failureOf(t *testing.T, f func(t testing.TB)) string {
	t.Helper()
	r := new(recorder)
	r.run(f)
	if r.failure == "" {
		t.Error("the test did not fail")
	}
	return r.failure
}

// Failures say what was expected, what came instead, and how the connection is.
func TestFailures(t *testing.T) {
	type clients struct{ ada, bob *roomtest.Client }
	for _, tt := range []struct {
		name string
		run  func(clients)
		want []string
	}{
		{
			"nothing came",
			func(c clients) { c.bob.ExpectMessage("lobby", "hi") },
			[]string{`bob: waited for a message "message" in "lobby" with "hi"`, "nothing else has come", "the connection is open"},
		},
		{
			"something else came",
			func(c clients) {
				c.ada.Send("lobby", "hello")
				c.bob.ExpectEvent("lobby", "note", roomtest.Anything)
			},
			[]string{`a message "note" in "lobby" with any data`, "1 came that nobody has expected yet", `"data":"hello"`},
		},
		{
			"other data",
			func(c clients) {
				c.ada.Send("lobby", "hello")
				c.bob.ExpectMessage("lobby", "goodbye")
			},
			[]string{`expected a message "message" in "lobby" with "goodbye"`, `but the next one is {"type":"message"`, `"data":"hello"`},
		},
		{
			"other order",
			func(c clients) {
				c.ada.Send("lobby", 1)
				c.ada.Send("lobby", 2)
				c.bob.ExpectMessage("lobby", 2)
			},
			[]string{`with 2`, `but the next one is`, `"data":1`},
		},
		{
			"bytes, not JSON",
			func(c clients) {
				c.ada.Send("lobby", []byte("hello"))
				c.bob.ExpectMessage("lobby", "hello")
			},
			[]string{`with "hello"`, `with 5 bytes: "hello"`},
		},
		{
			"JSON, not bytes",
			func(c clients) {
				c.ada.Send("lobby", "hello")
				c.bob.ExpectMessage("lobby", []byte("hello"))
			},
			[]string{`with 5 bytes "hello"`, `"data":"hello"`},
		},
		{
			"an error, not a success",
			func(c clients) { c.ada.Join("staff") },
			[]string{`ada: expected that this succeeds`, `"type":"join"`, `"code":"forbidden"`},
		},
		{
			"a success, not an error",
			func(c clients) {
				c.ada.Request("ping", nil).ExpectError(room.CodeForbidden)
			},
			[]string{`expected that this is refused with forbidden`, `"type":"ping"`, `"ok":true`},
		},
		{
			"another error",
			func(c clients) {
				c.ada.Request("leave", roomtest.Fields{"room": "staff"}).ExpectError(room.CodeForbidden)
			},
			[]string{`refused with forbidden`, `"code":"not_member"`},
		},
		{
			"another error without ref",
			func(c clients) {
				c.ada.Write(`{"type":"leave","room":"staff"}`)
				c.ada.ExpectError(room.CodeForbidden)
			},
			[]string{`expected an error forbidden`, `"code":"not_member"`},
		},
		{
			"no error",
			func(c clients) { c.ada.ExpectError(room.CodeForbidden) },
			[]string{`waited for an error forbidden`},
		},
		{
			"another user",
			func(c clients) {
				c.bob.Leave("lobby")
				c.ada.ExpectLeft("lobby", "cyd")
			},
			[]string{`expected user_left of "cyd" in "lobby"`, `"user":"bob"`},
		},
		{
			"nobody",
			func(c clients) { c.ada.ExpectJoined("lobby", "cyd") },
			[]string{`waited for user_joined of "cyd" in "lobby"`},
		},
		{
			"another reason",
			func(c clients) {
				c.ada.Request("ping", nil).ExpectOK()
				c.bob.Request("ping", nil).ExpectOK()
				c.bob.ExpectRemoved("lobby", "banned")
			},
			[]string{`waited for removed in "lobby"`},
		},
		{
			"still open",
			func(c clients) { c.ada.ExpectClose(4001) },
			[]string{`waited for the server to close the connection with 4001`, "the connection is open"},
		},
		{
			"another close code",
			func(c clients) {
				c.ada.Disconnect()
				c.ada.ExpectClose(4001)
			},
			[]string{`to be closed with 4001`, "the connection has ended with 1006"},
		},
		{
			"gone",
			func(c clients) {
				c.ada.Close()
				c.ada.Send("lobby", "hello")
			},
			[]string{`cannot send`, `"data":"hello"`, "the connection has ended with"},
		},
		{
			"what should not come",
			func(c clients) {
				c.ada.Send("lobby", "hello")
				c.bob.RefuteMessage("lobby", 0)
			},
			[]string{`expected a message "message" in "lobby" not to come within 0s`, `"data":"hello"`},
		},
		{
			"what should not come of any kind",
			func(c clients) {
				c.bob.Leave("lobby")
				c.ada.RefuteAll(time.Second)
			},
			[]string{`expected anything not to come within 1s`, `user_left`},
		},
		{
			"the end",
			func(c clients) {
				c.ada.Disconnect()
				c.ada.RefuteAll(time.Second)
			},
			[]string{`expected nothing to happen`, "1006"},
		},
		{
			"not welcome yet",
			func(c clients) { c.bob.Await("a unicorn", func(*roomtest.Frame) bool { return false }) },
			[]string{`waited for a unicorn`},
		},
		{
			"a flood",
			func(c clients) {
				for i := range 40 {
					c.ada.Send("lobby", i)
				}
				c.bob.Expect("removed", "")
			},
			[]string{`waited for removed`, "40 came that nobody has expected", "… and 20 more"},
		},
		{
			"a long one",
			func(c clients) {
				c.ada.Send("lobby", []string{strings.Repeat("x", 900), strings.Repeat("y", 900)})
				c.bob.Expect("removed", "")
			},
			[]string{"xxx… ("},
		},
		{
			"data that is no JSON",
			func(c clients) { c.ada.Send("lobby", make(chan int)) },
			[]string{"ada: a request of type message cannot be written as JSON"},
		},
		{
			"expected data that is no JSON",
			func(c clients) { c.ada.ExpectMessage("lobby", make(chan int)) },
			[]string{"ada: the data expected cannot be written as JSON"},
		},
		{
			"a reply of another kind",
			func(c clients) { roomtest.Call[int](c.ada, "", "echo", "text") },
			[]string{"cannot read the reply", `"data":"text"`},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				failure := failureOf(t, func(t testing.TB) {
					srv := roomtest.NewServer(t, lobby())
					room.Handle(srv.Server, "echo", func(_ context.Context, _ *room.Conn, in any) (any, error) { return in, nil })
					c := clients{srv.Connect(t, "ada"), srv.Connect(t, "bob")}
					c.ada.Join("lobby")
					c.bob.Join("lobby")
					c.ada.ExpectJoined("lobby", "bob")
					tt.run(c)
				})
				for _, want := range tt.want {
					if !strings.Contains(failure, want) {
						t.Errorf("the failure is\n%s\nwant %q in it", failure, want)
					}
				}
			})
		})
	}
}

func TestServerFailures(t *testing.T) {
	for _, tt := range []struct {
		name string
		run  func(t testing.TB)
		want string
	}{
		{"no rooms", func(t testing.TB) { roomtest.NewServer(t) }, "use WithRooms"},
		{"refused", func(t testing.TB) {
			roomtest.NewServer(t, lobby()).Connect(t, "ada", roomtest.WithToken("forged"))
		}, "ada was refused: 401 Unauthorized"},
		{"not refused", func(t testing.TB) {
			roomtest.NewServer(t, lobby()).ExpectRefusal(t, "ada", room.CodeForbidden)
		}, "ada was to be refused with forbidden, but is connected"},
		{"refused otherwise", func(t testing.TB) {
			roomtest.NewServer(t, lobby()).ExpectRefusal(t, "ada", room.CodeForbidden, roomtest.WithToken("forged"))
		}, "ada was to be refused with forbidden, but: 401"},
		{"not welcome yet", func(t testing.TB) {
			srv := roomtest.NewServer(t, lobby(), room.AllowFirstMessageToken())
			srv.Connect(t, "ada", roomtest.WithoutToken()).Welcome()
		}, "a client without a token is welcome after Auth"},
		{"a handler that does not end", func(t testing.TB) {
			srv := roomtest.NewServer(t, lobby())
			release := make(chan struct{})
			room.Handle(srv.Server, "hang", func(context.Context, *room.Conn, any) (any, error) { <-release; return nil, nil })
			time.AfterFunc(time.Minute, func() { close(release) })
			srv.Connect(t, "ada").Request("call", roomtest.Fields{"event": "hang"})
			time.Sleep(time.Second)
		}, "the server did not shut down within 10s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if failure := failureOf(t, tt.run); !strings.Contains(failure, tt.want) {
					t.Errorf("the failure is\n%s\nwant %q in it", failure, tt.want)
				}
			})
		})
	}
}

// A refutation in a bubble is exact.
func TestRefuteIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewServer(t, lobby())
		ada := srv.Connect(t, "ada")
		ada.Join("lobby")
		soon := func() {
			time.AfterFunc(time.Minute, func() {
				if _, err := srv.Room("lobby").Publish(context.Background(), "tick", nil); err != nil {
					t.Error(err)
				}
			})
		}
		soon()
		ada.RefuteEvent("lobby", "tick", time.Minute-1)
		ada.ExpectEvent("lobby", "tick", nil)
		soon()
		failure := failureOf(t, func(tb testing.TB) {
			bob := srv.Connect(tb, "bob")
			bob.Join("lobby")
			bob.RefuteEvent("lobby", "tick", time.Minute+1)
		})
		if !strings.Contains(failure, `"tick"`) {
			t.Errorf("failed with %s", failure)
		}
		time.Sleep(time.Minute)
		if came := ada.Discard(); len(came) != 3 { // Bob, the tick, Bob
			t.Errorf("%d frames came: %v", len(came), came)
		}
		ada.RefuteAll(time.Hour)
	})
}

func TestToken(t *testing.T) {
	a := roomtest.Authenticator()
	id, err := a.Authenticate(t.Context(), auth.Credentials{Token: roomtest.Token("ada", "staff", "admin")})
	if err != nil || id.ID != "ada" || !id.HasRole("admin") || id.Capabilities != nil {
		t.Errorf("%+v, %v", id.ID, err)
	}
	whole := auth.Identity{
		ID: "ada", Name: "Ada", ExpiresAt: time.Now().Add(time.Hour).Truncate(0), TokenID: "t",
		Capabilities: []auth.Capability{{Rooms: "lobby", Verbs: auth.Join | auth.History}},
	}
	id, err = a.Authenticate(t.Context(), auth.Credentials{Token: roomtest.TokenOf(whole)})
	if err != nil || id.Name != "Ada" || !id.ExpiresAt.Equal(whole.ExpiresAt) || id.TokenID != "t" ||
		len(id.Capabilities) != 1 || id.Capabilities[0] != whole.Capabilities[0] {
		t.Errorf("%#v, %v", id, err)
	}
	defer func() {
		if recover() == nil {
			t.Error("an identity that is no JSON has a token")
		}
	}()
	roomtest.TokenOf(auth.Identity{Claims: map[string]any{"x": make(chan int)}})
}
