package redisroom

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
)

// strayClient makes connections to another server while astray is set, as one
// that was on its way to a primary that is none any more.
type strayClient struct {
	rueidis.Client
	other  rueidis.Client
	astray *atomic.Bool
}

func (c strayClient) Dedicate() (rueidis.DedicatedClient, func()) {
	if c.astray.Load() {
		return c.other.Dedicate()
	}
	return c.Client.Dedicate()
}

// A line that hears another server than the one that is spoken to is noticed
// within seconds in a room where something always happens, and nothing is missed.
func TestStraySubscription(t *testing.T) {
	t.Parallel()
	right, wrong := redistest.Start(t), redistest.Start(t)
	var astray atomic.Bool
	astray.Store(true)
	var lost atomic.Value
	log := slog.New(lostHandler{slog.DiscardHandler, &lost})
	b := NewBroker(strayClient{right.Client(), wrong.Client(), &astray}, WithTimeout(5*time.Second), WithLogger(log))
	defer b.Close()
	heard := make(chan uint64, 1000)
	_, cancel, err := b.Subscribe(t.Context(), "room", func(m room.Message) { heard <- m.Offset })
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	astray.Store(false)
	last := uint64(0)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for n, end := 0, time.Now().Add(30*time.Second); last == 0 || n < 50; n++ {
		if time.Now().After(end) {
			t.Fatal("nothing is ever heard")
		}
		m := room.Message{Kind: room.KindMessage, Room: "room", Event: "talk", At: now(), Data: fmt.Append(nil, n)}
		if _, err := b.Publish(t.Context(), m, room.Keep(10_000, time.Hour)); err != nil {
			t.Fatal(err)
		}
		<-tick.C
		for len(heard) > 0 {
			if offset := <-heard; offset != last+1 {
				t.Fatalf("%d comes after %d", offset, last)
			}
			last++
		}
	}
	if err, _ := lost.Load().(error); !errors.Is(err, errElsewhere) {
		t.Errorf("the line was lost for %v", err)
	}
}

// lostHandler keeps why a line was lost.
type lostHandler struct {
	slog.Handler
	err *atomic.Value
}

func (lostHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h lostHandler) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok && r.Message == "redis_subscription_lost" {
			h.err.Store(err)
		}
		return true
	})
	return nil
}

// That nobody was counted, and nothing heard, is no echo; everything else is one,
// or says nothing.
func TestEcho(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := NewBroker(server.Client(), WithTimeout(5*time.Second))
	defer b.Close()
	e := newEcho(b, 1)
	if !e.absent(t.Context()) {
		t.Error("nobody listens, and there is an echo")
	}
	if e.hear(rueidis.PubSubMessage{Channel: newEcho(b, 2).channel}) {
		t.Error("one connection's echo is taken for another's")
	}
	answered := make(chan bool)
	go func() { answered <- e.absent(t.Context()) }()
	for done := false; !done; {
		select {
		case absent := <-answered:
			if done = true; absent {
				t.Error("what is heard though Redis counts nobody is no echo")
			}
		default:
			if !e.hear(rueidis.PubSubMessage{Channel: e.channel}) {
				t.Fatal("the echo is not heard")
			}
			time.Sleep(time.Millisecond)
		}
	}
	server.Pause()
	defer server.Resume()
	b.cfg.timeout = 50 * time.Millisecond
	if e.absent(t.Context()) {
		t.Error("a Redis that is away is taken for another")
	}
}
