package roomtest_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/roomtest"
)

// lobby is the rooms of most tests.
func lobby() room.Option {
	return room.Options(
		room.WithRooms("lobby", room.Settings{Permission: room.Public, History: room.Keep(100, time.Hour)}),
		room.WithRooms("staff", room.Settings{Permission: room.Restricted, Roles: []string{"staff"}}),
	)
}

// everywhere runs a test in a bubble, outside of one, and over a network.
func everywhere(t *testing.T, f func(t *testing.T, opts ...roomtest.DialOption)) {
	t.Run("bubble", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(t) })
	})
	t.Run("process", func(t *testing.T) { f(t) })
	t.Run("TCP", func(t *testing.T) { f(t, roomtest.OverTCP()) })
	t.Run("compressed", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(t, roomtest.WithCompression()) })
	})
}

type vote struct {
	For string `json:"for"`
}

func TestConversation(t *testing.T) {
	everywhere(t, func(t *testing.T, opts ...roomtest.DialOption) {
		srv := roomtest.NewServer(t, lobby())
		room.Handle(srv.Server, "vote", func(_ context.Context, _ *room.Conn, v vote) (vote, error) {
			return vote{strings.ToUpper(v.For)}, nil
		})
		room.Handle(srv.Server, "where", func(ctx context.Context, _ *room.Conn, _ any) (string, error) {
			return room.CallRoom(ctx), nil
		})
		ada := srv.Connect(t, "ada", append(opts, roomtest.WithName("Ada Lovelace"))...)
		bob := srv.Connect(t, "bob", append(opts, roomtest.WithRoles("staff"))...)
		if w := ada.Welcome(); w.User != "ada" || w.Name != "Ada Lovelace" || w.Connection == "" {
			t.Errorf("welcome %v", w)
		}

		joined := ada.Join("lobby")
		if joined.Room != "lobby" || joined.Permission != "public" || len(joined.Members) != 1 || joined.Members[0].Name != "Ada Lovelace" {
			t.Errorf("joined %+v", joined)
		}
		bob.Join("lobby")
		ada.ExpectJoined("lobby", "bob")

		receipt := ada.Send("lobby", "Grüße <b>")
		ada.Send("lobby", map[string]any{"n": 1, "list": []string{"a"}})
		ada.SendEvent("lobby", "file", []byte{0, 1, 0xFF})
		long := strings.Repeat("long ", 150)
		ada.SendEvent("lobby", "long", []string{long, long, long})
		// In any order, as long as it is kept within a room and event.
		bob.ExpectEvent("lobby", "file", []byte{0, 1, 0xFF})
		if f := bob.ExpectMessage("lobby", "Grüße <b>"); f.From != "ada" || f.Position() != receipt.Position || f.At != receipt.At.UnixMilli() {
			t.Errorf("message %v, receipt %+v", f, receipt)
		}
		bob.ExpectMessage("lobby", map[string]any{"list": []string{"a"}, "n": 1.0})
		bob.ExpectEvent("lobby", "long", []string{long, long, long})
		ada.ExpectMessage("lobby", roomtest.Anything)
		ada.ExpectMessage("lobby", roomtest.Anything)

		if got := roomtest.Call[vote](ada, "", "vote", vote{"tea"}); got.For != "TEA" {
			t.Errorf("vote %+v", got)
		}
		if got := roomtest.Call[string](ada, "lobby", "where", nil); got != "lobby" {
			t.Errorf("where %q", got)
		}
		ada.Request("join", roomtest.Fields{"room": "staff"}).ExpectError(room.CodeForbidden)
		bob.Join("staff")
		ada.Request("call", roomtest.Fields{"event": "nothing"}).ExpectError(room.CodeUnsupportedCall)
		ada.Write(`{"type":"message","room":"staff","data":1}`)
		ada.ExpectError(room.CodeNotMember)
		if got := bob.Members("lobby"); len(got) != 2 || got[0].User != "ada" || got[1].Connections != 1 {
			t.Errorf("members %+v", got)
		}

		// A binary message is the same in history.
		back := bob.Rejoin("lobby", room.Position{Epoch: receipt.Epoch, Offset: receipt.Offset})
		if !back.Recovered || len(back.Messages) != 3 || back.Position() != (room.Position{Epoch: receipt.Epoch, Offset: 4}) {
			t.Fatalf("rejoined %+v", back)
		}
		if f := back.Messages[1]; !f.Binary || string(f.Payload) != "\x00\x01\xFF" || f.Offset != 3 || f.String() == "" {
			t.Errorf("in history it is %v %q", f, f.Payload)
		}

		ada.Leave("lobby")
	})
}

