package redisroom_test

import (
	"fmt"
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

// patient is for tests in which nothing fails: on a busy machine a call may
// take its time.
func patient() redisroom.Option { return redisroom.WithTimeout(5 * time.Second) }

func TestStoreConforms(t *testing.T) {
	server := redistest.Start(t)
	conform(t, server.Client(), server.Client())
}

// conform runs the suite on two clients of one Redis.
func conform(t *testing.T, one, other rueidis.Client) {
	var n atomic.Int64
	var prefixes sync.Map // of each store
	roomtest.TestStore(t, func(*testing.T) room.Store {
		prefix := redisroom.WithPrefix(fmt.Sprintf("t%d:", n.Add(1)))
		s := redisroom.NewStore(one, prefix, patient())
		prefixes.Store(s, prefix)
		return s
	}, roomtest.StoreOptions{RealTime: true, Peer: func(_ *testing.T, of room.Store) room.Store {
		prefix, _ := prefixes.Load(of)
		return redisroom.NewStore(other, prefix.(redisroom.Option), patient())
	}})
}
