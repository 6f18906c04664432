package redisroom_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
)

// readsReplica is a client that sends reads to a replica.
func readsReplica(t *testing.T, primary, replica *redistest.Server) rueidis.Client {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{primary.Addr()}, DisableCache: true,
		Standalone:     rueidis.StandaloneOption{ReplicaAddress: []string{replica.Addr()}},
		SendToReplicas: func(c rueidis.Completed) bool { return c.IsReadOnly() },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// A store believes the primary alone, though its client may ask replicas, and
// they may be behind.
func TestStoreAsksNoReplica(t *testing.T) {
	t.Parallel()
	primary, replica := pair(t)
	client := readsReplica(t, primary, replica)
	replica.Do("REPLICAOF", "NO", "ONE") // it hears of nothing more
	s := redisroom.NewStore(client, patient())
	ctx := t.Context()
	if _, err := s.Create(ctx, room.Record{Room: "room", Owner: "ada"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Record(ctx, "room"); err != nil {
		t.Errorf("the record of a room that was just made: %v", err)
	}
	if n, err := s.Owned(ctx, "ada"); n != 1 || err != nil {
		t.Errorf("who made a room owns %d, %v", n, err)
	}
	if list, err := s.Empty(ctx, time.Now().Add(time.Hour), 10); len(list) != 1 || err != nil {
		t.Errorf("empty: %+v, %v", list, err)
	}
	if _, err := s.Beat(ctx, "node", time.Minute); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Admit(ctx, place("room", "ada", "c", "node"), 1, 10); err != nil {
		t.Fatal(err)
	}
	if list, _, err := s.Seats(ctx, "node", room.Seat{}, 10); len(list) != 1 || err != nil {
		t.Errorf("seats: %+v, %v", list, err)
	}
}

// That a replica answers says nothing about the primary.
func TestBrokerAsksNoReplica(t *testing.T) {
	t.Parallel()
	primary, replica := pair(t)
	b := node(t, readsReplica(t, primary, replica), redisroom.WithTimeout(500*time.Millisecond))
	listen(t, b, "room")
	primary.Pause()
	defer primary.Resume()
	eventually(t, "notice", func() error {
		if _, err := b.Publish(context.Background(), said("room", "talk", ""), keepAll); err == nil {
			return errors.New("it was stored")
		}
		if b.Health() == nil {
			return errors.New("the broker says that it is well")
		}
		return nil
	})
	for range 100 {
		if b.Health() == nil {
			t.Fatal("a replica is taken for the primary")
		}
		time.Sleep(5 * time.Millisecond)
	}
}