func TestLeaving(t *testing.T) {
	everywhere(t, func(t *testing.T, opts ...roomtest.DialOption) {
		limits := room.DefaultLimits()
		limits.Grace = 20 * time.Millisecond
		srv := roomtest.NewServer(t, lobby(), room.WithLimits(limits))
		ada := srv.Connect(t, "ada", opts...)
		ada.Join("lobby")
		for i, leave := range []struct {
			how    func(*roomtest.Client)
			reason string
		}{
			{func(c *roomtest.Client) { c.Leave("lobby") }, "left"},
			{(*roomtest.Client).Close, "disconnected"},
			{(*roomtest.Client).Disconnect, "disconnected"},
		} {
			user := fmt.Sprint("bob", i)
			bob := srv.Connect(t, user, opts...)
			bob.Join("lobby")
			ada.ExpectJoined("lobby", user)
			leave.how(bob)
			if f := ada.ExpectLeft("lobby", user); f.Reason != leave.reason {
				t.Errorf("left %v, want the reason %q", f, leave.reason)
			}
		}
		if got := ada.Members("lobby"); len(got) != 1 {
			t.Errorf("members %+v", got)
		}
	})
}

func TestClosedByServer(t *testing.T) {
	everywhere(t, func(t *testing.T, opts ...roomtest.DialOption) {
		srv := roomtest.NewServer(t, lobby())
		ada, bob := srv.Connect(t, "ada", opts...), srv.Connect(t, "bob", opts...)
		if err := srv.User("ada").Disconnect(t.Context(), "go home"); err != nil {
			t.Fatal(err)
		}
		if end := ada.ExpectClose(4003); end.Reason != "go home" {
			t.Errorf("closed with %+v", end)
		}
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		bob.Expect("goaway", "")
		bob.ExpectClose(4200)
		srv.ExpectRefusal(t, "ada", room.CodeUnavailable, opts...)
	})
}

func TestKicked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewServer(t, lobby())
		ada, bob := srv.Connect(t, "ada"), srv.Connect(t, "bob")
		ada.Join("lobby")
		bob.Join("lobby")
		if err := srv.Room("lobby").Kick(t.Context(), "bob", "spam"); err != nil {
			t.Fatal(err)
		}
		if f := bob.ExpectRemoved("lobby", "kicked"); f.Reason != "spam" {
			t.Errorf("removed %v", f)
		}
		ada.ExpectJoined("lobby", "bob")
		ada.ExpectLeft("lobby", "bob")
		bob.Request("message", roomtest.Fields{"room": "lobby", "data": 1}).ExpectError(room.CodeNotMember)
		ada.RefuteMessage("lobby", time.Minute)
	})
}

// A bubble's time is the server's: heartbeats, expiries, sanctions.
func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewServer(t, lobby())
		start := time.Now()
		ada := srv.Connect(t, "ada", roomtest.WithPatience(time.Minute))
		ada.Join("lobby")
		bob := srv.Connect(t, "bob", roomtest.WithIdentity(auth.Identity{ExpiresAt: start.Add(time.Hour)}))
		bob.Join("lobby")
		ada.ExpectJoined("lobby", "bob")

		// Idle clients live: they answer pings.
		ada.RefuteAll(59 * time.Minute)
		bob.Expect("expiring", "")
		bob.RefuteAll(59 * time.Second)
		bob.ExpectClose(4101)
		if passed := time.Since(start); passed < time.Hour || passed > time.Hour+10*time.Second {
			t.Errorf("the token of an hour expired after %v", passed)
		}
		ada.ExpectLeft("lobby", "bob")

		cyd := srv.Connect(t, "cyd")
		cyd.Join("lobby")
		ada.ExpectJoined("lobby", "cyd")
		cyd.Freeze()
		ada.Refute("user_left", "lobby", 75*time.Second)
		time.Sleep(15 * time.Second)
		if f := ada.ExpectLeft("lobby", "cyd"); f.Reason != "timeout" {
			t.Errorf("left %v", f)
		}
		cyd.Thaw()
		cyd.ExpectClose(1006)
	})
}

