package room_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

// waiting is a broker that delivers what is said and keeps who said it waiting,
// as one that waits for replicas does.
type waiting struct {
	room.Broker
	answered atomic.Bool
	answer   chan struct{}
}

func (b *waiting) Publish(ctx context.Context, m room.Message, keep room.Retention) (room.Receipt, error) {
	r, err := b.Broker.Publish(ctx, m, keep)
	if m.Kind == room.KindMessage {
		select {
		case <-b.answer:
		case <-ctx.Done():
		}
		b.answered.Store(true)
	}
	return r, err
}

// Who waits for the broker keeps nobody else waiting for what is there.
func TestPublisherWaits(t *testing.T) {
	b := &waiting{Broker: room.NewMemoryBroker(), answer: make(chan struct{})}
	h := serve(t, house(), room.WithBroker(b), limits(func(l *room.Limits) { l.StoreCall = 20 * time.Second }))
	bob, ada := h.in("bob", "hall"), h.in("ada", "hall")
	ada.send(`{"type":"message","room":"hall","data":"hi"}`)
	bob.expect("user_joined")
	bob.expect("message")
	if b.answered.Load() {
		t.Error("what was there was kept until the broker had answered")
	}
	close(b.answer)
	ada.expect("message")
}
