package redisroom_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
)

// What moves a room to another server of a cluster, in service or after a
// death, loses nobody a message that was acknowledged.
func TestClusterMoves(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	one, two := node(t, cluster.Client()), node(t, cluster.Client())
	const name = "room"
	slot := cluster.Slot("wardroom:{r:" + name + "}")
	ears := []*ear{listen(t, one, name), listen(t, two, name)}
	others := listen(t, two, "another")
	n := 0
	talk := func() {
		for range 10 {
			m := said(name, "talk", fmt.Sprint(n))
			m.ID = fmt.Sprint(n)
			n++
			store(t, alternate(n, one, two), m)
		}
	}
	talk()
	from := cluster.Primary(slot)
	for _, s := range cluster.Servers[:3] {
		if s != from {
			cluster.Migrate(slot, s)
			break
		}
	}
	talk()
	cluster.Failover(slot)
	talk()
	store(t, one, said(name, "end", ""))
	store(t, one, said("another", "end", ""))
	for i, e := range ears {
		list := e.until("the end", event("end"))
		if len(list) != n+1 {
			t.Errorf("ear %d has %d messages, want %d", i, len(list), n+1)
		}
		for k, m := range list {
			if m.Offset != uint64(k+1) {
				t.Fatalf("ear %d: number %d is %+v", i, k+1, m)
			}
		}
	}
	others.until("the end", event("end"))
}

// A primary that stands still holds up its own rooms only.
func TestClusterPart(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	b := node(t, cluster.Client(), redisroom.WithTimeout(500*time.Millisecond))
	var names [2]string // of rooms on two primaries
	stopped := cluster.Primary(0)
	for i := 0; names[0] == "" || names[1] == ""; i++ {
		name := fmt.Sprint("room", i)
		if cluster.Primary(cluster.Slot("wardroom:{r:"+name+"}")) == stopped {
			names[0] = name
		} else {
			names[1] = name
		}
	}
	listen(t, b, names[0])
	e := listen(t, b, names[1])
	stopped.Pause()
	defer stopped.Resume()
	late := 0
	for n := range 20 {
		began := time.Now()
		_, _ = b.Publish(context.Background(), said(names[0], "held", ""), keepAll)
		if _, err := b.Publish(context.Background(), said(names[1], "talk", fmt.Sprint(n)), keepAll); err != nil {
			late++
		}
		if time.Since(began) > 3*time.Second {
			t.Fatalf("two calls took %v", time.Since(began))
		}
	}
	if late > 2 {
		t.Errorf("%d of 20 messages in a room of another primary were refused", late)
	}
	e.until("the last", func(m room.Message) bool { return string(m.Data) == "19" || late > 0 })
}

func alternate[T any](n int, a, b T) T {
	if n%2 == 0 {
		return a
	}
	return b
}

// A failover that Sentinels see to loses nobody a message that was acknowledged
// and had reached the replica, and no offset is given twice.
func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	sentinel := redistest.StartSentinel(t)
	one, two := node(t, sentinel.Client()), node(t, sentinel.Client())
	ears := []*ear{listen(t, one, "room"), listen(t, two, "room")}
	n := 0
	talk := func() {
		for range 10 {
			m := said("room", "talk", fmt.Sprint(n))
			m.ID = fmt.Sprint(n)
			n++
			store(t, alternate(n, one, two), m)
		}
	}
	talk()
	// Redis acknowledges what it has not replicated; what a promotion loses is
	// told as such, and is for TestReplicaBehind.
	sentinel.Replicated()
	sentinel.Failover()
	talk()
	store(t, one, said("room", "end", ""))
	for i, e := range ears {
		list := e.until("the end", event("end"))
		if len(list) != n+1 {
			t.Errorf("ear %d has %d messages, want %d", i, len(list), n+1)
		}
		for k, m := range list {
			if m.Offset != uint64(k+1) {
				t.Fatalf("ear %d: number %d is %+v", i, k+1, m)
			}
		}
	}
}
