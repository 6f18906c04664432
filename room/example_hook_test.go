package room_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/roomtest"
)

// A typed call, its reply, and what it tells the room.
func ExampleHandle() {
	t := beginTest()
	defer t.end()

	type vote struct {
		Choice string `json:"choice"`
	}
	type tally map[string]int

	srv := roomtest.NewServer(t, room.WithRooms("poll", room.Settings{Permission: room.Public}))
	var mu sync.Mutex // protects votes: other connections call at the same time
	votes := tally{}
	room.Handle(srv.Server, "vote", func(ctx context.Context, c *room.Conn, v vote) (tally, error) {
		if v.Choice == "" {
			return nil, &room.Error{Code: room.CodeBadRequest, Message: "Vote for something."}
		}
		mu.Lock()
		votes[v.Choice]++
		now := maps.Clone(votes)
		mu.Unlock()
		_, err := srv.Room(room.CallRoom(ctx)).Publish(ctx, "tally", now)
		return now, err
	})

	// In a page: await room.call("vote", { choice: "tea" })
	ada, bob := srv.Connect(t, "ada"), srv.Connect(t, "bob")
	ada.Join("poll")
	bob.Join("poll")
	fmt.Println(roomtest.Call[tally](ada, "poll", "vote", vote{"tea"}))
	bob.ExpectEvent("poll", "tally", tally{"tea": 1})
	fault := ada.Request("call", roomtest.Fields{"room": "poll", "event": "vote", "data": vote{}}).ExpectError(room.CodeBadRequest)
	fmt.Println(fault.Message)
	// Output:
	// map[tea:1]
	// Vote for something.
}

// The host's database says who belongs to a team. Public and Standing leave
// everything to the hook.
func ExampleOnJoin() {
	t := beginTest()
	defer t.end()

	members := map[string][]string{"team:7": {"ada"}} // the application's table
	srv := roomtest.NewServer(t,
		room.WithRooms("team:*", room.Settings{Permission: room.Public, Standing: true}),
		room.OnJoin(func(_ context.Context, c *room.Conn, name string) error {
			if !slices.Contains(members[name], c.Identity().ID) {
				return &room.Error{Code: room.CodeForbidden} // a database that is away: room.CodeUnavailable
			}
			return nil
		}),
	)
	bob := srv.Connect(t, "bob")
	bob.Request("join", roomtest.Fields{"room": "team:7"}).ExpectError(room.CodeForbidden)

	members["team:7"] = []string{"ada", "bob"}
	bob.Join("team:7")

	members["team:7"] = []string{"ada"}
	if err := srv.Room("team:7").Kick(t.Context(), "bob", "You have left the team."); err != nil {
		fmt.Println(err)
	}
	fmt.Println(bob.ExpectRemoved("team:7", "kicked").Reason)
	// Output:
	// You have left the team.
}

// What the handshake's request tells, kept with the connection.
func ExampleConn_SetValue() {
	t := beginTest()
	defer t.end()

	type device struct{} // a key of the application's own
	srv := roomtest.NewServer(t,
		room.WithRooms("lobby", room.Settings{Permission: room.Public}),
		room.OnConnect(func(_ context.Context, c *room.Conn, r *http.Request) error {
			c.SetValue(device{}, r.UserAgent())
			return nil
		}),
	)
	room.Handle(srv.Server, "device", func(_ context.Context, c *room.Conn, _ any) (any, error) {
		return c.Value(device{}), nil
	})
	ada := srv.Connect(t, "ada", roomtest.WithHeader("User-Agent", "Phone/1.0"))
	fmt.Println(roomtest.Call[string](ada, "", "device", nil))
	// Output:
	// Phone/1.0
}

// A hook that rewrites what is said and refuses some of it.
func ExampleOnMessage() {
	t := beginTest()
	defer t.end()

	srv := roomtest.NewServer(t,
		room.WithRooms("lobby", room.Settings{Permission: room.Public}),
		room.OnMessage(func(_ context.Context, _ *room.Conn, m *room.Message) error {
			var text string
			if m.Binary || json.Unmarshal(m.Data, &text) != nil {
				return &room.Error{Code: room.CodeBadRequest, Message: "Say it in words."}
			}
			data, err := json.Marshal(strings.ReplaceAll(text, "damn", "d**n"))
			m.Data = data
			return err
		}),
	)
	ada, bob := srv.Connect(t, "ada"), srv.Connect(t, "bob")
	ada.Join("lobby")
	bob.Join("lobby")
	ada.Send("lobby", "damn it")
	fmt.Printf("%s\n", bob.ExpectMessage("lobby", roomtest.Anything).Data)
	fault := ada.Request("message", roomtest.Fields{"room": "lobby", "data": 17}).ExpectError(room.CodeBadRequest)
	fmt.Println(fault.Message)
	// Output:
	// "d**n it"
	// Say it in words.
}

// Middleware that counts and times requests, for a metrics library.
func ExampleServer_Use() {
	t := beginTest()
	defer t.end()

	srv := roomtest.NewServer(t, room.WithRooms("lobby", room.Settings{Permission: room.Public}))
	srv.Use(func(next room.Handler) room.Handler {
		return func(ctx context.Context, c *room.Conn, r *room.Request) (room.Response, error) {
			began := time.Now()
			res, err := next(ctx, c, r)
			took := time.Since(began)
			fmt.Println(r.Type(), err == nil, took < time.Minute) // types are few, so that they may be labels
			return res, err
		}
	})
	ada := srv.Connect(t, "ada")
	ada.Join("lobby")
	ada.Request("join", roomtest.Fields{"room": "attic"}).ExpectError(room.CodeForbidden)
	// Output:
	// join true true
	// join false true
}

// The events of the log, counted. Their names are stable; docs/SECURITY-MODEL.md
// lists them.
func ExampleWithAudit() {
	t := beginTest()
	defer t.end()

	events := &counter{n: make(map[string]int)}
	srv := roomtest.NewServer(t, room.WithRooms("lobby", room.Settings{Permission: room.Public}), room.WithAudit(events))
	srv.Connect(t, "ada").Join("lobby")
	srv.ExpectRefusal(t, "bob", room.CodeUnauthenticated, roomtest.WithIdentity(auth.Identity{ExpiresAt: time.Now()}))

	events.mu.Lock()
	defer events.mu.Unlock()
	fmt.Println(events.n)
	// Output:
	// map[connect:1 join:1 refuse:1]
}

// counter is a slog.Handler that counts.
type counter struct {
	mu sync.Mutex // protects n
	n  map[string]int
}

func (c *counter) Handle(_ context.Context, r slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[r.Message]++
	return nil
}

func (*counter) Enabled(context.Context, slog.Level) bool { return true }
func (c *counter) WithAttrs([]slog.Attr) slog.Handler     { return c }
func (c *counter) WithGroup(string) slog.Handler          { return c }
