package room_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

// Who may enter a room, by its permission and what they are to it.
func TestPermissions(t *testing.T) {
	h := serve(t, house())
	ctx := context.Background()
	people := map[string]*visitor{
		"owner":    h.connect("olga"),
		"invited":  h.connect("ivan"),
		"role":     h.connect("rosa~role.staff"),
		"stranger": h.connect("stan~role.other"),
	}
	for permission, may := range map[room.Permission][]string{
		room.Public:     {"owner", "invited", "role", "stranger"},
		room.Private:    {"owner", "invited"},
		room.Restricted: {"owner", "role"},
		room.OwnerOnly:  {"owner"},
	} {
		name := "club:" + string(permission)
		if _, err := h.srv.Room(name).Create(ctx, room.Record{Owner: "olga", Permission: permission, Roles: []string{"staff"}, Invited: []string{"ivan"}}); err != nil {
			t.Fatal(err)
		}
		for what, v := range people {
			allowed := false
			for _, w := range may {
				allowed = allowed || w == what
			}
			t.Run(string(permission)+"/"+what, func(t *testing.T) {
				v.t = t
				if !allowed {
					v.refused("forbidden", "settings", inRoom(name))
					v.refused("forbidden", "join", inRoom(name))
					v.refused("not_member", "message", inRoom(name), saying(`1`))
					v.refused("not_member", "members", inRoom(name))
					v.refused("not_member", "history", inRoom(name))
					return
				}
				if r := v.must("settings", inRoom(name)); r.Permission != string(permission) || (r.Invited != nil) != (what == "owner") {
					t.Errorf("settings %s", r.raw)
				}
				if r := v.must("join", inRoom(name)); r.Permission != string(permission) {
					t.Errorf("join %s", r.raw)
				}
				v.must("message", inRoom(name), saying(`1`))
				v.must("leave", inRoom(name))
				v.forget()
			})
		}
	}
}

// Only the owner manages, only moderators moderate, and nobody can raise what
// they may do themselves.
func TestManagementIsForTheOwner(t *testing.T) {
	h := serve(t, house())
	owner := h.connect("olga")
	owner.must("create", inRoom("club:a"), `"permission":"public"`)
	member := h.in("mia", "club:a")
	mod := h.in("max~role.mod", "club:a")
	other := h.in("otto", "club:a")
	for _, typ := range []string{"update", "delete", "invite", "uninvite", "kick", "ban", "unban", "mute", "unmute"} {
		member.refused("forbidden", typ, inRoom("club:a"), ofUser("otto"), `"permission":"private"`, `"invited":["mia"]`, `"roles":["mia"]`)
	}
	for _, typ := range []string{"update", "delete"} {
		mod.refused("forbidden", typ, inRoom("club:a"), `"permission":"private"`)
	}
	for _, typ := range []string{"kick", "ban", "mute"} {
		mod.refused("forbidden", typ, inRoom("club:a"), ofUser("olga"))
		mod.refused("forbidden", typ, inRoom("club:a"), ofUser("max"))
	}
	other.forget()
	mod.must("mute", inRoom("club:a"), ofUser("otto"))
	other.refused("muted", "message", inRoom("club:a"), saying(`1`))
	mod.must("kick", inRoom("club:a"), ofUser("otto"))
	if f := other.expect("removed"); f.Code != "kicked" {
		t.Errorf("got %s", f)
	}
	// A mute outlives a leave.
	other.must("join", inRoom("club:a"))
	other.refused("muted", "message", inRoom("club:a"), saying(`1`))
	if r := owner.must("settings", inRoom("club:a")); r.Permission != "public" || len(r.Invited) != 0 || r.Owner != "olga" {
		t.Errorf("settings %s", r.raw)
	}
}

// Capabilities narrow what the room would allow.
func TestCapabilitiesNarrow(t *testing.T) {
	h := serve(t, house())
	v := h.connect("ada~cap.hall")
	v.must("join", inRoom("hall"))
	v.refused("forbidden", "message", inRoom("hall"), saying(`1`))
	v.refused("forbidden", "members", inRoom("hall"))
	v.refused("forbidden", "history", inRoom("hall"))
	v.refused("forbidden", "join", inRoom("lounge"))
	v.refused("forbidden", "create", inRoom("club:a"))
}

