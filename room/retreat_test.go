package room_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/room"
)

// moody is a store that fails at some calls, and takes its time for it.
type moody struct {
	room.Store
	unread   atomic.Bool // Record fails, once
	down     atomic.Bool // Dismiss fails
	admitted func()
}

func (s *moody) Record(ctx context.Context, name string) (room.Record, error) {
	if s.unread.CompareAndSwap(true, false) {
		return room.Record{}, room.ErrUnavailable
	}
	return s.Store.Record(ctx, name)
}

func (s *moody) Admit(ctx context.Context, seat room.Seat, version int64, most int) (room.Admission, error) {
	in, err := s.Store.Admit(ctx, seat, version, most)
	if s.admitted != nil {
		s.admitted()
	}
	return in, err
}

func (s *moody) Dismiss(ctx context.Context, seat room.Seat) (bool, error) {
	if s.down.Load() {
		time.Sleep(50 * time.Millisecond)
		return false, room.ErrUnavailable
	}
	return s.Store.Dismiss(ctx, seat)
}

// A place that is given back later than at once is given back once: who has been
// let in again by then stays.
func TestPlaceIsGivenBackOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &moody{Store: room.NewMemoryStore()}
		h := servePipes(t, house(), room.WithStore(store))
		ada, bob := h.in("ada", "hall"), h.connect("bob")
		ada.pass(5 * time.Second)
		bob.pass(time.Second)
		store.admitted = func() {
			// Something happens in the room, so that its record is read again.
			store.admitted = nil
			if err := h.srv.Room("hall").Kick(context.Background(), "cyd", ""); err != nil {
				t.Error(err)
			}
			store.unread.Store(true)
			store.down.Store(true)
			time.AfterFunc(140*time.Millisecond, func() { store.down.Store(false) })
		}
		bob.refused("unavailable", "join", inRoom("hall"))
		bob.must("join", inRoom("hall"))
		bob.pass(5 * time.Second)
		if got := memberIDs(h, "hall"); !slices.Equal(got, []string{"ada", "bob"}) {
			t.Errorf("members in the store %v", got)
		}
	})
}
