package room_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/room"
)

// A refusal for being too fast says from when on the same request is admitted:
// not a millisecond earlier, and then for sure.
func TestRetryAfterIsTruthful(t *testing.T) {
	odd := limit.PerSecond(7) // no whole number of milliseconds
	say := func(name string) func(*visitor) frame {
		return func(v *visitor) frame { return v.request("message", inRoom(name), saying(`1`), `"echo":false`) }
	}
	ping := func(v *visitor) frame { return v.request("ping") }
	for name, tt := range map[string]struct {
		change func(*room.Limits)
		ask    func(*visitor) frame
		other  func(h *host) *visitor // who shares the limit, if anyone does
		burst  int                    // 0: that of odd
	}{
		"requests": {change: func(l *room.Limits) { l.Requests = odd }, ask: ping},
		"burst":    {change: func(l *room.Limits) { l.Requests = odd.WithBurst(3) }, ask: ping, burst: 3},
		"slow":     {change: func(l *room.Limits) { l.Requests = limit.PerMinute(7) }, ask: ping},
		"joins": {change: func(l *room.Limits) { l.Joins = odd.WithBurst(8) }, burst: 7, ask: func(v *visitor) frame { // one was for lounge
			return v.request("join", inRoom("hall"))
		}},
		"history": {change: func(l *room.Limits) { l.History = odd }, ask: func(v *visitor) frame { return v.request("history", inRoom("lounge")) }},
		"bytes": {change: func(l *room.Limits) {
			l.TextFrame, l.Data.BinaryBytes = 1000, 1000
			l.Bytes = limit.Rate{Events: 1777, Per: time.Second, Burst: 7777}
		}, burst: 15, ask: func(v *visitor) frame {
			return v.request("ping", `"padding":"`+strings.Repeat("p", 500-len(`{"type":"ping","ref":10,"padding":""}`)-len(fmt.Sprint(v.ref+1))+2)+`"`)
		}},
		"messages of a connection": {change: func(l *room.Limits) { l.Messages.Connection = odd }, ask: say("lounge")},
		"messages of a user": {
			change: func(l *room.Limits) { l.Messages.User = odd }, ask: say("lounge"),
			other: func(h *host) *visitor { return h.in("ada", "lounge") },
		},
		"messages to a room": {
			change: func(l *room.Limits) { l.Messages.Room = odd }, ask: say("lounge"),
			other: func(h *host) *visitor { return h.in("bob", "lounge") },
		},
		"messages to a room with rates of its own": {change: func(l *room.Limits) {}, ask: say("slow")},
		"edits": {change: func(l *room.Limits) { l.Messages.User = odd }, ask: func(v *visitor) frame {
			return v.request("edit", inRoom("lounge"), `"target":1`, saying("1"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := servePipes(t, house(), limits(tt.change), room.WithRooms("slow", room.Settings{Permission: room.Public, Rates: &room.Rates{Connection: odd}}))
				ada := h.connect("ada")
				ada.must("join", inRoom("lounge"))
				if strings.Contains(name, "of its own") {
					ada.must("join", inRoom("slow"))
				}
				asking := []*visitor{ada}
				if tt.other != nil {
					asking = append(asking, tt.other(h))
					ada.forget()
				}
				burst := tt.burst
				if burst == 0 {
					burst = odd.Size()
				}
				limited := func(f frame) bool { return f.Error != nil && f.Error.Code == "rate_limited" }
				for i := range burst {
					if f := tt.ask(asking[i%len(asking)]); limited(f) {
						t.Fatalf("request %d: %s", i+1, f)
					}
				}
				for range 5 {
					var wait int64
					for _, v := range asking {
						f := tt.ask(v)
						if !limited(f) || f.Error.RetryAfterMS < 1 {
							t.Fatalf("got %s, want rate_limited", f)
						}
						wait = f.Error.RetryAfterMS
					}
					ada.pass(time.Duration(wait-1) * time.Millisecond)
					if f := tt.ask(ada); !limited(f) {
						t.Fatalf("a millisecond before the time: %s", f)
					}
					ada.pass(time.Millisecond)
					if f := tt.ask(ada); limited(f) {
						t.Fatalf("at the time: %s", f)
					}
				}
			})
		})
	}
}

