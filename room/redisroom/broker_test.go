package redisroom_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
	"github.com/wardroom/wardroom/room/roomtest"
)

func TestBrokerConforms(t *testing.T) {
	server := redistest.Start(t)
	conformBroker(t, server.Client(), server.Client())
}

func TestBrokerConformsOnACluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	conformBroker(t, cluster.Client(), cluster.Client())
}

func TestBrokerConformsWithSentinels(t *testing.T) {
	t.Parallel()
	sentinel := redistest.StartSentinel(t)
	conformBroker(t, sentinel.Client(), sentinel.Client())
}

// conformBroker runs the suite, which then takes each client for a node of its own.
func conformBroker(t *testing.T, one, two rueidis.Client, opts ...redisroom.Option) {
	t.Helper()
	var n atomic.Int64
	var prefixes sync.Map // of brokers
	// On a busy machine a call may take its time.
	opts = slices.Clip(append(opts, patient()))
	roomtest.TestBroker(t, func(t *testing.T) room.Broker {
		prefix := fmt.Sprintf("t%d:", n.Add(1))
		b := node(t, one, append(opts, redisroom.WithPrefix(prefix))...)
		prefixes.Store(b, prefix)
		return b
	}, roomtest.BrokerOptions{RealTime: true, Delivery: 20 * time.Second, Peer: func(t *testing.T, of room.Broker) room.Broker {
		prefix, _ := prefixes.Load(of)
		return node(t, two, append(opts, redisroom.WithPrefix(prefix.(string)))...)
	}})
}
