package room_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/room"
)

// memberIDs are the users in a room, as the store has it.
func memberIDs(h *host, name string) []string {
	list, _, err := h.srv.Room(name).Members(context.Background(), "", 100)
	if err != nil {
		h.t.Error(err)
	}
	ids := make([]string, len(list))
	for i, m := range list {
		ids[i] = m.User
	}
	return ids
}

// Who comes back just as they leave is said to be there: what the others hear
// last is true.
func TestLeftIsNotTheLastWordOnWhoIsBack(t *testing.T) {
	store := &spyStore{Store: room.NewMemoryStore()}
	h := serve(t, house(), room.WithStore(store))
	back := make(chan *visitor, 100)
	store.dismissed = func(s room.Seat, _ bool) {
		if s.User == "bob" {
			if v := <-back; v != nil {
				v.must("join", inRoom("hall"))
			}
		}
	}
	ada := h.in("ada", "hall")
	bob := h.in("bob", "hall")
	ada.expect("user_joined")
	for i := range 20 {
		next := h.connect("bob")
		back <- next
		if i%2 == 0 {
			bob.must("leave", inRoom("hall"))
		}
		bob.bye()
		bob = next
		eventually(t, "the old one is gone", func() bool { return h.srv.Stats().Connections == 2 })
		bob.must("message", inRoom("hall"), saying(`"here"`))
		there := true
		for {
			f := ada.next()
			if f.Type == "message" {
				break
			}
			there = f.Type == "user_joined"
		}
		if !there {
			t.Fatal("the last that was said of Bob is that he left, and he is there")
		}
		if r := ada.must("members", inRoom("hall")); !slices.Equal(users(r.Members), []string{"ada", "bob"}) {
			t.Fatalf("members %s", r.raw)
		}
		if got := memberIDs(h, "hall"); !slices.Equal(got, []string{"ada", "bob"}) {
			t.Fatalf("members in the store %v", got)
		}
	}
	close(back)
}

// Half a join leaves nobody behind, neither a first one nor one in the place
// of another.
func TestFailedJoinLeavesNothing(t *testing.T) {
	store := &spyStore{Store: room.NewMemoryStore()}
	broker := &spyBroker{Broker: room.NewMemoryBroker()}
	h := serve(t, house(), room.WithStore(store), room.WithBroker(broker))
	ada, bob := h.in("ada", "hall"), h.connect("bob")
	alone := func(when string) {
		t.Helper()
		if got := memberIDs(h, "hall"); !slices.Equal(got, []string{"ada"}) {
			t.Errorf("%s: members in the store %v", when, got)
		}
		if r := ada.must("members", inRoom("hall")); !slices.Equal(users(r.Members), []string{"ada"}) {
			t.Errorf("%s: members %s", when, r.raw)
		}
	}

	store.breakDown("Admit")
	bob.refused("unavailable", "join", inRoom("hall"))
	alone("after an unanswered admission")
	store.breakDown("")
	broker.breakDown("Replay")
	bob.refused("unavailable", "join", inRoom("hall"), `"last":1`, `"since":{"epoch":"x","offset":1}`)
	alone("after an unanswered replay")
	broker.breakDown("Subscribe")
	bob.refused("unavailable", "join", inRoom("lounge"))
	broker.breakDown("")
	bob.must("join", inRoom("lounge"))
	bob.must("leave", inRoom("lounge"))
	bob.must("join", inRoom("hall"))
	ada.forget()

	store.breakDown("Admit")
	bob.refused("unavailable", "join", inRoom("hall"))
	alone("after a second join")
	if f := ada.expect("user_left"); f.User != "bob" {
		t.Errorf("got %s", f)
	}
	bob.refused("not_member", "message", inRoom("hall"), saying("1"))
	store.breakDown("")
	bob.must("join", inRoom("hall"))
	if f := ada.expect("user_joined"); f.User != "bob" {
		t.Errorf("got %s", f)
	}
	bob.silent()
}

// A leave that the store fails is made up for, and nobody comes back before.
func TestLeaveIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &spyStore{Store: room.NewMemoryStore()}
		h := servePipes(t, house(), room.WithStore(store))
		ada, bob := h.in("ada", "hall"), h.in("bob", "hall")
		ada.expect("user_joined")
		store.breakDown("Dismiss")
		bob.must("leave", inRoom("hall"))
		bob.refused("unavailable", "join", inRoom("hall"))
		if f := ada.expect("user_left"); f.User != "bob" || f.Reason != "left" {
			t.Errorf("got %s", f)
		}
		ada.pass(5 * time.Second)
		bob.pass(time.Second)
		store.breakDown("")
		bob.pass(11 * time.Second)
		if got := memberIDs(h, "hall"); !slices.Equal(got, []string{"ada"}) {
			t.Errorf("members in the store %v", got)
		}
		bob.must("join", inRoom("hall"))
		ada.expect("user_joined")
		ada.silent()
	})
}

