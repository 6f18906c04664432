package roomtest

import (
	"testing"

	"github.com/wardroom/wardroom/room"
)

func newMemoryBroker(*testing.T) room.Broker { return room.NewMemoryBroker() }

func TestMemoryBroker(t *testing.T) { TestBroker(t, newMemoryBroker) }

func TestMemoryBrokerRealTime(t *testing.T) {
	t.Parallel()
	TestBroker(t, newMemoryBroker, BrokerOptions{RealTime: true})
}
