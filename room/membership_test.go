package room_test

import (
	"context"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/room"
)

// Users, not connections, come and go: whatever takes a user's tabs out of a
// room, the others hear of it once, with the last tab, and why.
func TestLastTabLeaves(t *testing.T) {
	ctx := context.Background()
	for name, tt := range map[string]struct {
		reason string
		code   string                               // of the removed frame, if there is one
		one    func(tab *visitor)                   // takes one tab out
		all    func(h *host, tabs []*visitor) error // takes all out at once
	}{
		"leave":       {reason: "left", one: func(tab *visitor) { tab.must("leave", inRoom("club:a")) }},
		"close frame": {reason: "disconnected", one: func(tab *visitor) { tab.bye() }},
		"hang-up":     {reason: "disconnected", one: func(tab *visitor) { tab.hangUp() }},
		"host": {reason: "disconnected", all: func(h *host, tabs []*visitor) error {
			err := h.srv.User("bob").Disconnect(ctx, "")
			for _, tab := range tabs {
				tab.expectClose(4003)
			}
			return err
		}},
		"kick": {reason: "kicked", code: "kicked", all: func(h *host, _ []*visitor) error {
			return h.srv.Room("club:a").Kick(ctx, "bob", "")
		}},
		"ban": {reason: "banned", code: "banned", all: func(h *host, _ []*visitor) error {
			return h.srv.Room("club:a").Ban(ctx, "bob", time.Time{}, "")
		}},
		"uninvite": {reason: "access_revoked", code: "access_revoked", all: func(h *host, _ []*visitor) error {
			return h.srv.Room("club:a").Uninvite(ctx, "bob")
		}},
		"permission": {reason: "access_revoked", code: "access_revoked", all: func(h *host, _ []*visitor) error {
			return setPermission(h, "club:a", room.OwnerOnly)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := serve(t, house())
			if _, err := h.srv.Room("club:a").Create(ctx, room.Record{Owner: "ada", Invited: []string{"bob"}}); err != nil {
				t.Fatal(err)
			}
			ada := h.in("ada", "club:a")
			tabs := []*visitor{h.in("bob", "club:a"), h.in("bob", "club:a"), h.in("bob", "club:a")}
			ada.expect("user_joined")
			if tt.all != nil {
				if err := tt.all(h, tabs); err != nil {
					t.Fatal(err)
				}
			} else {
				for i, tab := range tabs {
					ada.silent()
					tt.one(tab)
					// A hang-up is noticed a moment later.
					eventually(t, "the tab is out", func() bool {
						r := ada.must("members", inRoom("club:a"), `"after":"ada"`)
						left := len(tabs) - 1 - i
						return left == 0 && len(r.Members) == 0 || len(r.Members) == 1 && r.Members[0].Connections == left
					})
				}
			}
			f := ada.next()
			for f.Type == "room_updated" {
				f = ada.next()
			}
			if f.Type != "user_left" || f.User != "bob" || f.Reason != tt.reason {
				t.Errorf("got %s, want user_left with %s", f, tt.reason)
			}
			ada.silent()
			if tt.code == "" {
				return
			}
			for _, tab := range tabs {
				f := tab.next()
				for f.Type == "room_updated" {
					f = tab.next()
				}
				if f.Type != "removed" || f.Code != tt.code || f.Room != "club:a" {
					t.Errorf("got %s, want removed with %s", f, tt.code)
				}
				tab.refused("not_member", "message", inRoom("club:a"), saying("1"))
				tab.silent()
			}
		})
	}
}

func setPermission(h *host, name string, p room.Permission) error {
	_, err := h.srv.Room(name).Update(context.Background(), func(r *room.Record) { r.Permission = p })
	return err
}

// A peer that is gone without a word is found out by pings, and the others are
// told so.
func TestHeartbeatLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := servePipes(t, house())
		ada, bob := h.in("ada", "hall"), h.in("bob", "hall")
		ada.expect("user_joined")
		// Bob takes what he is sent, but says nothing any more.
		began := time.Now()
		go func() { _, _ = io.Copy(io.Discard, bob.in) }()
		f := ada.expect("user_left")
		if f.User != "bob" || f.Reason != "timeout" {
			t.Errorf("got %s", f)
		}
		// Two pings, 25 s apart, as long for the answer to the second, and
		// the time in which Bob might have come back.
		if after := time.Since(began); after != 75*time.Second+calm().Grace {
			t.Errorf("after %v", after)
		}
		ada.pass(5 * time.Minute) // who answers stays
	})
}

