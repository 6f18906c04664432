package redisroom_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/redisclient"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
)

// Subscriptions that are cut again and again lose nothing: neither what is
// stored nor what is not.
func TestCutSubscriptions(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	patient := redisroom.WithTimeout(5 * time.Second)
	nodes := []*redisroom.Broker{node(t, server.Client(), patient), node(t, server.Client(), patient)}
	ears := []*ear{listen(t, nodes[0], "room"), listen(t, nodes[1], "room"), listen(t, nodes[1], "room")}
	stop := make(chan struct{})
	var cutting, talking sync.WaitGroup
	cutting.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				_, _ = server.Try("CLIENT", "KILL", "TYPE", "pubsub")
			}
		}
	})
	const each = 200
	for i, b := range nodes {
		talking.Go(func() {
			for n := range each {
				m := said("room", "talk", fmt.Sprint(i, ".", n))
				keep := keepAll
				switch n % 4 {
				case 1:
					keep = room.Retention{}
				case 2:
					m.Kind = room.KindJoined
				}
				if _, err := b.Publish(context.Background(), m, keep); err != nil {
					t.Errorf("publish: %v", err)
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	talking.Wait()
	close(stop)
	cutting.Wait()
	store(t, nodes[0], said("room", "end", ""))
	first := ears[0].until("the end", event("end"))
	if len(first) != 2*each+1 {
		t.Errorf("%d messages, want %d", len(first), 2*each+1)
	}
	for i, e := range ears {
		list := e.until("the end", event("end"))
		inOrder(t, fmt.Sprint("ear ", i), list)
		for n := range min(len(list), len(first)) {
			if string(list[n].Data) != string(first[n].Data) {
				t.Fatalf("ear %d has %s where the first has %s", i, list[n].Data, first[n].Data)
			}
		}
	}
}

// When everything in Redis is gone subscribers are told so, and what comes then
// belongs to another epoch.
func TestFlushAll(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	one, two := node(t, server.Client()), node(t, server.Client())
	e, quiet := listen(t, one, "room"), listen(t, two, "room")
	before := store(t, one, said("room", "before", "1"))
	e.until("the first", event("before"))
	server.Do("FLUSHALL")
	after := store(t, two, said("room", "after", "2"))
	if after.Epoch == before.Epoch || after.Offset != 1 {
		t.Errorf("after FLUSHALL a message is at %+v, the one before was at %+v", after.Position, before.Position)
	}
	for _, e := range []*ear{e, quiet} {
		list := e.until("what comes after", event("after"))
		lost := list[len(list)-2]
		if len(list) != 3 || lost.Kind != room.KindLost || lost.Epoch != after.Epoch {
			// What was published after the loss may be what it is noticed by.
			t.Errorf("heard %+v", list)
		}
	}
}

// Where nothing is said it is noticed too, in a while.
func TestFlushAllInSilence(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	e := listen(t, node(t, server.Client()), "room")
	server.Do("FLUSHALL")
	e.until("that everything is lost", func(m room.Message) bool { return m.Kind == room.KindLost && m.Epoch != e.at.Epoch })
}

// A server that comes back with everything goes on where it was: no
// acknowledged message is missing, and none is there twice.
func TestRestart(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	one, two := node(t, server.Client()), node(t, server.Client())
	ears := []*ear{listen(t, one, "room"), listen(t, two, "room")}
	for round := range 3 {
		for n := range 10 {
			m := said("room", "talk", fmt.Sprint(round, ".", n))
			m.ID = fmt.Sprint(round, ".", n)
			store(t, one, m)
			if n == 5 {
				server.Kill()
				server.Restart()
			}
		}
	}
	store(t, two, said("room", "end", ""))
	for i, e := range ears {
		list := e.until("the end", event("end"))
		if len(list) != 31 {
			t.Errorf("ear %d has %d messages, want 31", i, len(list))
		}
		for n, m := range list {
			if m.Offset != uint64(n+1) {
				t.Fatalf("ear %d: number %d is %+v", i, n+1, m)
			}
		}
	}
	eventually(t, "replay", func() error {
		page, err := one.Replay(context.Background(), "room", room.Range{Limit: 100})
		if err == nil && len(page.Messages) != 31 {
			t.Errorf("%d messages in the log, want 31", len(page.Messages))
		}
		return err
	})
}

// A server that comes back with less than was acknowledged begins a new epoch,
// whoever speaks first.
func TestRollback(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"a subscriber's node", "another"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			one, two := node(t, server.Client()), node(t, server.Client())
			e := listen(t, one, "room")
			store(t, one, said("room", "kept", "1"))
			server.Do("SAVE")
			lost := store(t, one, said("room", "lost", "2"))
			e.until("what will be lost", event("lost"))
			server.Kill()
			server.Restart()
			speaker := one
			if first == "another" {
				speaker = two
			}
			next := store(t, speaker, said("room", "next", "3"))
			if next.Epoch == lost.Epoch {
				t.Errorf("the next is at %+v, the lost one was at %+v", next.Position, lost.Position)
			}
			list := e.until("the next", event("next"))
			if m := list[len(list)-2]; m.Kind != room.KindLost || m.Epoch != next.Epoch || m.Offset+1 != next.Offset {
				t.Errorf("before the next at %+v came %+v", next.Position, m)
			}
			page, err := one.Replay(t.Context(), "room", room.Range{Limit: 10})
			if err != nil || len(page.Messages) != 2 || page.Messages[0].Event != "kept" || page.Last != next.Position {
				t.Errorf("the log is %+v, %v", page, err)
			}
		})
	}
}

// While Redis stands still what is to be stored fails, soon and then at once;
// what is not goes to who is on the same node; and afterwards everyone has
// everything once.
func TestPause(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	one, two := node(t, server.Client()), node(t, server.Client())
	near, far := listen(t, one, "room"), listen(t, two, "room")
	store(t, one, said("room", "before", ""))
	near.until("the first", event("before"))
	server.Pause()
	began := time.Now()
	if _, err := one.Publish(t.Context(), said("room", "ephemeral", "0"), room.Retention{}); err != nil {
		t.Errorf("what is not stored: %v", err)
	}
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("it took %v", d)
	}
	near.until("what is not stored", event("ephemeral"))
	began = time.Now()
	for range 1000 {
		if _, err := one.Publish(t.Context(), said("room", "refused", ""), keepAll); !errors.Is(err, room.ErrUnavailable) {
			t.Fatalf("what cannot be stored: %v", err)
		}
	}
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("a thousand refusals took %v", d)
	}
	if one.Health() == nil {
		t.Error("the broker says that it is well")
	}
	if _, _, err := one.Subscribe(t.Context(), "other", func(room.Message) {}); !errors.Is(err, room.ErrUnavailable) {
		t.Errorf("subscribe: %v", err)
	}
	const some = 100
	for n := range some {
		if _, err := one.Publish(t.Context(), said("room", "local", fmt.Sprint(n)), room.Retention{}); err != nil {
			t.Fatalf("what is not stored: %v", err)
		}
	}
	near.until("the last", func(m room.Message) bool { return string(m.Data) == fmt.Sprint(some-1) })
	server.Resume()
	store(t, two, said("room", "end", ""))
	inOrder(t, "near", near.until("the end", event("end")))
	inOrder(t, "far", far.until("the end", event("end")))
	eventually(t, "health", func() error { return errors.Join(one.Health(), two.Health()) })
}

