package room_test

import (
	"context"
	"testing"

	"github.com/wardroom/wardroom/room"
)

// What is published for all but one connection reaches the others, also those of
// the same user and on other nodes, and is in the history for everybody.
func TestExcept(t *testing.T) {
	nodes := room.Options(house(), room.WithStore(room.NewMemoryStore()), room.WithBroker(room.NewMemoryBroker()))
	one, other := serve(t, nodes), serve(t, nodes)
	room.Handle(one.srv, "tell", func(ctx context.Context, c *room.Conn, word string) (int, error) {
		_, err := one.srv.Room(room.CallRoom(ctx)).Publish(ctx, "told", word, room.Except(c))
		return len(word), err
	})
	ada, tab, bob := one.in("ada", "hall"), one.in("ada", "hall"), other.in("bob", "hall")
	for _, c := range []*visitor{ada, tab} {
		c.expect("user_joined")
	}
	if f := ada.request("call", inRoom("hall"), `"event":"tell"`, `"data":"news"`); f.Error != nil || string(f.Data) != "4" {
		t.Errorf("got %s", f)
	}
	for _, c := range []*visitor{tab, bob} {
		if m := c.expect("message"); m.Event != "told" || string(m.Data) != `"news"` {
			t.Errorf("got %s", m)
		}
	}
	ada.silent()
	if r := ada.must("history", inRoom("hall")); len(r.Messages) != 1 {
		t.Errorf("history: %s", r.raw)
	}
}
