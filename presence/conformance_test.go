package presence_test

import (
	"testing"

	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/presence/presencetest"
)

func TestMemory(t *testing.T) {
	presencetest.TestStore(t, func(*testing.T) presence.Store { return presence.NewMemory() })
}