// Redis may forget the scripts at any time.
func TestScriptFlush(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := node(t, server.Client(), redisroom.WithTimeout(5*time.Second))
	e := listen(t, b, "room")
	for n := range 20 {
		server.Do("SCRIPT", "FLUSH")
		if _, err := b.Publish(t.Context(), said("room", "talk", fmt.Sprint(n)), keepAll); err != nil {
			t.Fatal(err)
		}
	}
	inOrder(t, "ear", e.until("the last", func(m room.Message) bool { return string(m.Data) == "19" }))
}

// A broker may be made, and closed, when there is no Redis; and it is there
// once Redis is, of whatever kind.
func TestStartsWithoutRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	server.Kill()
	client, err := redisclient.Open(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	node(t, client).Close()
	b := node(t, client)
	if _, _, err := b.Subscribe(t.Context(), "room", func(room.Message) {}); !errors.Is(err, room.ErrUnavailable) {
		t.Errorf("subscribe: %v", err)
	}
	if _, err := b.Publish(t.Context(), said("room", "early", ""), keepAll); !errors.Is(err, room.ErrUnavailable) {
		t.Errorf("publish: %v", err)
	}
	if b.Health() == nil {
		t.Error("the broker says that it is well")
	}
	server.Restart()
	e := listen(t, b, "room")
	store(t, b, said("room", "talk", ""))
	e.until("a message", event("talk"))
	eventually(t, "health", b.Health)
}

// After Close nothing is delivered and every call fails.
func TestClose(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := redisroom.NewBroker(server.Client())
	e := listen(t, b, "room")
	b.Close()
	b.Close()
	other := node(t, server.Client())
	store(t, other, said("room", "talk", ""))
	for _, keep := range []room.Retention{keepAll, {}} {
		if _, err := b.Publish(t.Context(), said("room", "talk", ""), keep); !errors.Is(err, room.ErrUnavailable) {
			t.Errorf("publish, %d to be kept: %v", keep.Messages, err)
		}
	}
	if _, _, err := b.Subscribe(t.Context(), "room", func(room.Message) {}); !errors.Is(err, room.ErrUnavailable) {
		t.Errorf("subscribe: %v", err)
	}
	if list := e.heard(); len(list) > 0 {
		t.Errorf("heard %+v", list)
	}
}

// What cannot be sent, because its caller has no time left, has not been
// delivered to anybody, here or elsewhere.
func TestPublishWithoutTime(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	one := node(t, server.Client())
	e := listen(t, one, "room")
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := one.Publish(ctx, said("room", "late", ""), room.Retention{}); !errors.Is(err, room.ErrUnavailable) {
		t.Errorf("publish: %v", err)
	}
	store(t, one, said("room", "end", ""))
	if list := e.until("the end", event("end")); len(list) != 1 {
		t.Errorf("heard %+v", list)
	}
}