func TestThaw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewServer(t, lobby())
		ada, bob := srv.Connect(t, "ada"), srv.Connect(t, "bob")
		ada.Join("lobby")
		bob.Join("lobby")
		bob.Freeze()
		bob.Freeze()
		for i := range 50 {
			ada.Send("lobby", i)
			time.Sleep(100 * time.Millisecond)
		}
		if frames := bob.Discard(); len(frames) > 0 {
			t.Errorf("a frozen client got %v", frames)
		}
		bob.Thaw()
		bob.Thaw()
		for i := range 50 {
			bob.ExpectMessage("lobby", i)
		}
	})
}

func TestRefusals(t *testing.T) {
	everywhere(t, func(t *testing.T, opts ...roomtest.DialOption) {
		srv := roomtest.NewServer(t, lobby(), room.OnConnect(func(_ context.Context, c *room.Conn, r *http.Request) error {
			if c.Identity().HasRole("banned") {
				return &room.Error{Code: room.CodeBanned, Message: "Not you."}
			}
			if v := r.URL.Query().Get("v"); v != "" && v != "2" {
				return &room.Error{Code: room.CodeBadRequest, Message: "Too old."}
			}
			return nil
		}))
		with := func(more ...roomtest.DialOption) []roomtest.DialOption { return append(more, opts...) }
		for _, token := range []string{"nonsense", "roomtest.!", "roomtest.e30", roomtest.Token("not an ID!")} {
			r := srv.ExpectRefusal(t, "ada", room.CodeUnauthenticated, with(roomtest.WithToken(token))...)
			if r.Status != 401 || r.Header.Get("WWW-Authenticate") != "Bearer" || r.Message == "" {
				t.Errorf("with the token %q: %v", token, r)
			}
		}
		srv.ExpectRefusal(t, "ada", room.CodeUnauthenticated, with(roomtest.WithoutToken())...)
		expired := auth.Identity{ID: "ada", ExpiresAt: time.Now().Add(-time.Second)}
		srv.ExpectRefusal(t, "ada", room.CodeUnauthenticated, with(roomtest.WithIdentity(expired))...)
		srv.ExpectRefusal(t, "ada", room.CodeOriginForbidden, with(roomtest.WithHeader("Origin", "https://evil.example"))...)
		if r := srv.ExpectRefusal(t, "ada", room.CodeBanned, with(roomtest.WithRoles("banned"))...); r.Message != "Not you." {
			t.Errorf("refused with %v", r)
		}
		srv.ExpectRefusal(t, "ada", room.CodeBadRequest, with(roomtest.WithTarget("/ws?v=1"))...)
		srv.Connect(t, "ada", with(roomtest.WithTarget("/ws?v=2"))...)
		if srv.Stats().Connections != 1 {
			t.Errorf("stats %+v", srv.Stats())
		}
	})
}

func TestAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		srv := roomtest.NewServer(t, lobby(), room.OnConnect(func(_ context.Context, c *room.Conn, _ *http.Request) error {
			seen = append(seen, c.RemoteIP().String())
			return nil
		}))
		// Nobody meets the limits of addresses by accident.
		for i := range 200 {
			srv.Connect(t, fmt.Sprint("user", i))
		}
		from := roomtest.WithAddress("192.0.2.7")
		srv.Connect(t, "ada", from)
		if got := seen[len(seen)-1]; got != "192.0.2.7" {
			t.Errorf("the client came from %s", got)
		}
		for range 19 {
			srv.Connect(t, "ada", from)
		}
		if r := srv.ExpectRefusal(t, "bob", room.CodeRateLimited, from); r.Status != 429 || r.Header.Get("Retry-After") == "" {
			t.Errorf("refused with %v", r)
		}
	})
}

