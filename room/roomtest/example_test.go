package roomtest_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/roomtest"
)

// example runs what would be a test, with its *testing.T for t, and prints how
// it fails.
func example(test func(t testing.TB)) {
	r := new(recorder)
	r.run(test)
	if r.failure != "" {
		fmt.Println(r.failure)
	}
}

// A handler that counts votes and tells the room.
func Example() {
	type vote struct {
		For string `json:"for"`
	}
	type tally map[string]int

	example(func(t testing.TB) {
		srv := roomtest.NewServer(t, room.WithRooms("poll", room.Settings{Permission: room.Public}))
		count := tally{}
		room.Handle(srv.Server, "vote", func(ctx context.Context, _ *room.Conn, v vote) (int, error) {
			if v.For == "" {
				return 0, &room.Error{Code: room.CodeBadRequest, Message: "Vote for something."}
			}
			count[v.For]++
			_, err := srv.Room(room.CallRoom(ctx)).Publish(ctx, "tally", count)
			return count[v.For], err
		})

		ada, bob := srv.Connect(t, "ada"), srv.Connect(t, "bob")
		ada.Join("poll")
		bob.Join("poll")
		ada.ExpectJoined("poll", "bob")

		fmt.Println("votes for tea:", roomtest.Call[int](ada, "poll", "vote", vote{For: "tea"}))
		bob.ExpectEvent("poll", "tally", tally{"tea": 1})

		fault := ada.Request("call", roomtest.Fields{"room": "poll", "event": "vote", "data": vote{}}).ExpectError(room.CodeBadRequest)
		fmt.Println("refused:", fault.Message)
		bob.RefuteEvent("poll", "tally", 10*time.Millisecond)

		// Who is not in the room cannot vote.
		cyd := srv.Connect(t, "cyd")
		cyd.Request("call", roomtest.Fields{"room": "poll", "event": "vote", "data": vote{For: "tea"}}).ExpectError(room.CodeNotMember)
	})
	// Output:
	// votes for tea: 1
	// refused: Vote for something.
}

// Hooks: one that refuses clients, and one that rewrites what they say.
func ExampleServer_ExpectRefusal() {
	example(func(t testing.TB) {
		srv := roomtest.NewServer(t,
			room.WithRooms("lobby", room.Settings{Permission: room.Public}),
			room.OnConnect(func(_ context.Context, c *room.Conn, _ *http.Request) error {
				if !c.Identity().HasRole("paid") {
					return &room.Error{Code: room.CodeForbidden, Message: "Your subscription has ended."}
				}
				return nil
			}),
			room.OnMessage(func(_ context.Context, _ *room.Conn, m *room.Message) error {
				m.Data = []byte(strings.ReplaceAll(string(m.Data), "damn", "d**n"))
				return nil
			}),
		)
		refusal := srv.ExpectRefusal(t, "bob", room.CodeForbidden)
		fmt.Println(refusal.Status, refusal.Message)

		ada := srv.Connect(t, "ada", roomtest.WithRoles("paid"))
		ada.Join("lobby")
		ada.Send("lobby", "damn it")
		ada.ExpectMessage("lobby", "d**n it")
	})
	// Output:
	// 403 Your subscription has ended.
}

// An application with a room.Server, handlers and an authenticator of its own.
func ExampleDial() {
	app := func(t testing.TB) http.Handler {
		sessions := auth.AuthenticatorFunc(func(_ context.Context, c auth.Credentials) (auth.Identity, error) {
			if c.Token != "s3cret" {
				return auth.Identity{}, auth.ErrUnauthenticated
			}
			return auth.Identity{ID: "ada", Name: "Ada Lovelace"}, nil
		})
		srv, err := room.New(
			room.WithAuthenticator(sessions),
			room.WithCookie("session"),
			room.WithOrigins("https://app.example"),
			room.WithLogger(slog.New(slog.DiscardHandler)),
			room.WithRooms("lobby", room.Settings{Permission: room.Public}),
		)
		if err != nil {
			t.Fatalf("%v", err)
		}
		t.Cleanup(func() { _ = srv.Shutdown(context.Background()) })
		mux := http.NewServeMux()
		mux.Handle("GET /api/ws", srv)
		return mux
	}

	example(func(t testing.TB) {
		h := app(t)
		page := []roomtest.DialOption{
			roomtest.WithTarget("/api/ws"),
			roomtest.WithHeader("Cookie", "session=s3cret"),
		}
		_, refused := roomtest.Dial(t, h, append(page, roomtest.WithHeader("Origin", "https://evil.example"))...)
		fmt.Println(refused.Code)

		ada, refused := roomtest.Dial(t, h, append(page, roomtest.WithHeader("Origin", "https://app.example"))...)
		if refused != nil {
			t.Fatalf("%v", refused)
		}
		fmt.Println("welcome,", ada.Welcome().Name)
	})
	// Output:
	// origin_forbidden
	// welcome, Ada Lovelace
}

// A failure shows what came instead.
func ExampleClient_ExpectMessage() {
	example(func(t testing.TB) {
		srv := roomtest.NewServer(t, room.WithRooms("lobby", room.Settings{Permission: room.Public}))
		ada := srv.Connect(t, "ada", roomtest.WithPatience(100*time.Millisecond))
		ada.Join("lobby")
		if _, err := srv.Room("lobby").Publish(t.Context(), "notice", "lunch"); err != nil {
			t.Fatalf("%v", err)
		}
		ada.ExpectEvent("lobby", "notice", "lunch")
		ada.ExpectMessage("lobby", "dinner")
	})
	// Output:
	// roomtest: ada: waited for a message "message" in "lobby" with "dinner"
	// nothing else has come
	// the connection is open
}
