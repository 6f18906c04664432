package presence_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/presence"
)

// forgetful is a store that gives no lease, or holds nothing.
type forgetful struct {
	link
	lease bool
}

func (s *forgetful) Beat(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
	s.enter("Beat")
	if !s.lease {
		return presence.Lease{}, presence.ErrLapsed
	}
	return s.Store.Beat(ctx, node, ttl)
}

func (s *forgetful) Update(_ context.Context, b presence.Batch) (presence.Outcome, error) {
	s.enter("Update")
	if b.Prev != 0 || len(b.Changes) == 0 {
		return presence.Outcome{}, presence.ErrLost
	}
	return presence.Outcome{}, nil
}

// TestHopelessStore shows that a store which is broken is not hammered.
func TestHopelessStore(t *testing.T) {
	t.Parallel()
	for _, lease := range []bool{false, true} {
		inWorld(t, func(w *world) {
			store := &forgetful{link: link{Store: w.memory}, lease: lease}
			a, err := presence.NewTracker(store, presence.Options{
				Notify: func(_ context.Context, e []presence.Event) (int, error) { return len(e), nil },
			})
			w.must(err)
			c, err := a.Connect(presence.Peer{User: "ada", Connection: "c"})
			w.must(err)
			told := false
			var wg sync.WaitGroup
			ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
			defer cancel()
			wg.Go(func() { c.Join(ctx, "r") })
			wg.Go(func() {
				for range 600 {
					time.Sleep(100 * time.Millisecond)
					told = c.Set(ctx, presence.Away, nil) != nil || told
					c.Set(ctx, presence.Online, nil)
				}
			})
			wg.Wait()
			if n := store.counts(); n["Beat"] < 2 || n["Beat"] > 200 || n["Update"] > 2000 {
				t.Errorf("a minute with a store that gives leases: %t: %v", lease, n)
			}
			if !told {
				t.Error("nobody is told")
			}
			gone, cancel := context.WithCancel(w.ctx)
			cancel()
			a.Close(gone)
		})
	}
}