// A room that is not there and one that is not to be known of are answered
// alike, to the byte, whatever is asked.
func TestAbsentAndForbiddenAlike(t *testing.T) {
	store := room.NewMemoryStore()
	h := serve(t, house(), room.WithStore(store))
	room.Handle(h.srv, "peek", func(context.Context, *room.Conn, struct{}) (int, error) { return 1, nil })
	owner := h.connect("olga")
	owner.must("create", inRoom("club:closed"), `"invited":["ivan"]`)
	owner.must("create", inRoom("den:olga"))
	owner.must("join", inRoom("club:closed"))
	owner.must("message", inRoom("club:closed"), saying(`"secret"`))
	owner.must("create", inRoom("club:banned"), `"permission":"private"`)
	owner.must("ban", inRoom("club:banned"), ofUser("stan"))

	verbs := []string{
		"join", "leave", "message", "edit", "redact", "members", "history", "settings", "update", "delete",
		"invite", "uninvite", "kick", "ban", "unban", "mute", "unmute", "call", "presence",
	}
	rooms := []string{
		"nowhere",     // no pattern has this name
		"club:none",   // it could be there, and is not
		"club:closed", // it is there
		"club:banned", // it is there, and the asker is banned from it
		"den:olga", "den:none",
		"vault", // standing, and nobody is invited
		"staff",
	}
	stan := h.connect("stan")
	members := []string{`"event":"peek"`, `"data":"x"`, `"target":1`, `"status":"online"`, `"permission":"public"`, `"last":5`, `"since":{"epoch":"e","offset":1}`, `"reason":"r"`, `"for_ms":1`}
	for _, verb := range verbs {
		for _, user := range []string{"olga", "stan", "nobody", ""} {
			first := ""
			for _, name := range rooms {
				stan.send(envelope(7, verb, append(members, inRoom(name), ofUser(user))...))
				f := stan.reply(7)
				if f.Error == nil {
					t.Fatalf("%s in %s: %s", verb, name, f)
				}
				if first == "" {
					first = f.text
				} else if f.text != first {
					t.Errorf("%s about %q in %s is told apart from one in %s:\n%s\n%s", verb, user, name, rooms[0], f.text, first)
				}
			}
		}
	}
	// What may not be created is not told apart from what is there either.
	first := ""
	for _, name := range []string{"nowhere", "vault", "staff"} {
		stan.send(envelope(7, "create", inRoom(name)))
		if f := stan.reply(7); first == "" {
			first = f.text
		} else if f.text != first {
			t.Errorf("create %s: %s, and %s: %s", name, f.text, rooms[0], first)
		}
	}
	stan.silent()
	owner.must("leave", inRoom("club:closed"))
	owner.forget()
	for _, name := range rooms {
		if m, _, err := store.Members(context.Background(), name, "", 10); err != nil || len(m) > 0 {
			t.Errorf("%s has members %v, %v", name, m, err)
		}
	}
}

// No name of a room reaches a store unless it can be one.
func TestStoreSeesValidRoomsOnly(t *testing.T) {
	store := &spyStore{Store: room.NewMemoryStore()}
	h := serve(t, house(), room.WithStore(store))
	v := h.connect("ada")
	for _, name := range []string{``, ` `, `a b`, `{a}`, `*`, `club:*`, `a\u0000`, `a\n`, `\u202e`, `é`, fmt.Sprintf("%065d", 0)} {
		for _, verb := range []string{"join", "leave", "message", "edit", "redact", "members", "history", "settings", "create", "update", "delete", "kick", "ban", "mute", "invite"} {
			v.refused("invalid_room", verb, `"room":"`+name+`"`, ofUser("bob"), saying(`1`), `"target":1`)
		}
	}
	if n := store.calls.Load(); n != 0 {
		t.Errorf("the store was called %d times", n)
	}
}

// fullOfBans is a store whose rooms have all the sanctions that they may have.
type fullOfBans struct{ room.Store }

func (fullOfBans) Sanction(context.Context, string, string, room.Sanction, time.Time) error {
	return room.ErrTooManySanctions
}

// Who moderates a room cannot fill the store with bans, and is told so; the
// store is well.
func TestBansAreBounded(t *testing.T) {
	h := serve(t, house(), room.WithStore(fullOfBans{room.NewMemoryStore()}))
	ada := h.connect("ada")
	ada.must("create", inRoom("club:x"))
	for _, typ := range []string{"ban", "mute"} {
		ada.refused("too_many_elements", typ, inRoom("club:x"), ofUser("bob"))
	}
	var e *room.Error
	if err := h.srv.Room("club:x").Ban(t.Context(), "bob", time.Time{}, ""); !errors.As(err, &e) || e.Code != room.CodeTooManyElements {
		t.Errorf("got %v", err)
	}
	if health := h.srv.Health(); !health.OK() {
		t.Errorf("%+v", health)
	}
}
