package redisroom_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
)

// lots is a follower that keeps what it was given, by lot.
type lots struct {
	mu   sync.Mutex // protects what follows
	now  []room.Message
	done [][]room.Message
}

func (l *lots) deliver(m room.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now = append(l.now, m)
}

func (l *lots) delivered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.now) > 0 {
		l.done = append(l.done, l.now)
		l.now = nil
	}
}

func (l *lots) all() [][]room.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([][]room.Message(nil), l.done...)
}

func burst(n int, keep room.Retention) []room.Publication {
	list := make([]room.Publication, n)
	for i := range list {
		list[i] = room.Publication{Message: said("room", fmt.Sprint("e", i), fmt.Sprint(i)), Keep: keep}
	}
	return list
}

// What is published together arrives as one lot, on each node, and more than one
// script may publish in several.
func TestTogether(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	one, two := node(t, server.Client(), redisroom.WithTimeout(5*time.Second)), node(t, server.Client(), redisroom.WithTimeout(5*time.Second))
	var here, there lots
	for b, l := range map[*redisroom.Broker]*lots{one: &here, two: &there} {
		eventually(t, "follow", func() error {
			_, cancel, err := b.Follow(t.Context(), "room", l.deliver, l.delivered)
			if err == nil {
				t.Cleanup(cancel)
			}
			return err
		})
	}
	for _, r := range one.PublishAll(t.Context(), burst(300, keepAll)) {
		if r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	for who, l := range map[string]*lots{"the publisher's": &here, "the other": &there} {
		eventually(t, "hear", func() error {
			n := 0
			for _, lot := range l.all() {
				for _, m := range lot {
					if m.Offset != uint64(n+1) || string(m.Data) != fmt.Sprint(n) {
						t.Fatalf("%s node was given %s at %d where %d was next", who, m.Data, m.Offset, n)
					}
					n++
				}
			}
			if n < 300 {
				return fmt.Errorf("%d messages", n)
			}
			return nil
		})
		if n := len(l.all()); n > 3 {
			t.Errorf("%s node was given 300 messages in %d lots, want 3 at most", who, n)
		}
	}
}

// While Redis is away, what is not stored is handed to this node's members in its
// order and once, what is stored fails, and the room next door has nothing to do
// with either.
func TestTogetherWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := node(t, server.Client())
	e, other := listen(t, b, "room"), listen(t, b, "other")
	store(t, b, said("room", "before", "0"))
	e.until("what came before", event("before"))
	server.Pause()
	list := burst(20, room.Retention{})
	list[7].Keep = keepAll
	list[9].Message.Room, list[11].Message.Kind = "other", room.KindJoined
	results := b.PublishAll(context.Background(), list)
	for i, r := range results {
		if failed := r.Err != nil; failed != (i == 7 || i == 11) {
			t.Errorf("number %d: %+v", i, r)
		}
	}
	server.Resume()
	eventually(t, "come back", b.Health)
	store(t, b, said("room", "after", "1"))
	store(t, b, said("other", "after", "1"))
	next := 0
	for _, m := range e.until("what comes afterwards", event("after"))[1:] {
		if m.Event == "after" || m.Event == "e7" {
			continue // Redis may have got it
		}
		for next == 7 || next == 9 {
			next++
		}
		if m.Event != fmt.Sprint("e", next) {
			t.Fatalf("%s was delivered where %d was next", m.Event, next)
		}
		next++
	}
	if next != len(list) {
		t.Errorf("%d of %d were delivered", next, len(list))
	}
	if got := other.until("what comes afterwards", event("after")); got[0].Event != "e9" || len(got) != 2 {
		t.Errorf("the other room was given %+v", got)
	}
}

// However often the scripts are forgotten, what is said together comes in its
// order and once.
func TestTogetherWithoutScripts(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := node(t, server.Client(), redisroom.WithTimeout(5*time.Second))
	e := listen(t, b, "room")
	const rounds, each = 30, 20
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				server.Do("SCRIPT", "FLUSH")
				time.Sleep(time.Millisecond)
			}
		}
	})
	for n := range rounds {
		list := burst(each, keepAll)
		for i := range list {
			list[i].Message.Event = fmt.Sprint("e", n*each+i)
		}
		for i, r := range b.PublishAll(t.Context(), list) {
			if r.Err != nil || r.Receipt.Offset != uint64(n*each+i+1) {
				t.Fatalf("number %d: %+v", n*each+i, r)
			}
		}
	}
	close(stop)
	wg.Wait()
	got := e.until("the last", event(fmt.Sprint("e", rounds*each-1)))
	inOrder(t, "the node", got)
	for i, m := range got {
		if m.Event != fmt.Sprint("e", i) {
			t.Fatalf("number %d is %s", i, m.Event)
		}
	}
}
