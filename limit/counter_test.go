package limit_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/limit/limittest"
)

func TestMemoryCounterConforms(t *testing.T) {
	limittest.TestCounter(t, func(*testing.T) limit.Counter { return limit.NewMemoryCounter() })
}

// What has expired is forgotten, though nobody asks for it again.
func TestMemoryCounterForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := limit.NewMemoryCounter()
		for i := range 10_000 {
			if ok, err := c.Take(t.Context(), fmt.Sprint(i), "id", 1, time.Minute); !ok || err != nil {
				t.Fatal(ok, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := limit.CounterKeys(c); n > 2000 {
			t.Errorf("%d keys for 600 that hold", n)
		}
	})
}
