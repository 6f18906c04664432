package presencetest

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wardroom/wardroom/presence"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newMemory(*testing.T) presence.Store { return presence.NewMemory() }

func TestMemory(t *testing.T) { TestStore(t, newMemory) }

// TestMemoryInRealTime is for the suite: a store across a network is tested so.
func TestMemoryInRealTime(t *testing.T) {
	TestStore(t, newMemory, Options{RealTime: true, Unit: 500 * time.Millisecond})
}
