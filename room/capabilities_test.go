package room_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/room"
)

// register hands out tokens for identities, as an authenticator of the host's
// own would know them.
type register struct {
	mu     sync.Mutex // protects people
	people map[string]auth.Identity
}

// token signs a user in with all that the identity says.
func (r *register) token(id auth.Identity) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.people == nil {
		r.people = make(map[string]auth.Identity)
	}
	token := fmt.Sprintf("token-%d", len(r.people))
	r.people[token] = id
	return token
}

// Authenticate implements auth.Authenticator.
func (r *register) Authenticate(_ context.Context, c auth.Credentials) (auth.Identity, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, ok := r.people[c.Token]
	if !ok {
		return auth.Identity{}, auth.ErrUnauthenticated
	}
	return id, nil
}

func capabilities(rooms string, verbs auth.Verb) []auth.Capability {
	return []auth.Capability{{Rooms: rooms, Verbs: verbs}}
}

// Each verb of a capability opens exactly what it is for, in exactly the rooms
// that it is for, to a user whom the room itself would let do everything.
func TestCapabilitiesNarrowEveryVerb(t *testing.T) {
	ctx := context.Background()
	people := new(register)
	h := serve(t, room.WithAuthenticator(people),
		room.WithRooms("team:*", room.Settings{Permission: room.Private, AllowCreate: true, History: room.Keep(10, time.Hour)}),
		room.WithRooms("team:*:notes", room.Settings{Permission: room.Private, AllowCreate: true, History: room.Keep(10, time.Hour)}))
	room.Handle(h.srv, "dice", func(context.Context, *room.Conn, struct{}) (int, error) { return 4, nil })

	// What each verb is for: requests, and who may make them at all.
	requests := []struct {
		verb    auth.Verb
		typ     string
		members []string
	}{
		{auth.Join, "settings", nil},
		{auth.Publish, "message", []string{saying(`"hi"`)}},
		{auth.Publish, "edit", []string{`"target":2`, saying(`"ho"`)}},
		{auth.Publish, "redact", []string{`"target":2`}},
		{auth.Publish | auth.Moderate, "redact", []string{`"target":1`}},
		{auth.History, "history", nil},
		{auth.Presence, "members", nil},
		{auth.Presence, "presence", []string{`"status":"away"`}},
		{auth.Moderate, "invite", []string{ofUser("bob")}},
		{auth.Moderate, "kick", []string{ofUser("bob")}},
		{auth.Moderate, "mute", []string{ofUser("bob")}},
		{auth.Moderate, "unmute", []string{ofUser("bob")}},
		{auth.Moderate, "ban", []string{ofUser("bob")}},
		{auth.Moderate, "unban", []string{ofUser("bob")}},
		{auth.Moderate, "uninvite", []string{ofUser("bob")}},
		{auth.Call, "call", []string{`"event":"dice"`}},
		{auth.Manage, "update", []string{`"max_members":9`}},
	}
	grants := []auth.Verb{
		auth.Publish, auth.History, auth.Presence, auth.Moderate, auth.Call, auth.Manage,
		auth.Publish | auth.Moderate, auth.AllVerbs, 0,
	}
	for i, grant := range grants {
		t.Run(grant.String(), func(t *testing.T) {
			h.t = t
			name := fmt.Sprintf("team:%d", i)
			if _, err := h.srv.Room(name).Create(ctx, room.Record{Owner: "ada"}); err != nil {
				t.Fatal(err)
			}
			if _, err := h.srv.Room(name).Publish(ctx, "message", "from somebody else", room.From("sys")); err != nil {
				t.Fatal(err)
			}
			if _, err := h.srv.Room(name).Publish(ctx, "message", "one's own", room.From("ada")); err != nil {
				t.Fatal(err)
			}
			v := h.connect(people.token(auth.Identity{ID: "ada", Capabilities: capabilities("team:*", grant|auth.Join)}))
			joined := v.must("join", inRoom(name), `"last":5`)
			if got := len(joined.Messages) > 0; got != (grant&auth.History != 0) {
				t.Errorf("join with last brings %d messages", len(joined.Messages))
			}
			if got := len(joined.Members) > 0; got != (grant&auth.Presence != 0) {
				t.Errorf("join shows %d members", len(joined.Members))
			}
			for _, r := range requests {
				f := v.request(r.typ, append(r.members, inRoom(name))...)
				ok := r.verb&^(grant|auth.Join) == 0
				if ok != (f.Error == nil) || !ok && f.Error.Code != "forbidden" {
					t.Errorf("%s, for which one needs %v: %s", r.typ, r.verb, f)
				}
			}
			// A request that names no room needs a capability for all.
			v.refused("forbidden", "call", `"event":"dice"`)
			v.refused("forbidden", "presence", `"status":"away"`)
		})
	}

	h.t = t
	for _, grant := range []auth.Verb{auth.AllVerbs &^ auth.Create, auth.Create} {
		v := h.connect(people.token(auth.Identity{ID: "ada", Capabilities: capabilities("team:*", grant)}))
		name := "team:new"
		if grant == auth.Create {
			v.must("create", inRoom(name))
			v.refused("forbidden", "join", inRoom(name))
			v.refused("forbidden", "settings", inRoom(name))
			v.refused("forbidden", "delete", inRoom(name))
		} else {
			v.refused("forbidden", "create", inRoom(name))
		}
	}
	everywhere := h.connect(people.token(auth.Identity{ID: "eve", Capabilities: capabilities("**", auth.Call|auth.Presence)}))
	if f := everywhere.request("call", `"event":"dice"`); string(f.Data) != "4" {
		t.Errorf("got %s", f)
	}
	everywhere.must("presence", `"status":"away"`)
	manage := h.connect(people.token(auth.Identity{ID: "ada", Capabilities: capabilities("team:*", auth.Manage)}))
	manage.must("delete", inRoom("team:new"))
}

