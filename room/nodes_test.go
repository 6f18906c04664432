package room_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/room"
)

// nodes are servers that share everything there is to share.
func nodes(t *testing.T, n int, opts ...room.Option) []*host {
	shared := room.Options(
		room.WithStore(room.NewMemoryStore()), room.WithBroker(room.NewMemoryBroker()),
		room.WithSessions(auth.NewMemorySessions()), room.WithPresence(presence.NewMemory()),
	)
	list := make([]*host, n)
	for i := range list {
		list[i] = serve(t, append([]room.Option{house(), shared, room.WithNode(fmt.Sprintf("node%d", i))}, opts...)...)
	}
	return list
}

// A room is one room, whichever node its members are on.
func TestRoomAcrossNodes(t *testing.T) {
	n := nodes(t, 3)
	ada, bob, cyd := n[0].in("ada", "hall"), n[1].in("bob", "hall"), n[2].in("cyd", "hall")
	for _, want := range []string{"bob", "cyd"} {
		if f := ada.expect("user_joined"); f.User != want {
			t.Errorf("got %s, want %s", f, want)
		}
	}
	bob.expect("user_joined")
	bob.must("message", inRoom("hall"), saying(`"hi"`))
	for _, v := range []*visitor{ada, bob, cyd} {
		if f := v.expect("message"); f.Offset != 1 || f.From != "bob" {
			t.Errorf("got %s", f)
		}
		if r := v.must("members", inRoom("hall")); !slices.Equal(users(r.Members), []string{"ada", "bob", "cyd"}) {
			t.Errorf("members %s", r.raw)
		}
	}
	// A second tab on another node is a second tab.
	tab := n[0].in("bob", "hall")
	bob.bye()
	eventually(t, "the tab is gone", func() bool { return n[1].srv.Stats().Connections == 0 })
	ada.silent()
	if err := n[2].srv.Room("hall").Kick(context.Background(), "bob", ""); err != nil {
		t.Fatal(err)
	}
	if f := tab.expect("removed"); f.Code != "kicked" {
		t.Errorf("got %s", f)
	}
	for _, v := range []*visitor{ada, cyd} {
		if f := v.expect("user_left"); f.User != "bob" || f.Reason != "kicked" {
			t.Errorf("got %s", f)
		}
	}
}

// The size of a room is that of all nodes together.
func TestCapAcrossNodes(t *testing.T) {
	n := nodes(t, 2)
	n[0].in("ada", "tiny")
	n[1].in("bob", "tiny")
	for _, h := range n {
		h.connect("cyd").refused("room_full", "join", inRoom("tiny"))
		h.in("ada", "tiny")
	}
}

// A user whose sign-in is taken back is out everywhere within a second, and
// does not come back with the same token.
func TestRevocationAcrossNodes(t *testing.T) {
	n := nodes(t, 2)
	ada := n[0].in("ada", "hall")
	bobs := []*visitor{n[0].in("bob", "hall"), n[1].in("bob", "hall"), n[1].connect("bob")}
	began := time.Now()
	if err := n[0].srv.User("bob").Revoke(context.Background()); err != nil {
		t.Fatal(err)
	}
	var closing sync.WaitGroup
	for _, v := range bobs {
		closing.Go(func() { v.expectClose(4004) })
	}
	closing.Wait()
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
	ada.expect("user_joined")
	ada.expect("user_left")
	for _, h := range n {
		if _, status, _, _ := h.handshake(upgrade("Authorization: Bearer bob")...); status != http.StatusUnauthorized {
			t.Errorf("back again: %d", status)
		}
	}
	ada.silent()
}

// One session can be taken back without the others.
func TestSessionIsRevoked(t *testing.T) {
	n := nodes(t, 2)
	one, other := n[0].connect("ada"), n[1].connect("ada")
	list, err := n[1].srv.User("ada").Sessions(context.Background())
	if err != nil || len(list) != 2 {
		t.Fatalf("sessions %v, %v", list, err)
	}
	for _, s := range list {
		if s.Connection == "" || s.Node == "" {
			t.Errorf("session %+v", s)
		}
		if s.Node == "node0" {
			if err := n[1].srv.User("ada").RevokeSession(context.Background(), s.ID); err != nil {
				t.Error(err)
			}
		}
	}
	one.expectClose(4004)
	other.silent()
}
