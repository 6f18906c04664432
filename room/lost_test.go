package room_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/room"
)

// lossy is a broker that can say that it has lost something.
type lossy struct {
	room.Broker

	mu       sync.Mutex // protects delivers
	delivers map[string]func(room.Message)
}

func (b *lossy) Subscribe(ctx context.Context, name string, deliver func(room.Message)) (room.Position, func(), error) {
	b.mu.Lock()
	b.delivers[name] = deliver
	b.mu.Unlock()
	return b.Broker.Subscribe(ctx, name, deliver)
}

func (b *lossy) lose(name string, at room.Position) {
	b.mu.Lock()
	deliver := b.delivers[name]
	b.mu.Unlock()
	deliver(room.Message{Kind: room.KindLost, Room: name, Position: at})
}

func (b *lossy) deliver(list ...room.Message) {
	b.mu.Lock()
	deliver := b.delivers["hall"]
	b.mu.Unlock()
	for _, m := range list {
		deliver(m)
	}
}

// A node that hears of a ban late hears at once all that was said since; nothing
// of that is for who was banned, or kicked, or may not be in the room any more,
// though they may have been let in again since. Who joins again gets what comes
// then.
func TestActHeardLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker := &lossy{Broker: room.NewMemoryBroker(), delivers: make(map[string]func(room.Message))}
		h := servePipes(t, house(), room.WithBroker(broker))
		said := func(n int, act room.Message) []room.Message {
			act.Room, act.From = "hall", "bob"
			list := []room.Message{act}
			for range n {
				list = append(list, room.Message{Kind: room.KindMessage, Room: "hall", Event: "talk", From: "cyd", Data: []byte(`"so"`), At: time.Now()})
			}
			return list
		}
		ada, bob := h.in("ada", "hall"), h.in("bob", "hall")
		hears := func(v *visitor, n int) {
			t.Helper()
			for n > 0 {
				if v.next().Type == "message" {
					n--
				}
			}
		}
		broker.deliver(said(50, room.Message{Kind: room.KindKicked})...)
		hears(ada, 50)
		bob.expectUnheard([]string{"removed kicked"}, time.Second)
		bob.must("join", inRoom("hall"))
		broker.deliver(said(2, room.Message{Kind: room.KindMessage, Event: "talk", Data: []byte(`"back"`), At: time.Now()})...)
		hears(bob, 3)
		hears(ada, 3)
		rec := func(version int64, open room.Permission, invited ...string) room.Message {
			data, err := json.Marshal(room.Record{Room: "hall", Permission: open, Invited: invited, Version: version})
			if err != nil {
				t.Fatal(err)
			}
			return room.Message{Kind: room.KindUpdated, Data: data}
		}
		late := append(said(50, rec(7, room.Private, "ada")), said(50, rec(8, room.Public))...)
		broker.deliver(late...)
		hears(ada, 100)
		bob.expectUnheard([]string{"removed access_revoked"}, time.Second)
		bob.must("join", inRoom("hall"))
		broker.deliver(said(2, rec(9, room.Private, "ada", "bob"))...)
		hears(bob, 2)
		hears(ada, 2)
		broker.deliver(said(50, room.Message{Kind: room.KindBanned})...)
		hears(ada, 50)
		bob.expectUnheard([]string{"removed banned"}, time.Second)
		broker.deliver(said(50, room.Message{Kind: room.KindDeleted})...)
		ada.expectUnheard([]string{"room_deleted "}, time.Second)
	})
}

// When a broker has lost messages the server looks at once whether those who
// are in a room still may be, and who comes then is told the new position.
func TestLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, broker := room.NewMemoryStore(), &lossy{Broker: room.NewMemoryBroker(), delivers: make(map[string]func(room.Message))}
		h := servePipes(t, house(), room.WithStore(store), room.WithBroker(broker))
		bob := h.in("bob", "hall")
		if err := store.Sanction(t.Context(), "hall", "bob", room.Ban, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		h.in("ada", "hall")
		broker.lose("hall", room.Position{Epoch: "another", Offset: 7})
		bob.expectUnheard([]string{"removed banned"}, time.Second)
		cyd := h.connect("cyd")
		if f := cyd.must("join", inRoom("hall")); f.Epoch != "another" || f.Offset != 7 {
			t.Errorf("who joins then is told %+v", f)
		}
	})
}