// What the broker did not take is said later.
func TestComingsAndGoingsAreMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := &spyBroker{Broker: room.NewMemoryBroker()}
		h := servePipes(t, house(), room.WithBroker(broker))
		ada, bob := h.in("ada", "hall"), h.connect("bob")
		broker.breakDown("Publish")
		bob.must("join", inRoom("hall"))
		bob.refused("unavailable", "message", inRoom("hall"), saying("1"))
		ada.silent()
		broker.breakDown("")
		ada.expect("user_joined")
		broker.breakDown("Publish")
		bob.must("leave", inRoom("hall"))
		ada.silent()
		broker.breakDown("")
		if f := ada.expect("user_left"); f.Reason != "left" {
			t.Errorf("got %s", f)
		}
		ada.silent()
	})
}

// Whoever is put out while the join is still under way hears of it after the
// reply, and is out.
func TestExpelledWhileJoining(t *testing.T) {
	ctx := context.Background()
	for code, act := range map[string]func(*host) error{
		"kicked":         func(h *host) error { return h.srv.Room("hall").Kick(ctx, "bob", "") },
		"banned":         func(h *host) error { return h.srv.Room("hall").Ban(ctx, "bob", time.Time{}, "") },
		"access_revoked": func(h *host) error { return setPermission(h, "hall", room.OwnerOnly) },
		"":               func(h *host) error { return h.srv.Room("hall").Delete(ctx) },
	} {
		t.Run("code "+code, func(t *testing.T) {
			broker := &spyBroker{Broker: room.NewMemoryBroker()}
			h := serve(t, house(), room.WithBroker(broker))
			ada, bob := h.in("ada", "lounge"), h.connect("bob")
			var once sync.Once
			broker.publish = func(m room.Message) error {
				if m.Kind == room.KindJoined && m.From == "bob" {
					once.Do(func() {
						if err := act(h); err != nil {
							t.Error(err)
						}
						// Time enough for the server to act on it.
						time.Sleep(20 * time.Millisecond)
					})
				}
				return nil
			}
			f := bob.request("join", inRoom("hall"))
			if len(bob.unread) > 0 {
				t.Errorf("%s came before the reply", bob.unread[0])
			}
			if f.Error == nil {
				f = bob.next()
				for f.Type == "room_updated" {
					f = bob.next()
				}
				if code != "" && (f.Type != "removed" || f.Code != code) || code == "" && f.Type != "room_deleted" {
					t.Errorf("got %s", f)
				}
			}
			bob.silent()
			bob.refused("not_member", "message", inRoom("hall"), saying("1"))
			if got := memberIDs(h, "hall"); len(got) != 0 {
				t.Errorf("members %v", got)
			}
			ada.silent()
		})
	}
}

// Who comes in just when a standing room is emptied is in it or not, for the
// client as for the store.
func TestJoinWhileDeleting(t *testing.T) {
	store := &spyStore{Store: room.NewMemoryStore()}
	h := serve(t, house(), room.WithStore(store))
	bob := h.connect("bob")
	store.deleted = func(string) { bob.must("join", inRoom("lounge")) }
	if err := h.srv.Room("lounge").Delete(context.Background()); err != nil {
		t.Fatal(err)
	}
	bob.expect("room_deleted")
	bob.silent()
	bob.refused("not_member", "leave", inRoom("lounge"))
	if got := memberIDs(h, "lounge"); len(got) != 0 {
		t.Errorf("members %v", got)
	}
}

// Kicked and back at once, before the kick is through: in the room is in the
// room, for the client as for the store.
func TestBackBeforeTheKickIsThrough(t *testing.T) {
	store := &spyStore{Store: room.NewMemoryStore()}
	h := serve(t, house(), room.WithStore(store))
	bob := h.in("bob", "hall")
	var joined sync.WaitGroup
	store.dismissed = func(s room.Seat, last bool) { time.Sleep(20 * time.Millisecond) }
	joined.Go(func() {
		if f := bob.expect("removed"); f.Code != "kicked" {
			t.Errorf("got %s", f)
		}
		bob.must("join", inRoom("hall"))
	})
	if err := h.srv.Room("hall").Kick(context.Background(), "bob", ""); err != nil {
		t.Fatal(err)
	}
	joined.Wait()
	time.Sleep(50 * time.Millisecond) // longer than what the kick left to do
	bob.must("message", inRoom("hall"), saying("1"))
	if got := memberIDs(h, "hall"); !slices.Equal(got, []string{"bob"}) {
		t.Errorf("members %v", got)
	}
}

