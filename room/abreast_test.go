package room_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

// deafBroker delivers nothing that is stored until it hears again, and then
// everything.
type deafBroker struct {
	room.Broker
	mu     sync.Mutex // protects what follows
	deaf   bool
	missed []func()
}

func (b *deafBroker) Subscribe(ctx context.Context, name string, deliver func(room.Message)) (room.Position, func(), error) {
	return b.Broker.Subscribe(ctx, name, func(m room.Message) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.deaf && m.Offset != 0 {
			b.missed = append(b.missed, func() { deliver(m) })
			return
		}
		deliver(m)
	})
}

func (b *deafBroker) hear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deaf = false
	for _, deliver := range b.missed {
		deliver()
	}
	b.missed = nil
}

// Who comes from a node that has heard more than this one is let in when this
// one has heard it too, and gets nothing twice.
func TestNodeIsBehind(t *testing.T) {
	shared := room.Options(house(), room.WithStore(room.NewMemoryStore()))
	broker := room.NewMemoryBroker()
	deaf := &deafBroker{Broker: broker}
	one := serve(t, shared, room.WithBroker(broker))
	other := serve(t, shared, room.WithBroker(deaf))
	bob := other.in("bob", "hall")
	ada := one.in("ada", "hall")
	bob.expect("user_joined")
	one.in("ada", "hall") // stays, so that she has never left: whether the other node hears that before she is back is open
	deaf.mu.Lock()
	deaf.deaf = true
	deaf.mu.Unlock()
	for range 3 {
		ada.must("message", inRoom("hall"), saying(`"hi"`))
	}
	last := frame{}
	for range 3 {
		last = ada.expect("message")
	}
	ada.bye()
	since := func(offset uint64) string { return fmt.Sprintf(`"since":{"epoch":%q,"offset":%d}`, last.Epoch, offset) }
	ada = other.connect("ada")
	// What nobody has is not waited for.
	if r := ada.must("join", inRoom("hall"), since(9)); r.Recovered {
		t.Errorf("recovered from nowhere: %s", r.raw)
	}
	ada.must("leave", inRoom("hall"))
	ada.refused("unavailable", "join", inRoom("hall"), since(3))
	time.AfterFunc(100*time.Millisecond, deaf.hear)
	if r := ada.must("join", inRoom("hall"), since(3)); !r.Recovered || r.Offset != 3 || len(r.Messages) != 0 {
		t.Errorf("got %s", r.raw)
	}
	ada.silent()
	bob.bye()
}
