package redisroom_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
	"github.com/wardroom/wardroom/room/roomtest"
)

// What is done on one server is in force on the others when it returns, by way
// of Redis; and a server that does not hear of it is named, and finds out by
// itself.
func TestActsAcrossServers(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	sessions := auth.NewMemorySessions()
	serve := func(name string, more ...room.Option) *roomtest.Server {
		client := redis.Client()
		return roomtest.NewServer(t, append([]room.Option{
			room.WithNode(name), room.WithSessions(sessions), room.WithBroker(node(t, client, patient())),
			room.WithStore(redisroom.NewStore(client, patient())),
			room.WithRooms("hall:*", room.Settings{Permission: room.Public, Standing: true}),
		}, more...)...)
	}
	one, two := serve("one"), serve("two")
	one.Connect(t, "ada").Join("hall:0")
	bob := two.Connect(t, "bob")
	ctx := context.Background()
	for name, act := range map[string]func(*room.Room) error{
		"kicked": func(r *room.Room) error { return r.Kick(ctx, "bob", "") },
		"banned": func(r *room.Room) error { return r.Ban(ctx, "bob", time.Time{}, "") },
		"access_revoked": func(r *room.Room) error {
			_, err := r.Update(ctx, func(rec *room.Record) { rec.Permission = room.Private })
			return err
		},
	} {
		r := one.Room("hall:" + name)
		bob.Join(r.Name())
		began := time.Now()
		if err := act(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: in force after %v", name, time.Since(began))
		if slices.ContainsFunc(two.Rooms(), func(s room.RoomStats) bool { return s.Room == r.Name() }) {
			t.Errorf("%s: not in force on the other server", name)
		}
		bob.ExpectRemoved(r.Name(), name)
	}
	began := time.Now()
	if err := one.User("bob").Revoke(ctx); err != nil {
		t.Error(err)
	}
	t.Logf("revoked after %v", time.Since(began))
	bob.ExpectClose(4004)

	// A server of which nothing is heard any more.
	deaf := &deafBroker{Broker: node(t, redis.Client(), patient())}
	three := serve("three", room.WithBroker(deaf))
	cyd := three.Connect(t, "cyd", roomtest.WithPatience(patience))
	cyd.Join("hall:deaf")
	deaf.cut.Store(true)
	began = time.Now()
	var missing *room.NodesError
	if err := one.Room("hall:deaf").Ban(ctx, "cyd", time.Time{}, ""); !errors.As(err, &missing) || !slices.Equal(missing.Nodes, []string{"three"}) {
		t.Errorf("a server that does not hear: %v", err)
	}
	cyd.ExpectRemoved("hall:deaf", "banned")
	t.Logf("in force unheard after %v", time.Since(began))
}

// deafBroker hears nothing of what servers say and what is done once it is cut.
type deafBroker struct {
	room.Broker
	cut atomic.Bool
}

func (b *deafBroker) Subscribe(ctx context.Context, name string, deliver func(room.Message)) (room.Position, func(), error) {
	return b.Broker.Subscribe(ctx, name, func(m room.Message) {
		if !b.cut.Load() || m.Kind <= room.KindPresence {
			deliver(m)
		}
	})
}
