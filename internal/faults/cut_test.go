package faults

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
)

// cutOff is a broker whose node hears nothing of what is done to users, though
// it hears all that is said.
type cutOff struct {
	room.Broker
	cut *atomic.Bool
}

func (b cutOff) Subscribe(ctx context.Context, name string, deliver func(room.Message)) (room.Position, func(), error) {
	return b.Broker.Subscribe(ctx, name, func(m room.Message) {
		if b.cut.Load() {
			switch m.Kind {
			case room.KindKicked, room.KindBanned, room.KindUpdated, room.KindDeleted:
				return
			}
			if strings.HasPrefix(name, "*") {
				return
			}
		}
		deliver(m)
	})
}

// TestControlCut takes access from users on a node that hears nothing of it.
// Within 30 seconds it has found out by itself.
func TestControlCut(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	o := newOracle(newSheet("Control channel cut"))
	watch := observe(t, o)
	var cut atomic.Bool
	open := onRedis(t, watch, 0, func(int) rueidis.ClientOption { return alone(redis.Addr()) })
	nodes, stop, err := openAll(logger(t), 2, func(i int) stores {
		s := open(i)
		if i == 1 {
			s.broker = cutOff{s.broker, &cut}
		}
		return s
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	c := gather(o, nodes, plan{guests: 24, halls: 2, lives: 1, every: 300 * time.Millisecond}, *seed)
	defer c.leave()
	if err := c.arrive(); err != nil {
		t.Fatal(err)
	}
	o.begin("control channel cut")
	cut.Store(true)
	began := time.Now()
	const bound = 30 * time.Second
	var waiting []func() bool
	acts := 0
	for _, g := range c.guests {
		_, node, _ := g.inSince(g.rooms[0])
		if node != 1 || acts == 3 {
			continue
		}
		name := g.rooms[0]
		if acts == 2 {
			name = ""
			g.revoked.Store(true)
		}
		g.hold(name, true)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		switch acts {
		case 0:
			err = nodes[0].srv.Room(name).Kick(ctx, g.user, "")
		case 1:
			err = nodes[0].srv.Room(name).Ban(ctx, g.user, time.Time{}, "")
		case 2:
			err = nodes[0].srv.User(g.user).Revoke(ctx)
		}
		cancel()
		var missing *room.NodesError
		if !errors.As(err, &missing) {
			t.Errorf("%s: %v, though a node cannot have heard of it", [...]string{"kick", "ban", "revoke"}[acts], err)
		}
		what := [...]string{"kick", "ban", "revoke"}[acts]
		o.shut(seatKey{g.user, name}, time.Now().Add(bound), what)
		out := func() bool { return !g.isIn(g.rooms[0]) }
		told := false
		waiting = append(waiting, func() bool {
			if !told && out() {
				told = true
				o.took(what+" in force after", time.Since(began))
			}
			return told
		})
		acts++
	}
	if acts < 3 {
		t.Fatal("too few guests are on the node that is cut off")
	}
	for {
		all := true
		for _, out := range waiting {
			all = out() && all
		}
		if all {
			break
		}
		if time.Since(began) > bound+3*time.Second {
			o.violate(late, "not everyone is out after %v", time.Since(began))
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	watch.late.Wait()
	c.leave()
	o.settle(t)
}