// A mute ends when it said it would.
func TestMuteEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := servePipes(t, house())
		bob := h.in("bob", "hall")
		bob.pass(333 * time.Microsecond)
		if err := h.srv.Room("hall").Mute(context.Background(), "bob", time.Now().Add(1500*time.Millisecond), ""); err != nil {
			t.Fatal(err)
		}
		wait := bob.refused("muted", "message", inRoom("hall"), saying("1")).RetryAfterMS
		if wait < 1499 || wait > 1501 {
			t.Errorf("retry_after_ms is %d", wait)
		}
		bob.refused("muted", "edit", inRoom("hall"), `"target":1`, saying("1"))
		bob.pass(time.Duration(wait) * time.Millisecond)
		bob.must("message", inRoom("hall"), saying("1"))
	})
}

// Being too fast is refused, being it again and again ends the connection, and
// for nobody else.
func TestAbuse(t *testing.T) {
	h := serve(t, house(), limits(func(l *room.Limits) {
		l.Requests = limit.PerMinute(5)
		l.Abuse = limit.Rate{Events: 20, Per: time.Minute}
	}))
	ada, bob := h.connect("ada"), h.connect("bob")
	var b []byte
	for i := range 100 {
		b = masked(b, opText, []byte(envelope(int64(i+1), "ping")))
	}
	if _, err := ada.conn.Write(b); err != nil {
		t.Fatal(err)
	}
	served, refused := 0, 0
	for {
		f := ada.next()
		if f.Type == "close" {
			if f.status != 4008 {
				t.Errorf("got %s", f)
			}
			break
		}
		if f.Error == nil {
			served++
		} else if refused++; f.Error.Code != "rate_limited" {
			t.Errorf("got %s", f)
		}
	}
	if served != 5 || refused < 20 || refused > 21 {
		t.Errorf("%d served and %d refused before the end", served, refused)
	}
	bob.silent()
	if n := strings.Count(h.log.String(), `"msg":"abuse"`); n != 1 {
		t.Errorf("%d records of abuse", n)
	}
}

// Who keeps to retry_after_ms is never closed, however long it goes on.
func TestKeepingToTheLimitIsNoAbuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := servePipes(t, house(), limits(func(l *room.Limits) { l.Requests = limit.PerSecond(5) }))
		ada := h.connect("ada")
		for range 500 {
			f := ada.request("ping")
			if f.Error != nil {
				ada.pass(time.Duration(f.Error.RetryAfterMS) * time.Millisecond)
			}
		}
	})
}

// A connection that is gone makes room for the next, under every cap.
func TestCapsAreReleased(t *testing.T) {
	for name, change := range map[string]func(*room.Limits){
		"address": func(l *room.Limits) { l.ConnectionsPerIP = 3 },
		"user":    func(l *room.Limits) { l.ConnectionsPerUser = 3 },
		"node":    func(l *room.Limits) { l.ConnectionsPerNode = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			h := serve(t, house(), limits(change))
			for round := range 4 {
				var list []*visitor
				for range 3 {
					list = append(list, h.connect("ada"))
				}
				for _, token := range []string{"ada", "ada"} {
					if _, status, _, body := h.handshake(upgrade("Authorization: Bearer " + token)...); status != http.StatusTooManyRequests || !strings.Contains(body, "too_many_connections") {
						t.Fatalf("round %d: %d %s", round, status, body)
					}
				}
				for i, v := range list {
					if i%2 == 0 {
						v.bye()
					} else {
						v.hangUp()
					}
				}
				eventually(t, "all are gone", func() bool { return h.srv.Stats().Connections == 0 })
			}
			// Refused handshakes are counted no longer either.
			for _, token := range []string{"bad", "bad", "bad", "bad"} {
				if _, status, _, _ := h.handshake(upgrade("Authorization: Bearer " + token)...); status != http.StatusUnauthorized {
					t.Fatalf("%d", status)
				}
			}
			h.connect("ada")
		})
	}
}

