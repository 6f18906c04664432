package faults

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
)

const (
	racers  = 200
	racking = 4 // nodes
)

// TestCap has 200 users race for 50 places, on four nodes: in the end exactly
// 50 are in, and at no time are there more.
func TestCap(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	o := newOracle(newSheet("Room cap"))
	watch := observe(t, o)
	nodes, stop, err := openAll(logger(t), racking, onRedis(t, watch, 0, func(int) rueidis.ClientOption { return alone(redis.Addr()) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	t.Run("quiet", func(t *testing.T) { rush(t, o, nodes, "cap:quiet") })
	t.Run("connections killed", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		var killing sync.WaitGroup
		killing.Go(func() {
			for end := time.Now().Add(2 * time.Second); ctx.Err() == nil && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				_, _ = redis.Try("CLIENT", "KILL", "TYPE", "normal")
			}
		})
		rush(t, o, nodes, "cap:killed")
		cancel()
		killing.Wait()
	})
	watch.late.Wait()
	o.settle(t)
}

// TestCapOverfull sees that a store that admits too many is found.
func TestCapOverfull(t *testing.T) {
	o := newOracle(newSheet("Room cap, overfull"))
	shared := memory()
	shared.store = generous{shared.store}
	nodes, stop, err := openAll(logger(t), racking, func(int) stores { return shared })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	rush(t, o, nodes, "cap:wide")
	if o.violations(overfull, "") == 0 {
		t.Errorf("not found\n%s", o)
	}
}

type generous struct{ room.Store }

func (s generous) Admit(ctx context.Context, seat room.Seat, version int64, most int) (room.Admission, error) {
	return s.Store.Admit(ctx, seat, version, most+1)
}

// rush has all race for one room until it is full.
func rush(t *testing.T, o *oracle, nodes []*node, name string) {
	t.Helper()
	o.begin(t.Name())
	links := make([]*link, racers)
	var wg sync.WaitGroup
	for i := range links {
		wg.Go(func() {
			for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
				l, err := dial(context.Background(), nodes[i%len(nodes)].addr, newToken(fmt.Sprintf("r%d", i)), func(*frame) {})
				if err == nil {
					l.start()
					links[i] = l
					return
				}
			}
			t.Errorf("r%d cannot connect", i)
		})
	}
	wg.Wait()
	defer func() {
		for _, l := range links {
			if l != nil {
				wg.Go(func() { l.bye(true) })
			}
		}
		wg.Wait()
	}()
	if t.Failed() {
		return
	}
	var in, full atomic.Int64
	start := make(chan struct{})
	for _, l := range links {
		wg.Go(func() {
			<-start
			for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				err := l.ask(request{Type: "join", Room: name}, nil, nil)
				switch {
				case err == nil:
					in.Add(1)
					return
				case errors.Is(err, errEnded):
					o.violate(dropped, "%v", l.status())
					return
				case code(err) == "room_full" && in.Load() >= capacity:
					full.Add(1)
					return // it is for good
				}
			}
		})
	}
	looking, looked := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(looked)
		for {
			if list, _, err := nodes[0].srv.Room(name).Members(context.Background(), "", racers); err == nil && len(list) > capacity {
				o.violate(overfull, "%d are in %s", len(list), name)
			}
			select {
			case <-looking:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	close(start)
	wg.Wait()
	close(looking)
	<-looked
	if n := in.Load(); n != capacity {
		o.violate(overfull, "%d were let into %s", n, name)
	}
	var list []room.Member
	var err error
	o.within(time.Now(), healTime, func() bool {
		list, _, err = nodes[0].srv.Room(name).Members(context.Background(), "", racers)
		return err == nil
	})
	if err != nil || len(list) != capacity {
		o.violate(overfull, "%d are in %s in the end, %v", len(list), name, err)
	}
	o.count("joins let in by "+name, int(in.Load()))
}
