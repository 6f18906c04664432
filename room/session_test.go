package room_test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/room"
)

// anonymous is a connection without a token.
func (h *host) anonymous() *client {
	h.t.Helper()
	c, status, _, body := h.handshake(upgrade()...)
	if status != http.StatusSwitchingProtocols {
		h.t.Fatalf("%d %s", status, body)
	}
	return c
}

// Without a token in time a connection is closed with 4100, whatever else it
// says meanwhile.
func TestFirstMessageDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := servePipes(t, house(), room.AllowFirstMessageToken())
		began := time.Now()
		silent, chatty := h.anonymous(), h.anonymous()
		for range 4 {
			chatty.pass(time.Second)
			chatty.refused("unauthenticated", "join", inRoom("hall"))
			chatty.refused("unauthenticated", "presence", `"status":"online"`)
		}
		silent.expectClose(4100)
		chatty.expectClose(4100)
		if after := time.Since(began); after != 5*time.Second {
			t.Errorf("after %v", after)
		}
		synctest.Wait()
		if st := h.srv.Stats(); st.Connections != 0 || st.Users != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// Who authenticates in time is no longer watched, and is somebody.
func TestFirstMessageInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := servePipes(t, house(), room.AllowFirstMessageToken())
		c := h.anonymous()
		c.pass(5*time.Second - time.Millisecond)
		if r := c.must("auth", `"token":"ada"`); r.User != "ada" {
			t.Errorf("got %s", r.raw)
		}
		if f := c.expect("welcome"); f.User != "ada" {
			t.Errorf("got %s", f)
		}
		c.pass(10 * time.Second)
		c.must("join", inRoom("hall"))
		c.silent()
	})
}

// Waiting for a first message is capped by itself, and the place is free when
// it is over.
func TestUnauthenticatedCap(t *testing.T) {
	h := serve(t, house(), room.AllowFirstMessageToken(), limits(func(l *room.Limits) { l.Unauthenticated = 2 }))
	first, second := h.anonymous(), h.anonymous()
	_, status, header, body := h.handshake(upgrade()...)
	if status != http.StatusTooManyRequests || header.Get("Retry-After") == "" {
		t.Errorf("the third: %d %s", status, body)
	}
	h.connect("ada") // with a token there is no wait
	first.must("auth", `"token":"bob"`)
	h.anonymous()
	if _, status, _, _ := h.handshake(upgrade()...); status != http.StatusTooManyRequests {
		t.Errorf("the third again: %d", status)
	}
	connections := func(n int) func() bool {
		return func() bool { return h.srv.Stats().Connections == n }
	}
	eventually(t, "all four are counted", connections(4)) // the last may have its 101 and not be yet
	second.hangUp()
	eventually(t, "the place is free", connections(3))
	h.anonymous()
}

// After a first message that is refused there is no second.
func TestFirstMessageRefused(t *testing.T) {
	h := serve(t, house(), room.AllowFirstMessageToken(), limits(func(l *room.Limits) {
		l.ConnectionsPerUser = 1
		l.Authentication = 50 * time.Millisecond
	}))
	h.connect("ada")
	for token, want := range map[string]struct {
		code   string
		status int
	}{
		"bad":    {"unauthenticated", 4001},
		"stale":  {"unauthenticated", 4001},
		"":       {"unauthenticated", 4001},
		"a b":    {"unauthenticated", 4001},
		"nobody": {"unauthenticated", 4001},
		"bob~x":  {"unauthenticated", 4001},
		"down":   {"unavailable", 1013},
		"slow":   {"unavailable", 1013},
		"panic":  {"unavailable", 1013},
		"ada":    {"too_many_connections", 4104},
	} {
		c := h.anonymous()
		// The second is sent in the same segment.
		b := masked(nil, opText, []byte(`{"type":"auth","ref":1,"token":"`+token+`"}`))
		b = masked(b, opText, []byte(`{"type":"auth","ref":2,"token":"bob"}`))
		if _, err := c.conn.Write(b); err != nil {
			t.Fatal(err)
		}
		if f := c.reply(1); f.Error == nil || f.Error.Code != want.code {
			t.Errorf("%q: got %s, want %s", token, f, want.code)
		}
		if f := c.next(); f.Type != "close" || f.status != want.status {
			t.Errorf("%q: got %s, want %d", token, f, want.status)
		}
	}
	eventually(t, "all but one are gone", func() bool { return h.srv.Stats().Connections == 1 })
}

