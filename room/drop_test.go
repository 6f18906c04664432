package room_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/room"
)

// What is said in a room that is made, or entered, anew while the end of the one
// before it is still being confirmed is not that one's.
func TestSaidWhileADeletionIsConfirmed(t *testing.T) {
	for name, create := range map[string]bool{"club:1": true, "hall": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &moody{Store: room.NewMemoryStore()}
				h := servePipes(t, house(), room.WithStore(store))
				ada, bob := h.connect("ada"), h.connect("bob")
				if create {
					ada.must("create", inRoom(name))
				}
				ada.must("join", inRoom(name))
				ada.must("message", inRoom(name), saying(`"old"`))
				ada.pass(2 * time.Second)
				bob.pass(time.Second)
				store.down.Store(true) // so that it takes its time
				began := time.Now()
				var done sync.WaitGroup
				done.Go(func() {
					if err := h.srv.Room(name).Delete(context.Background()); err != nil {
						t.Error(err)
					}
					if time.Since(began) == 0 {
						t.Error("it took no time")
					}
				})
				for ada.next().Type != "room_deleted" {
				}
				time.Sleep(time.Millisecond)
				if create {
					bob.must("create", inRoom(name))
				}
				bob.must("join", inRoom(name))
				bob.must("message", inRoom(name), saying(`"new"`))
				done.Wait()
				if r := bob.must("history", inRoom(name)); !slices.Equal(datas(r.Messages), []string{`"new"`}) {
					t.Errorf("history %v", datas(r.Messages))
				}
				store.down.Store(false)
			})
		})
	}
}