// A slow hook of the host keeps nobody in a room.
func TestSlowLeaveHookKeepsNobody(t *testing.T) {
	const people = 20
	release := make(chan struct{})
	h := serve(t, house(), room.OnLeave(func(context.Context, *room.Conn, string) { <-release }))
	defer close(release)
	ada := h.in("ada", "lounge")
	list := make([]*visitor, people)
	for i := range list {
		list[i] = h.in("bob", "lounge")
	}
	ada.expect("user_joined")
	if err := h.srv.Room("lounge").Kick(context.Background(), "bob", ""); err != nil {
		t.Fatal(err)
	}
	for _, v := range list {
		v.expect("removed")
	}
	if f := ada.expect("user_left"); f.Reason != "kicked" {
		t.Errorf("got %s", f)
	}
	ada.must("message", inRoom("lounge"), saying(`"after"`))
	for _, v := range list {
		v.silent()
	}
}

// A fresher identity that may be in fewer rooms leaves the others.
func TestRenewalRechecksRooms(t *testing.T) {
	h := serve(t, house())
	ada := h.in("ada~role.staff", "staff", "hall")
	bob := h.in("bob~role.staff", "staff", "hall")
	ada.forget()
	bob.must("auth", `"token":"bob~role.staff"`)
	bob.silent()
	bob.must("auth", `"token":"bob"`)
	if f := bob.expect("removed"); f.Room != "staff" || f.Code != "access_revoked" {
		t.Errorf("got %s", f)
	}
	if f := ada.expect("user_left"); f.Room != "staff" || f.User != "bob" || f.Reason != "access_revoked" {
		t.Errorf("got %s", f)
	}
	ada.must("message", inRoom("staff"), saying(`"secret"`), `"echo":false`)
	bob.silent()
	bob.must("message", inRoom("hall"), saying("1"))
}

// A fresher token may have another name: lists have it at once, events from the
// next one on. Who has several connections is called by the newest one's name.
func TestRenewalRenames(t *testing.T) {
	h := serve(t, house())
	ada := h.in("ada", "hall")
	bob := h.in("bob~name.Bob", "hall")
	name := func() string {
		t.Helper()
		for _, m := range ada.must("members", inRoom("hall")).Members {
			if m.User == "bob" {
				return m.Name
			}
		}
		t.Error("bob is not there")
		return ""
	}
	ada.forget()
	bob.must("auth", `"token":"bob~name.Robert"`)
	if got := name(); got != "Robert" {
		t.Errorf("renamed: %q", got)
	}
	ada.silent()
	for _, typ := range []string{"leave", "join"} {
		bob.must(typ, inRoom("hall"))
		if f := ada.expect(map[string]string{"leave": "user_left", "join": "user_joined"}[typ]); f.Name != "Robert" {
			t.Errorf("after renaming: %s", f)
		}
	}
	time.Sleep(5 * time.Millisecond) // newer by the clock, whose steps are milliseconds
	newer := h.in("bob~name.Bobby", "hall")
	bob.must("auth", `"token":"bob~name.Rob"`)
	if got := name(); got != "Bobby" {
		t.Errorf("with a newer connection: %q", got)
	}
	newer.must("leave", inRoom("hall"))
	if got := name(); got != "Rob" {
		t.Errorf("without it: %q", got)
	}
	bob.must("auth", `"token":"bob"`)
	if got := name(); got != "" {
		t.Errorf("without a name: %q", got)
	}
}

// The answer to whoever put somebody out comes when they are out.
func TestAnswerComesWhenDone(t *testing.T) {
	store := &spyStore{Store: room.NewMemoryStore(), dismissed: func(room.Seat, bool) { time.Sleep(5 * time.Millisecond) }}
	h := serve(t, house(), room.WithStore(store))
	ada := h.connect("ada")
	for _, typ := range []string{"kick", "ban", "uninvite", "update", "delete"} {
		ada.must("create", inRoom("club:a"), `"invited":["bob"]`)
		ada.must("join", inRoom("club:a"))
		for range 5 {
			h.in("bob", "club:a")
		}
		ada.must(typ, inRoom("club:a"), ofUser("bob"), `"permission":"owner_only"`)
		if got := memberIDs(h, "club:a"); slices.Contains(got, "bob") {
			t.Errorf("%s: members in the store %v", typ, got)
		}
		if typ == "delete" {
			ada.refused("not_member", "message", inRoom("club:a"), saying("1"))
		} else {
			if r := ada.must("members", inRoom("club:a")); !slices.Equal(users(r.Members), []string{"ada"}) {
				t.Errorf("%s: members %s", typ, r.raw)
			}
			ada.must("delete", inRoom("club:a"))
		}
		ada.forget()
	}
}
