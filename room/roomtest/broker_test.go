package roomtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

func newMemoryBroker(*testing.T) room.Broker { return room.NewMemoryBroker() }

func TestMemoryBroker(t *testing.T) { TestBroker(t, newMemoryBroker) }

// TestRemoteBroker shows that the suite does not expect messages to be there
// when Publish returns.
func TestRemoteBroker(t *testing.T) {
	TestBroker(t, newRemoteBroker, BrokerOptions{Peer: remotePeer})
}

func TestRemoteBrokerRealTime(t *testing.T) {
	t.Parallel()
	TestBroker(t, newRemoteBroker, BrokerOptions{RealTime: true, Slack: 60 * time.Millisecond, Peer: remotePeer})
}

// remoteBroker delivers after a while, by a goroutine for each subscription, as
// a node of a broker in another process does.
type remoteBroker struct{ room.Broker }

func newRemoteBroker(*testing.T) room.Broker { return remoteBroker{room.NewMemoryBroker()} }

func remotePeer(_ *testing.T, of room.Broker) room.Broker {
	return remoteBroker{of.(remoteBroker).Broker}
}

func (b remoteBroker) Subscribe(ctx context.Context, name string, deliver func(room.Message)) (room.Position, func(), error) {
	var mu sync.Mutex // protects queue
	var queue []room.Message
	some, stop := make(chan struct{}, 1), make(chan struct{})
	at, cancel, err := b.Broker.Subscribe(ctx, name, func(m room.Message) {
		mu.Lock()
		queue = append(queue, m)
		mu.Unlock()
		select {
		case some <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return at, nil, err
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-some:
			}
			time.Sleep(time.Millisecond)
			mu.Lock()
			batch := queue
			queue = nil
			mu.Unlock()
			for _, m := range batch {
				select {
				case <-stop:
					return
				default:
					deliver(m)
				}
			}
		}
	})
	var once sync.Once
	return at, func() {
		once.Do(func() { cancel(); close(stop) })
		wg.Wait()
	}, nil
}
