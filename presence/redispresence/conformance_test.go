package redispresence_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/presence/presencetest"
	"github.com/wardroom/wardroom/presence/redispresence"
)

func TestConforms(t *testing.T) {
	redistest.Each(t, func(t *testing.T, client rueidis.Client) {
		var n atomic.Int64
		presencetest.TestStore(t, func(*testing.T) presence.Store {
			// On a busy machine a call may take its time.
			return redispresence.New(client, redispresence.WithPrefix(fmt.Sprintf("t%d:", n.Add(1))), redispresence.WithTimeout(5*time.Second))
		}, presencetest.Options{RealTime: true})
	})
}