// Whose line breaks may be back before anyone notices; whose does not come back
// is gone when the grace is over.
func TestGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := servePipes(t, house(), limits(func(l *room.Limits) { l.Grace = 10 * time.Second }))
		ada, bob := h.in("ada", "hall"), h.in("bob", "hall")
		ada.expect("user_joined")
		for range 3 {
			bob.hangUp()
			ada.pass(9 * time.Second)
			r := ada.must("members", inRoom("hall"))
			if got := users(r.Members); !slices.Equal(got, []string{"ada", "bob"}) {
				t.Errorf("members %v", got)
			}
			bob = h.in("bob", "hall")
			ada.silent()
			bob.silent()
		}
		for range 6 {
			ada.pass(10 * time.Second)
			bob.pass(time.Millisecond)
		}
		ada.silent()
		bob.hangUp()
		began := time.Now()
		if f := ada.expect("user_left"); f.User != "bob" || f.Reason != "disconnected" {
			t.Errorf("got %s", f)
		}
		if after := time.Since(began); after != 10*time.Second {
			t.Errorf("after %v", after)
		}
		// A goodbye is not waited for.
		bob = h.in("bob", "hall")
		ada.expect("user_joined")
		began = time.Now()
		bob.bye()
		if f := ada.expect("user_left"); f.User != "bob" || f.Reason != "disconnected" || time.Since(began) > time.Second {
			t.Errorf("got %s after %v", f, time.Since(began))
		}
		// Nor is who was sent away, however many tabs it was.
		for reason, send := range map[string]func(*room.User) error{
			"disconnected":   func(u *room.User) error { return u.Disconnect(t.Context(), "Closing time.") },
			"access_revoked": func(u *room.User) error { return u.Revoke(t.Context()) },
		} {
			name := "cyd-" + reason
			tabs := []*visitor{h.in(name, "hall"), h.in(name, "hall")}
			ada.expect("user_joined")
			began = time.Now()
			if err := send(h.srv.User(name)); err != nil {
				t.Error(err)
			}
			for _, v := range tabs {
				for f := v.next(); f.Type != "close"; f = v.next() {
					t.Logf("before the close: %s", f)
				}
				v.hangUp()
			}
			if f := ada.expect("user_left"); f.User != name || f.Reason != reason || time.Since(began) > time.Second {
				t.Errorf("got %s after %v", f, time.Since(began))
			}
			ada.silent()
		}
	})
}

// What was lost once can be had again, and a second ban does not need a first
// leave.
func TestBanEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := servePipes(t, house())
		bob := h.in("bob", "hall")
		if err := h.srv.Room("hall").Ban(context.Background(), "bob", time.Now().Add(time.Minute), "Enough."); err != nil {
			t.Fatal(err)
		}
		if f := bob.expect("removed"); f.Code != "banned" || f.Reason != "Enough." {
			t.Errorf("got %s", f)
		}
		wait := bob.refused("banned", "join", inRoom("hall")).RetryAfterMS
		if wait <= 59_000 || wait > 60_000 {
			t.Errorf("retry_after_ms is %d", wait)
		}
		bob.pass(time.Duration(wait-1) * time.Millisecond)
		bob.refused("banned", "join", inRoom("hall"))
		bob.pass(time.Millisecond)
		bob.must("join", inRoom("hall"))
	})
}

// A second connection of a user sees what one may see, and counts as one
// member.
func TestMembersCountUsers(t *testing.T) {
	h := serve(t, house())
	ada := h.in("ada", "tiny")
	h.in("ada", "tiny")
	h.in("bob", "tiny")
	h.in("bob", "tiny")
	r := ada.must("members", inRoom("tiny"))
	if got := users(r.Members); !slices.Equal(got, []string{"ada", "bob"}) || r.Members[0].Connections != 2 || r.Members[1].Connections != 2 {
		t.Errorf("members %s", r.raw)
	}
	h.connect("cyd").refused("room_full", "join", inRoom("tiny"))
}

// A room that nobody is in any more leaves nothing behind, and one that was
// deleted starts anew.
func TestDeletedRoomStartsAnew(t *testing.T) {
	h := serve(t, house())
	ada := h.connect("ada")
	ada.must("create", inRoom("club:a"), `"permission":"public"`)
	first := ada.must("join", inRoom("club:a"))
	bob := h.in("bob", "club:a")
	ada.must("message", inRoom("club:a"), saying(`"old"`))
	ada.must("ban", inRoom("club:a"), ofUser("eve"))
	bob.forget()
	ada.must("delete", inRoom("club:a"))
	if f := bob.expect("room_deleted"); f.Room != "club:a" {
		t.Errorf("got %s", f)
	}
	bob.silent()
	bob.refused("not_member", "leave", inRoom("club:a"))
	bob.refused("forbidden", "join", inRoom("club:a"))
	bob.must("create", inRoom("club:a"), `"permission":"public"`)
	again := bob.must("join", inRoom("club:a"), `"last":10`)
	if again.Epoch == first.Epoch || again.Offset != 0 || len(again.Messages) != 0 || len(again.Members) != 1 {
		t.Errorf("joined %s", again.raw)
	}
	// Sanctions went with the room, and so did Ada's rights.
	h.connect("eve").must("join", inRoom("club:a"))
	ada.refused("forbidden", "update", inRoom("club:a"))
}