// Requests without authentication are limited like others, and too many close.
func TestUnauthenticatedFlood(t *testing.T) {
	h := serve(t, house(), room.AllowFirstMessageToken(), limits(func(l *room.Limits) { l.Requests = limit.PerSecond(50) }))
	c := h.anonymous()
	var b []byte
	for range 60 {
		b = masked(b, opText, []byte(`{"type":"ping"}`))
	}
	if _, err := c.conn.Write(b); err != nil {
		t.Fatal(err)
	}
	c.expectClose(4001)
}

// An identity that ends is warned about, and then the connection is closed on
// time with nothing delivered after.
func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := servePipes(t, house())
		began := time.Now()
		bob := h.in("bob~exp.10m", "hall")
		var ticking sync.WaitGroup
		ticking.Go(func() {
			for range 11 * 60 {
				time.Sleep(time.Second)
				if _, err := h.srv.Room("hall").Publish(t.Context(), "tick", nil); err != nil {
					t.Error(err)
				}
			}
		})
		warned, last := time.Duration(0), time.Duration(0)
		for {
			f := bob.next()
			switch f.Type {
			case "expiring":
				warned = time.Since(began)
				if f.InMS != 60_000 {
					t.Errorf("got %s", f)
				}
				continue
			case "message":
				last = time.Since(began)
				continue
			case "close":
				if f.status != 4101 {
					t.Errorf("got %s", f)
				}
			default:
				t.Errorf("unexpected %s", f)
			}
			break
		}
		if ended := time.Since(began); warned != 9*time.Minute || ended != 10*time.Minute || last > ended {
			t.Errorf("warned after %v, closed after %v, last message after %v", warned, ended, last)
		}
		ticking.Wait()
		if got := memberIDs(h, "hall"); len(got) != 0 {
			t.Errorf("members %v", got)
		}
	})
}

// An identity is renewed in place, as often as one likes; what is refused
// changes nothing.
func TestRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := servePipes(t, house())
		began := time.Now()
		bob := h.in("bob~exp.10m", "hall")
		for i := range 5 {
			f := bob.expect("expiring")
			if want := time.Duration(i*9+9) * time.Minute; time.Since(began) != want {
				t.Errorf("warned after %v, want %v", time.Since(began), want)
			}
			if r := bob.must("auth", `"token":"bob~exp.10m"`); r.User != "bob" || r.ExpiresAt != time.Now().Add(10*time.Minute).UnixMilli() {
				t.Errorf("got %s after %s", r.raw, f)
			}
		}
		// Nobody else's, nor one that is no good, and the time runs on.
		for token, code := range map[string]string{"ada~exp.1h": "forbidden", "stale": "token_expired", "bad": "unauthenticated", "down": "unavailable", "bob~exp.-1s": "token_expired"} {
			bob.refused(code, "auth", `"token":"`+token+`"`)
		}
		bob.must("message", inRoom("hall"), saying("1"), `"echo":false`)
		bob.expect("expiring")
		bob.expectClose(4101)
		if want := 55 * time.Minute; time.Since(began) != want {
			t.Errorf("closed after %v, want %v", time.Since(began), want)
		}
	})
}

// A renewal that ends sooner, or never, counts as much as one that ends later.
func TestRenewalBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := servePipes(t, house())
		bob := h.connect("bob~exp.10m")
		bob.must("auth", `"token":"bob"`)
		bob.pass(time.Hour)
		bob.silent()
		bob.must("auth", `"token":"bob~exp.20s"`)
		began := time.Now()
		if f := bob.expect("expiring"); f.InMS <= 0 || f.InMS > 20_000 {
			t.Errorf("got %s", f)
		}
		bob.expectClose(4101)
		if after := time.Since(began); after != 20*time.Second {
			t.Errorf("after %v", after)
		}
	})
}
