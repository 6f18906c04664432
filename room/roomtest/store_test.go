package roomtest

import (
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

func newMemoryStore(*testing.T) room.Store { return room.NewMemoryStore() }

func TestMemoryStoreRealTime(t *testing.T) {
	t.Parallel()
	TestStore(t, newMemoryStore, StoreOptions{RealTime: true, Slack: 60 * time.Millisecond})
}

func TestMemoryStore(t *testing.T) { TestStore(t, newMemoryStore) }
