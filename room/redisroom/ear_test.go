package redisroom_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
)

// patience is how long anything may take on a machine that is busy.
const patience = 30 * time.Second

var keepAll = room.Keep(100_000, time.Hour)

// node is a broker that ends with the test.
func node(t *testing.T, client rueidis.Client, opts ...redisroom.Option) *redisroom.Broker {
	t.Helper()
	b := redisroom.NewBroker(client, opts...)
	t.Cleanup(b.Close)
	return b
}

// ear is a subscriber that keeps what it hears.
type ear struct {
	t  *testing.T
	at room.Position

	mu     sync.Mutex // protects what follows
	all    []room.Message
	epochs []room.Position // that it was told have begun without a loss
}

func listen(t *testing.T, b room.Broker, name string) *ear {
	t.Helper()
	e := &ear{t: t}
	eventually(t, "subscribe", func() error {
		at, cancel, err := b.Subscribe(t.Context(), name, e.hear)
		if err != nil {
			return err
		}
		e.at = at
		t.Cleanup(cancel)
		return nil
	})
	return e
}

func (e *ear) hear(m room.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if m.Kind == room.KindContinued {
		e.epochs = append(e.epochs, m.Position)
		return
	}
	e.all = append(e.all, m)
}

func (e *ear) heard() []room.Message {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]room.Message(nil), e.all...)
}

// continued waits until it has been told of an epoch that has begun without a
// loss, and returns the first of them that is not the one given.
func (e *ear) continued(not string) (at room.Position) {
	e.t.Helper()
	eventually(e.t, "hear of a new epoch", func() error {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, at = range e.epochs {
			if at.Epoch != not {
				return nil
			}
		}
		return fmt.Errorf("there were %v", e.epochs)
	})
	return at
}

// until waits for a message and returns all that came up to it.
func (e *ear) until(what string, f func(room.Message) bool) []room.Message {
	e.t.Helper()
	var list []room.Message
	eventually(e.t, "hear "+what, func() error {
		all := e.heard()
		for i, m := range all {
			if f(m) {
				list = all[:i+1]
				return nil
			}
		}
		return fmt.Errorf("not among %d messages", len(all))
	})
	return list
}

func event(name string) func(room.Message) bool {
	return func(m room.Message) bool { return m.Event == name }
}

// eventually tries f until it succeeds.
func eventually(t *testing.T, what string, f func() error) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func said(name, event, data string) room.Message {
	return room.Message{Kind: room.KindMessage, Room: name, Event: event, From: "ada", Data: []byte(data), At: time.UnixMilli(time.Now().UnixMilli())}
}

// store publishes until it succeeds, with an ID, or what was done unheard would be
// done twice.
func store(t *testing.T, b room.Broker, m room.Message) room.Receipt {
	t.Helper()
	if m.ID == "" {
		m.ID = rand.Text()
	}
	var r room.Receipt
	eventually(t, "store", func() (err error) {
		r, err = b.Publish(context.Background(), m, keepAll)
		return err
	})
	return r
}

// inOrder fails unless the stored ones among the messages have consecutive
// offsets of one epoch, nothing is there twice, and nothing was lost.
func inOrder(t *testing.T, who string, list []room.Message) {
	t.Helper()
	seen := make(map[string]bool)
	var last room.Position
	for _, m := range list {
		if m.Kind == room.KindLost {
			t.Errorf("%s: something was lost at %+v", who, m.Position)
		}
		if m.Offset != 0 {
			if last.Offset != 0 && (m.Epoch != last.Epoch || m.Offset != last.Offset+1) {
				t.Fatalf("%s: %+v comes after %+v", who, m.Position, last)
			}
			last = m.Position
		}
		key := fmt.Sprint(m.Kind, m.Event, string(m.Data))
		if seen[key] {
			t.Fatalf("%s: %q %s is there twice", who, m.Event, m.Data)
		}
		seen[key] = true
	}
}
