package redisroom_test

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room/redisroom"
)

// elsewhere is a primary of a cluster that has not got a slot.
func elsewhere(cluster *redistest.Cluster, slot int) *redistest.Server {
	from := cluster.Primary(slot)
	return cluster.Servers[slices.IndexFunc(cluster.Servers[:3], func(s *redistest.Server) bool { return s != from })]
}

// A slot that is on its way for long holds up its own rooms only, and they go on
// as soon as it has arrived.
func TestSlotOnItsWay(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	b, patient := node(t, cluster.Client(), redisroom.WithTimeout(time.Second)), node(t, cluster.Client(), redisroom.WithTimeout(patience))
	const name = "room"
	slot := cluster.Slot("wardroom:{r:" + name + "}")
	near := "" // a room whose slot is not far
	for i := 0; near == ""; i++ {
		other := fmt.Sprint("near", i)
		if n := cluster.Slot("wardroom:{r:" + other + "}"); n != slot && n/1024 == slot/1024 {
			near = other
		}
	}
	store(t, b, said(name, "talk", "1"))
	store(t, b, said(near, "talk", "1"))
	from, to, number := cluster.Primary(slot), elsewhere(cluster, slot), strconv.Itoa(slot)
	to.Do("CLUSTER", "SETSLOT", number, "IMPORTING", from.Do("CLUSTER", "MYID"))
	from.Do("CLUSTER", "SETSLOT", number, "MIGRATING", to.Do("CLUSTER", "MYID"))
	var talking sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		talking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_, _ = b.Publish(t.Context(), said(name, "talk", "2"), keepAll)
				}
			}
		})
	}
	waited := make(chan error, 1)
	talking.Go(func() {
		_, err := patient.Publish(t.Context(), said(name, "waits", ""), keepAll)
		waited <- err
	})
	refused, late := 0, 0
	for n := range 50 {
		began := time.Now()
		if _, err := b.Publish(t.Context(), said(near, "talk", fmt.Sprint(n)), keepAll); err != nil {
			refused++
		} else if time.Since(began) > 500*time.Millisecond {
			late++
		}
		time.Sleep(10 * time.Millisecond)
	}
	if refused+late > 5 {
		t.Errorf("of 50 messages in another room %d were refused, and %d late", refused, late)
	}
	select {
	case err := <-waited:
		t.Errorf("a room whose slot is on its way took a message, or gave up: %v", err)
	default:
	}
	from.Do("CLUSTER", "SETSLOT", number, "STABLE")
	to.Do("CLUSTER", "SETSLOT", number, "STABLE")
	if err := <-waited; err != nil {
		t.Errorf("who waited for it: %v", err)
	}
	close(stop)
	talking.Wait()
}

// Who waits for replicas follows a slot to where it is, too.
func TestMovedWithReplicas(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	b := node(t, cluster.Client(), redisroom.WithTimeout(patience), redisroom.WithReplicas(1))
	const name = "room"
	slot := cluster.Slot("wardroom:{r:" + name + "}")
	for n := range 3 {
		if n > 0 {
			cluster.Migrate(slot, elsewhere(cluster, slot))
		}
		if _, err := b.Publish(t.Context(), said(name, "talk", strconv.Itoa(n)), keepAll); err != nil {
			t.Errorf("after %d moves: %v", n, err)
		}
	}
}
