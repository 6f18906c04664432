package limittest

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/wardroom/wardroom/limit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newMemory(*testing.T) limit.Limiter { return limit.NewMemory() }

func TestMemory(t *testing.T) { TestLimiter(t, newMemory) }

func TestMemoryRealTime(t *testing.T) {
	t.Parallel()
	TestLimiter(t, newMemory, Options{RealTime: true})
}
