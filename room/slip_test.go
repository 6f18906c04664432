package room_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

// What the host can only have meant otherwise is told and does nothing.
func TestSlipsOfTheHost(t *testing.T) {
	store := room.NewMemoryStore()
	h := serve(t, house(), room.WithStore(store))
	ctx := t.Context()
	type act struct {
		name string
		do   func(r *room.Room, user string) error
	}
	update := func(f func(*room.Record)) func(*room.Room, string) error {
		return func(r *room.Room, _ string) error { _, err := r.Update(ctx, f); return err }
	}
	onRooms := []act{
		{"publish", func(r *room.Room, _ string) error { _, err := r.Publish(ctx, "news", 1); return err }},
		{"update", update(func(*room.Record) {})},
		{"invite", func(r *room.Room, user string) error { return r.Invite(ctx, user) }},
		{"uninvite", func(r *room.Room, user string) error { return r.Uninvite(ctx, user) }},
	}
	onUsers := []act{
		{"kick", func(r *room.Room, user string) error { return r.Kick(ctx, user, "") }},
		{"ban", func(r *room.Room, user string) error { return r.Ban(ctx, user, time.Time{}, "") }},
		{"unban", func(r *room.Room, user string) error { return r.Unban(ctx, user) }},
		{"mute", func(r *room.Room, user string) error { return r.Mute(ctx, user, time.Time{}, "") }},
		{"unmute", func(r *room.Room, user string) error { return r.Unmute(ctx, user) }},
	}
	reading := []act{
		{"record", func(r *room.Room, _ string) error { _, err := r.Record(ctx); return err }},
		{"members", func(r *room.Room, _ string) error { _, _, err := r.Members(ctx, "", 0); return err }},
		{"presence", func(r *room.Room, _ string) error { _, err := r.PresenceList(ctx, "", 0); return err }},
		{"history", func(r *room.Room, _ string) error { _, err := r.History(ctx, room.Range{}); return err }},
	}
	check := func(list []act, name, user string, want error) {
		t.Helper()
		for _, a := range list {
			if err := a.do(h.srv.Room(name), user); !errors.Is(err, want) {
				t.Errorf("%s %s in %s: %v, want %v", a.name, user, name, err, want)
			}
		}
	}
	for _, name := range []string{"lobbby", "not a name"} {
		for _, list := range [][]act{onRooms, onUsers, reading} {
			check(list, name, "ada", &room.Error{Code: room.CodeInvalidRoom})
		}
	}
	// Nobody has made this one. What is asked of it, and of users, needs no room.
	check(onRooms, "club:1", "ada", room.ErrNoRoom)
	check(onUsers, "club:1", "ada", nil)
	check(reading, "club:1", "ada", nil)
	if _, err := store.Record(ctx, "club:1"); !errors.Is(err, room.ErrNoRoom) {
		t.Errorf("it is there: %v", err)
	}
	check(onUsers, "hall", "ada lovelace", &room.Error{Code: room.CodeBadRequest})
	check(onRooms[2:], "hall", "ada lovelace", &room.Error{Code: room.CodeBadRequest})
	for name, f := range map[string]func(*room.Record){
		"permission": func(r *room.Record) { r.Permission = "open" },
		"members":    func(r *room.Record) { r.MaxMembers = -1 },
		"owner":      func(r *room.Record) { r.Owner = "ada lovelace" },
		"moderators": func(r *room.Record) { r.Moderators = []string{""} },
		"invited":    func(r *room.Record) { r.Invited = []string{"ada lovelace"} },
	} {
		check([]act{{"update " + name, update(f)}}, "hall", "", &room.Error{Code: room.CodeBadRequest})
		rec := room.Record{}
		f(&rec)
		if _, err := h.srv.Room("club:2").Create(ctx, rec); !errors.Is(err, &room.Error{Code: room.CodeBadRequest}) {
			t.Errorf("create with %s: %v", name, err)
		}
	}
	if rec, err := h.srv.Room("tiny").Update(ctx, func(r *room.Record) { r.MaxMembers = 0 }); err != nil || rec.MaxMembers != 2 {
		t.Errorf("updated to the pattern's size: %+v, %v", rec, err)
	}
	if err := h.srv.Room("club:1").Delete(ctx); err != nil {
		t.Errorf("deleting what is not there: %v", err)
	}
	if err := h.srv.Room("not a name").Delete(ctx); !errors.Is(err, &room.Error{Code: room.CodeInvalidRoom}) {
		t.Errorf("deleting what cannot be there: %v", err)
	}
	if err := h.srv.User("ada lovelace").Revoke(ctx); !errors.Is(err, &room.Error{Code: room.CodeBadRequest}) {
		t.Errorf("revoking a user that nobody can be: %v", err)
	}
}

// A page whose size nobody says is Limits.Page.
func TestPagesOfTheHost(t *testing.T) {
	h := serve(t, house(), limits(func(l *room.Limits) { l.Page = 2 }))
	for _, user := range []string{"ada", "bob", "cyd"} {
		h.in(user, "hall")
		if _, err := h.srv.Room("hall").Publish(t.Context(), "news", user); err != nil {
			t.Fatal(err)
		}
	}
	members, more, err := h.srv.Room("hall").Members(t.Context(), "", 0)
	if err != nil || len(members) != 2 || !more {
		t.Errorf("members: %v, %v, %v", members, more, err)
	}
	present, err := h.srv.Room("hall").PresenceList(t.Context(), "", 0)
	if err != nil || len(present.Members) != 2 || present.Next != "bob" {
		t.Errorf("presence: %+v, %v", present, err)
	}
	page, err := h.srv.Room("hall").History(t.Context(), room.Range{Newest: true})
	if err != nil || len(page.Messages) != 2 || !page.More || page.Messages[1].Offset != 3 {
		t.Errorf("history: %+v, %v", page, err)
	}
}

// Who forgot to say when an identity was issued finds out why nobody gets in
// any more.
func TestRevokedWithoutTimeOfIssue(t *testing.T) {
	h := serve(t, house())
	if err := h.srv.User("ada").Revoke(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, status, _, _ := h.handshake(upgrade("Authorization: Bearer ada")...); status != http.StatusUnauthorized {
		t.Errorf("status %d", status)
	}
	if log := h.log.String(); !strings.Contains(log, "should set auth.Identity.IssuedAt") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}