// Addresses are counted each by itself, IPv6 ones by network, and a header is
// believed from a trusted proxy only.
func TestAddressesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := servePipes(t, house(), limits(func(l *room.Limits) { l.ConnectionsPerIP = 1 }), room.WithTrustedProxies("198.51.100.0/24"))
		listener := h.listener.(*pipes)
		from := func(peer, forwarded string) int {
			h.open = func() net.Conn { return listener.dial(net.JoinHostPort(peer, "1")) }
			lines := upgrade("Authorization: Bearer ada")
			if forwarded != "" {
				lines = append(lines, "X-Forwarded-For: "+forwarded)
			}
			c, status, _, _ := h.handshake(lines...)
			if status == http.StatusSwitchingProtocols {
				c.expect("welcome")
			}
			return status
		}
		for i, tt := range []struct {
			peer, forwarded string
			status          int
		}{
			{"192.0.2.1", "", 101},
			{"192.0.2.1", "", 429},
			{"192.0.2.1", "203.0.113.9", 429}, // nobody believes this
			{"192.0.2.2", "192.0.2.1", 101},
			{"2001:db8::1", "", 101},
			{"2001:db8::2", "", 429}, // the same /64
			{"2001:db8:0:1::1", "", 101},
			{"198.51.100.1", "203.0.113.1", 101},
			{"198.51.100.2", "203.0.113.1", 429},
			{"198.51.100.2", "203.0.113.2", 101},
			{"198.51.100.2", "203.0.113.7, 203.0.113.2", 429}, // the rightmost counts
			{"198.51.100.2", "203.0.113.1, 203.0.113.7", 101},
		} {
			if got := from(tt.peer, tt.forwarded); got != tt.status {
				t.Errorf("%d: %s for %q: %d, want %d", i, tt.peer, tt.forwarded, got, tt.status)
			}
		}
	})
}

// Retry-After of a handshake that came too soon is enough.
func TestConnectRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := servePipes(t, house(), limits(func(l *room.Limits) { l.ConnectsPerIP = limit.Rate{Events: 1, Per: 5 * time.Second, Burst: 2} }))
		h.connect("ada").hangUp()
		h.connect("ada").hangUp()
		for range 5 {
			_, status, header, _ := h.handshake(upgrade("Authorization: Bearer ada")...)
			wait, err := strconv.Atoi(header.Get("Retry-After"))
			if status != http.StatusTooManyRequests || err != nil || wait < 1 || wait > 8 {
				t.Fatalf("%d, Retry-After %q", status, header.Get("Retry-After"))
			}
			time.Sleep(time.Duration(wait) * time.Second)
			h.connect("ada").hangUp()
		}
	})
}

// A user owns so many rooms and no more, and a connection is in so many.
func TestRoomsAreCapped(t *testing.T) {
	h := serve(t, house(), limits(func(l *room.Limits) { l.RoomsPerUser, l.RoomsPerConnection = 3, 2 }))
	ada, tab := h.connect("ada"), h.connect("ada")
	for i := range 3 {
		ada.must("create", inRoom(fmt.Sprintf("club:%d", i)))
	}
	tab.refused("too_many_rooms", "create", inRoom("club:x"))
	ada.must("delete", inRoom("club:1"))
	tab.must("create", inRoom("club:x"))
	ada.refused("too_many_rooms", "create", inRoom("club:y"))

	ada.must("join", inRoom("hall"))
	ada.must("join", inRoom("club:0"))
	ada.refused("too_many_rooms", "join", inRoom("lounge"))
	ada.must("join", inRoom("hall")) // it is in this one
	tab.must("join", inRoom("lounge"))
	ada.must("leave", inRoom("club:0"))
	ada.must("join", inRoom("lounge"))
}