// A * stands for one segment: neither for less nor for more.
func TestCapabilityPatterns(t *testing.T) {
	people := new(register)
	h := serve(t, room.WithAuthenticator(people),
		room.WithRooms("team", room.Settings{Permission: room.Public}),
		room.WithRooms("teams:7", room.Settings{Permission: room.Public}),
		room.WithRooms("team:*", room.Settings{Permission: room.Public, Standing: true}),
		room.WithRooms("team:*:notes", room.Settings{Permission: room.Public, Standing: true}))
	for pattern, open := range map[string]string{
		"team:*":       "team:7 team:8",
		"team:7":       "team:7",
		"team:*:notes": "team:7:notes",
		"*:*":          "team:7 team:8 teams:7",
		"*":            "team",
		"team:**":      "team:7 team:8 team:7:notes",
		"**":           "team team:7 team:8 teams:7 team:7:notes",
		"Team:*":       "",
	} {
		v := h.connect(people.token(auth.Identity{ID: "ada", Capabilities: capabilities(pattern, auth.Join)}))
		for _, name := range []string{"team", "team:7", "team:8", "teams:7", "team:7:notes"} {
			f := v.request("join", inRoom(name))
			ok := strings.Contains(" "+open+" ", " "+name+" ")
			if ok != (f.Error == nil) || !ok && f.Error.Code != "forbidden" {
				t.Errorf("%s in %s: %s", pattern, name, f)
			}
		}
	}
	// None at all is not the same as nothing said.
	none := h.connect(people.token(auth.Identity{ID: "ada", Capabilities: []auth.Capability{}}))
	none.refused("forbidden", "join", inRoom("team"))
	h.connect(people.token(auth.Identity{ID: "ada"})).must("join", inRoom("team"))
}

// A fresher token with fewer capabilities narrows what the connection may do
// from then on, and ends its stay in the rooms that it leaves out.
func TestCapabilitiesNarrowOnRenewal(t *testing.T) {
	people := new(register)
	h := serve(t, house(), room.WithAuthenticator(people))
	bob := h.in(people.token(auth.Identity{ID: "bob"}), "hall")
	ada := h.in(people.token(auth.Identity{ID: "ada"}), "hall", "lounge")
	bob.expect("user_joined")
	ada.must("message", inRoom("hall"), saying("1"))
	bob.expect("message")
	ada.forget()
	ada.must("auth", fmt.Sprintf(`"token":%q`, people.token(auth.Identity{ID: "ada", Capabilities: capabilities("hall", auth.Join)})))
	if f := ada.expect("removed"); f.Room != "lounge" || f.Code != "access_revoked" {
		t.Errorf("got %s", f)
	}
	ada.refused("forbidden", "message", inRoom("hall"), saying("2"))
	ada.refused("not_member", "message", inRoom("lounge"), saying("2"))
	ada.refused("forbidden", "join", inRoom("lounge"))
	bob.silent()
	bob.must("message", inRoom("hall"), saying("3"))
	if f := ada.expect("message"); string(f.Data) != "3" {
		t.Errorf("got %s", f)
	}
}