func TestFirstMessage(t *testing.T) {
	everywhere(t, func(t *testing.T, opts ...roomtest.DialOption) {
		srv := roomtest.NewServer(t, lobby(), room.AllowFirstMessageToken())
		opts = append(opts, roomtest.WithoutToken())
		ada := srv.Connect(t, "ada", opts...)
		ada.Request("join", roomtest.Fields{"room": "lobby"}).ExpectError(room.CodeUnauthenticated)
		ada.Auth(roomtest.Token("ada"))
		if ada.Welcome().User != "ada" {
			t.Errorf("welcome %v", ada.Welcome())
		}
		ada.Join("lobby")
		ada.Auth(roomtest.TokenOf(auth.Identity{ID: "ada", ExpiresAt: time.Now().Add(time.Hour)}))

		eve := srv.Connect(t, "eve", opts...)
		eve.Request("auth", roomtest.Fields{"token": "forged"}).ExpectError(room.CodeUnauthenticated)
		eve.ExpectClose(4001)
	})
}

// Servers that share their stores are nodes of one.
func TestNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := room.Options(lobby(), room.WithStore(room.NewMemoryStore()), room.WithBroker(room.NewMemoryBroker()))
		ada := roomtest.NewServer(t, shared).Connect(t, "ada")
		bob := roomtest.NewServer(t, shared).Connect(t, "bob")
		ada.Join("lobby")
		bob.Join("lobby")
		ada.ExpectJoined("lobby", "bob")
		ada.Send("lobby", "over there")
		bob.ExpectMessage("lobby", "over there")
	})
}

// Clients come and go without leaving anything behind; TestMain looks for
// goroutines.
func TestComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewServer(t, lobby())
		for i := range 200 {
			c := srv.Connect(t, fmt.Sprint("user", i))
			c.Join("lobby")
			switch i % 3 {
			case 0:
				c.Close()
			case 1:
				c.Disconnect()
			case 2:
				c.Leave("lobby")
				c.Close()
				c.Close()
				c.Disconnect()
			}
		}
		time.Sleep(time.Minute)
		if stats := srv.Stats(); stats.Connections+stats.Users+stats.Rooms > 0 {
			t.Errorf("left behind: %+v", stats)
		}
	})
}

// A client that is frozen for too long is a slow consumer.
func TestSlowConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewServer(t, lobby())
		ada, bob := srv.Connect(t, "ada"), srv.Connect(t, "bob")
		ada.Join("lobby")
		bob.Join("lobby")
		bob.Freeze()
		text := []string{strings.Repeat("x", 999), strings.Repeat("y", 999)}
		for range 100 {
			ada.Send("lobby", text)
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(5 * time.Second) // less than the 10 that one may take to read nothing
		bob.Thaw()
		for range 100 {
			bob.ExpectMessage("lobby", text)
		}
		bob.Freeze()
		for range 100 {
			ada.Send("lobby", text)
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(8 * time.Second) // more than 10, but less than the 5 of the closing handshake on top
		bob.Thaw()
		bob.ExpectClose(4103)
	})
}

// What was redacted comes back to nobody, nor what it had been edited to.
func TestRedactedIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := roomtest.NewServer(t, lobby())
		ada, bob := srv.Connect(t, "ada"), srv.Connect(t, "bob")
		since := bob.Join("lobby").Position()
		ada.Join("lobby")
		said := ada.Send("lobby", "a secret")
		ada.Request("edit", roomtest.Fields{"room": "lobby", "target": said.Offset, "data": "more of a secret"}).ExpectOK()
		ada.Request("redact", roomtest.Fields{"room": "lobby", "target": said.Offset}).ExpectOK()
		back := bob.Rejoin("lobby", since)
		if !back.Recovered || len(back.Messages) != 3 {
			t.Errorf("recovered: %v, %d messages, want the message, the edit and the redaction", back.Recovered, len(back.Messages))
		}
		history := bob.Request("history", roomtest.Fields{"room": "lobby"}).ExpectOK()
		for _, f := range append(back.Messages, history) {
			if strings.Contains(f.Text, "secret") {
				t.Errorf("came back: %v", f)
			}
		}
	})
}
