package room_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/room"
)

// Every rate that a pattern of rooms, or a role in them, can have holds there
// and nowhere else, and says when it admits again.
func TestRatesByPatternAndRole(t *testing.T) {
	three := limit.PerSecond(3)
	kilo := limit.PerSecond(3000)
	say := func(name string) func(*visitor) frame {
		return func(v *visitor) frame { return v.request("message", inRoom(name), saying(`1`), `"echo":false`) }
	}
	shout := func(name string) func(*visitor) frame {
		return func(v *visitor) frame {
			return v.request("message", inRoom(name), saying(`"`+strings.Repeat("x", 998)+`"`), `"echo":false`)
		}
	}
	ask := func(typ, name string, more ...string) func(*visitor) frame {
		return func(v *visitor) frame { return v.request(typ, append([]string{inRoom(name)}, more...)...) }
	}
	for name, tt := range map[string]struct {
		rates room.Rates
		ask   func(room string) func(*visitor) frame
		other bool // a second user shares the limit
		tab   bool // a second connection of the user shares the limit
	}{
		"messages of a connection":     {rates: room.Rates{Connection: three}, ask: say},
		"messages of a user":           {rates: room.Rates{User: three}, ask: say, tab: true},
		"messages of a user in a room": {rates: room.Rates{UserInRoom: three}, ask: say, tab: true},
		"messages to a room":           {rates: room.Rates{Room: three}, ask: say, tab: true, other: true},
		"bytes of a user":              {rates: room.Rates{UserBytes: kilo}, ask: shout, tab: true},
		"bytes of a user in a room":    {rates: room.Rates{UserInRoomBytes: kilo}, ask: shout, tab: true},
		"bytes to a room":              {rates: room.Rates{RoomBytes: kilo}, ask: shout, tab: true, other: true},
		"bytes of a connection":        {rates: room.Rates{ConnectionBytes: limit.PerSecond(3 * 1150)}, ask: shout},
		"bytes beyond a burst":         {rates: room.Rates{UserBytes: limit.Rate{Events: 3, Per: time.Second, Burst: 3}.WithBurst(900)}, ask: shout, tab: true},
		"history":                      {rates: room.Rates{History: three}, ask: func(r string) func(*visitor) frame { return ask("history", r) }},
		"joins":                        {rates: room.Rates{Joins: limit.PerSecond(3).WithBurst(4)}, ask: func(r string) func(*visitor) frame { return ask("join", r) }},
		"calls of an event":            {rates: room.Rates{Calls: map[string]limit.Rate{"vote": three}}, ask: func(r string) func(*visitor) frame { return ask("call", r, `"event":"vote"`) }},
	} {
		for _, byRole := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/by role %v", name, byRole), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					settings := room.Settings{Permission: room.Public, Standing: true}
					if byRole {
						settings.Rates = &room.Rates{}
						settings.RoleRates = []room.RoleRates{{Role: "slow", Rates: tt.rates}}
					} else {
						settings.Rates = &tt.rates
					}
					h := servePipes(t, house(), room.WithRooms("paced:*", settings))
					room.Handle(h.srv, "vote", func(context.Context, *room.Conn, struct{}) (struct{}, error) { return struct{}{}, nil })
					enter := func(token string) *visitor {
						v := h.connect(token)
						v.must("join", inRoom("paced:a"))
						v.must("join", inRoom("lounge"))
						return v
					}
					ada := enter("ada~role.slow")
					tab, bob := enter("ada~role.slow"), enter("bob~role.slow")
					ada.forget()
					limited := func(f frame) bool { return f.Error != nil && f.Error.Code == "rate_limited" }
					here, there := tt.ask("paced:a"), tt.ask("lounge")

					burst := 3
					if strings.HasPrefix(name, "bytes beyond") {
						burst = 1
					}
					for i := range burst {
						if f := here(ada); limited(f) {
							t.Fatalf("request %d: %s", i+1, f)
						}
					}
					f := here(ada)
					if !limited(f) || f.Error.RetryAfterMS < 1 {
						t.Fatalf("got %s, want rate_limited", f)
					}
					wait := f.Error.RetryAfterMS
					if f := there(ada); limited(f) {
						t.Errorf("another room: %s", f)
					}
					if f := here(tab); limited(f) != tt.tab {
						t.Errorf("another connection of the user: %s", f)
					}
					if f := here(bob); limited(f) != tt.other {
						t.Errorf("another user: %s", f)
					}
					if byRole {
						cyd := enter("cyd")
						for range 5 {
							if f := here(cyd); limited(f) {
								t.Errorf("a user without the role: %s", f)
							}
						}
					}
					ada.pass(time.Duration(wait-1) * time.Millisecond)
					if f := here(ada); !limited(f) {
						t.Errorf("a millisecond before the time: %s", f)
					}
					ada.pass(time.Millisecond)
					if f := here(ada); limited(f) {
						t.Errorf("at the time: %s", f)
					}
				})
			})
		}
	}
}

// Where two limits hold, what is told is when both admit.
func TestRetryAfterOfTwoLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := servePipes(t, room.WithRooms("lounge", room.Settings{Permission: room.Public, Rates: &room.Rates{
			Connection: limit.PerSecond(1).WithBurst(2),
			User:       limit.PerSecond(100).WithBurst(1),
		}}))
		ada := h.in("ada", "lounge")
		ada.must("message", inRoom("lounge"), saying("1"), `"echo":false`)
		// The user may again in 10 ms, but this takes the connection's last.
		wait := ada.refused("rate_limited", "message", inRoom("lounge"), saying("1"), `"echo":false`).RetryAfterMS
		if wait < 900 {
			t.Errorf("retry_after_ms is %d", wait)
		}
		ada.pass(time.Duration(wait) * time.Millisecond)
		ada.must("message", inRoom("lounge"), saying("1"), `"echo":false`)
	})
}