// Nobody raises what they may do, by whatever field of whatever request.
func TestNoSelfPromotion(t *testing.T) {
	ctx := context.Background()
	h := serve(t, house())
	olga := h.connect("olga")
	olga.must("create", inRoom("club:a"), `"permission":"public"`)
	fields := []string{
		`"owner":"mia"`, `"moderators":["mia"]`, `"roles":["staff"]`, `"invited":["mia"]`, `"version":1`,
		`"max_members":1000`, `"permission":"public"`, `"from":"olga"`, `"capabilities":[{"rooms":"**","verbs":"all"}]`,
	}
	for _, token := range []string{"mia", "mia~role.mod"} {
		v := h.in(token, "club:a")
		for _, typ := range []string{"update", "delete"} {
			v.refused("forbidden", typ, append(fields, inRoom("club:a"))...)
		}
		v.must("join", append(fields, inRoom("club:a"))...)
		for _, typ := range []string{"kick", "ban", "mute"} {
			v.refused("forbidden", typ, inRoom("club:a"), ofUser("olga"))
			v.refused("forbidden", typ, inRoom("club:a"), ofUser("mia"))
		}
		v.refused("already_exists", "create", append(fields, inRoom("club:a"))...)
		v.bye()
	}
	// A muted moderator cannot unmute themselves out of the owner's hands: a
	// moderator may undo what was done, but nobody acts on themselves.
	rec, err := h.srv.Room("club:a").Record(ctx)
	if err != nil || rec.Owner != "olga" || len(rec.Moderators) != 0 || len(rec.Invited) != 0 || rec.Permission != room.Public {
		t.Errorf("%+v, %v", rec, err)
	}
	// The owner cannot give away what only the host can, nor go beyond what
	// the pattern allows.
	olga.must("update", inRoom("club:a"), `"owner":"mia"`, `"moderators":["mia"]`)
	olga.refused("bad_request", "update", inRoom("club:a"), `"max_members":1001`)
	if rec, err = h.srv.Room("club:a").Record(ctx); err != nil || rec.Owner != "olga" || len(rec.Moderators) != 0 {
		t.Errorf("%+v, %v", rec, err)
	}
	// Whoever made a standing room's name up owns nothing of it.
	olga.refused("already_exists", "create", inRoom("hall"))
	olga.refused("forbidden", "update", inRoom("hall"), `"permission":"private"`)
}

// A room goes on without its owner: one who leaves, hangs up or is revoked is
// the owner still, and nobody else becomes it.
func TestOwnerLeaves(t *testing.T) {
	ctx := context.Background()
	people := new(register)
	fresh := func(user string) string { return people.token(auth.Identity{ID: user, IssuedAt: time.Now()}) }
	h := serve(t, house(), room.WithAuthenticator(people))
	olga := h.connect(fresh("olga"))
	olga.must("create", inRoom("club:a"), `"permission":"public"`)
	olga.must("join", inRoom("club:a"))
	mia := h.in(fresh("mia"), "club:a")
	olga.expect("user_joined")
	for what, leave := range map[string]func(*visitor){
		"leaves":   func(v *visitor) { v.must("leave", inRoom("club:a")) },
		"hangs up": func(v *visitor) { v.hangUp() },
		"is revoked": func(v *visitor) {
			if err := h.srv.User("olga").Revoke(ctx); err != nil {
				t.Fatal(err)
			}
			v.expectClose(4004)
		},
	} {
		leave(olga)
		if f := mia.expect("user_left"); f.User != "olga" {
			t.Errorf("%s: %s", what, f)
		}
		mia.must("message", inRoom("club:a"), saying("1"))
		mia.forget()
		mia.refused("forbidden", "update", inRoom("club:a"), `"permission":"private"`)
		mia.refused("forbidden", "kick", inRoom("club:a"), ofUser("olga"))
		olga = h.in(fresh("olga"), "club:a")
		mia.expect("user_joined")
		olga.must("update", inRoom("club:a"), `"max_members":50`)
		mia.expect("room_updated")
		olga.forget()
	}
}

