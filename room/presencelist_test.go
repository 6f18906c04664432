package room_test

import (
	"errors"
	"testing"

	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/room"
)

// The host sees what others see, on every node: not who is invisible.
func TestPresenceList(t *testing.T) {
	nodes := room.Options(house(), room.WithStore(room.NewMemoryStore()), room.WithBroker(room.NewMemoryBroker()), room.WithPresence(presence.NewMemory()))
	one, other := serve(t, nodes), serve(t, nodes)
	ada, bob := one.in("ada~name.Ada", "hall"), other.in("bob", "hall")
	other.in("cyd", "hall")
	ada.must("presence", `"status":"away"`, `"meta":{"mood":"tea"}`)
	bob.must("presence", `"status":"offline"`)
	for name, srv := range map[string]*room.Server{"one": one.srv, "other": other.srv} {
		var got []presence.Member
		eventually(t, name+" knows of both", func() bool {
			page, err := srv.Room("hall").PresenceList(t.Context(), "", 0)
			if err != nil || page.Next != "" {
				t.Fatalf("%+v, %v", page, err)
			}
			got = page.Members
			return len(got) == 2 && got[0].Status == presence.Away
		})
		if a, c := got[0], got[1]; a.User != "ada" || a.Name != "Ada" || string(a.Meta) != `{"mood":"tea"}` || c.User != "cyd" || c.Status != presence.Online {
			t.Errorf("%s: %+v", name, got)
		}
		if page, err := srv.Room("hall").PresenceList(t.Context(), "ada", 1); err != nil || len(page.Members) != 1 || page.Members[0].User != "cyd" {
			t.Errorf("%s, behind ada: %+v, %v", name, page, err)
		}
		if members, _, err := srv.Room("hall").Members(t.Context(), "", 0); err != nil || len(members) != 3 {
			t.Errorf("%s has members %+v, %v", name, members, err)
		}
	}
}

// A server that was shut down before anybody came has nobody to ask.
func TestPresenceListAfterShutdown(t *testing.T) {
	h := serve(t, house())
	if err := h.srv.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.srv.Room("hall").PresenceList(t.Context(), "", 0); !errors.Is(err, &room.Error{Code: room.CodeUnavailable}) {
		t.Errorf("got %v", err)
	}
}
