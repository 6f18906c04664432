package redisroom_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
	"github.com/wardroom/wardroom/room/roomtest"
)

func TestBrokerConforms(t *testing.T) {
	server := redistest.Start(t)
	one, two := server.Client(), server.Client()
	var n atomic.Int64
	var prefixes sync.Map // of brokers
	// On a busy machine a call may take its time.
	patient := redisroom.WithTimeout(5 * time.Second)
	roomtest.TestBroker(t, func(t *testing.T) room.Broker {
		prefix := fmt.Sprintf("t%d:", n.Add(1))
		b := redisroom.NewBroker(one, redisroom.WithPrefix(prefix), patient)
		t.Cleanup(b.Close)
		prefixes.Store(b, prefix)
		return b
	}, roomtest.BrokerOptions{RealTime: true, Delivery: 20 * time.Second, Peer: func(t *testing.T, of room.Broker) room.Broker {
		prefix, _ := prefixes.Load(of)
		b := redisroom.NewBroker(two, redisroom.WithPrefix(prefix.(string)), patient)
		t.Cleanup(b.Close)
		return b
	}})
}