// The host alone gives a room away; from then on the one may and the other may
// not.
func TestOwnershipIsTransferred(t *testing.T) {
	ctx := context.Background()
	h := serve(t, house())
	olga := h.connect("olga")
	olga.must("create", inRoom("den:a"))
	olga.must("join", inRoom("den:a"))
	nora := h.connect("nora")
	nora.refused("forbidden", "join", inRoom("den:a"))
	rec, err := h.srv.Room("den:a").Update(ctx, func(r *room.Record) { r.Owner = "nora" })
	if err != nil || rec.Owner != "nora" {
		t.Fatalf("%+v, %v", rec, err)
	}
	// The room is for its owner alone, so the old one has lost access.
	f := olga.next()
	if f.Type == "room_updated" {
		f = olga.next()
	}
	if f.Type != "removed" || f.Code != "access_revoked" {
		t.Errorf("got %s", f)
	}
	olga.refused("forbidden", "join", inRoom("den:a"))
	olga.refused("forbidden", "update", inRoom("den:a"), `"permission":"public"`)
	olga.refused("forbidden", "delete", inRoom("den:a"))
	nora.must("join", inRoom("den:a"))
	nora.must("update", inRoom("den:a"), `"permission":"public"`)
	nora.must("kick", inRoom("den:a"), ofUser("olga"))
	nora.must("delete", inRoom("den:a"))
}

// Moderators whom the host names moderate one room, and only the owner acts on
// them. One who has a role does not bring rooms about that are not there.
func TestModerators(t *testing.T) {
	ctx := context.Background()
	h := serve(t, house())
	if _, err := h.srv.Room("club:a").Create(ctx, room.Record{Owner: "olga", Permission: room.Public, Moderators: []string{"mo", "max"}}); err != nil {
		t.Fatal(err)
	}
	olga, mo, mia := h.in("olga", "club:a"), h.in("mo", "club:a"), h.in("mia", "club:a")
	mia.forget()
	mo.must("mute", inRoom("club:a"), ofUser("mia"))
	mia.refused("muted", "message", inRoom("club:a"), saying("1"))
	mo.must("unmute", inRoom("club:a"), ofUser("mia"))
	for _, typ := range []string{"kick", "ban", "mute"} {
		mo.refused("forbidden", typ, inRoom("club:a"), ofUser("max"))
		olga.must(typ, inRoom("club:a"), ofUser("max"))
	}
	said := mia.must("message", inRoom("club:a"), saying(`"rude"`))
	mo.must("redact", inRoom("club:a"), fmt.Sprintf(`"target":%d`, said.Offset))
	if _, err := h.srv.Room("club:b").Create(ctx, room.Record{Permission: room.Public}); err != nil {
		t.Fatal(err)
	}
	mo.refused("forbidden", "kick", inRoom("club:b"), ofUser("mia"))

	role := h.connect("rosa~role.mod")
	for _, typ := range []string{"invite", "uninvite", "kick", "ban", "unban", "mute", "unmute"} {
		role.must(typ, inRoom("club:b"), ofUser("mia"))
		role.refused("forbidden", typ, inRoom("club:none"), ofUser("mia"))
	}
	if rec, err := h.srv.Room("club:none").Record(ctx); err != nil || rec.Version != 0 || len(rec.Invited) != 0 {
		t.Errorf("%+v, %v", rec, err)
	}
	// What Update is given is a copy: the store's own is not changed under it.
	if _, err := h.srv.Room("club:a").Update(ctx, func(r *room.Record) { r.Moderators[0] = "nobody"; r.Permission = "none" }); err == nil {
		t.Error("a permission that there is not was taken")
	}
	if rec, err := h.srv.Room("club:a").Record(ctx); err != nil || rec.Moderators[0] != "mo" {
		t.Errorf("%+v, %v", rec, err)
	}
}
