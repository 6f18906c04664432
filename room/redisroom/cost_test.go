package redisroom_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
)

var callsOf = regexp.MustCompile(`cmdstat_([a-z|]+):calls=(\d+)`)

// commands are those that the server was sent since the statistics were reset,
// and how often. What scripts call is not among them, nor what connections say
// of themselves.
func commands(server *redistest.Server) map[string]int {
	sent := make(map[string]int)
	for _, m := range callsOf.FindAllStringSubmatch(server.Do("INFO", "commandstats"), -1) {
		switch name, _, _ := strings.Cut(m[1], "|"); name {
		case "evalsha", "eval", "subscribe", "unsubscribe":
			sent[name], _ = strconv.Atoi(m[2])
		}
	}
	return sent
}

// What each step costs, in commands that Redis is sent: docs/DESIGN.md has the
// same table.
func TestCost(t *testing.T) {
	server := redistest.Start(t)
	b := node(t, server.Client(), redisroom.WithTimeout(5*time.Second))
	ctx := t.Context()
	const times = 100
	var cancels []func()
	listen(t, b, "warm") // the connections are there, and Redis knows the scripts
	publish := func(keep room.Retention) func(int) error {
		return func(n int) error {
			_, err := b.Publish(ctx, said("room0", "talk", fmt.Sprint(n)), keep)
			return err
		}
	}
	if err := publish(keepAll)(0); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		do   func(n int) error
		want map[string]int
	}{
		{"publish, stored", publish(keepAll), map[string]int{"evalsha": times}},
		{"publish, not stored", publish(room.Retention{}), map[string]int{"evalsha": times}},
		{"publish, 64 together in each of two rooms", func(n int) error {
			list := make([]room.Publication, 128)
			for i := range list {
				list[i] = room.Publication{Message: said(fmt.Sprint("together", i%2), "talk", fmt.Sprint(n, i)), Keep: keepAll}
			}
			for _, r := range b.PublishAll(ctx, list) {
				if r.Err != nil {
					return r.Err
				}
			}
			return nil
		}, map[string]int{"evalsha": 2 * times}},
		{"subscribe, the first on the node", func(n int) error {
			_, cancel, err := b.Subscribe(ctx, fmt.Sprint("room", n), func(room.Message) {})
			cancels = append(cancels, cancel)
			return err
		}, map[string]int{"evalsha": times, "subscribe": times}},
		{"subscribe, a further one", func(n int) error {
			_, cancel, err := b.Subscribe(ctx, fmt.Sprint("room", n), func(room.Message) {})
			cancels = append(cancels, cancel)
			return err
		}, map[string]int{"evalsha": times}},
		{"publish, to a subscriber", publish(keepAll), map[string]int{"evalsha": times}},
		{"replay", func(int) error {
			page, err := b.Replay(ctx, "room0", room.Range{Limit: 50})
			if err == nil && len(page.Messages) != 50 {
				err = fmt.Errorf("%d messages", len(page.Messages))
			}
			return err
		}, map[string]int{"evalsha": times}},
	} {
		server.Do("CONFIG", "RESETSTAT")
		for n := range times {
			if err := step.do(n); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
		}
		got := commands(server)
		delete(got, "eval") // of a script that is called the first time
		if calls := got["evalsha"]; calls == times+1 {
			got["evalsha"] = times
		}
		if !maps.Equal(got, step.want) {
			t.Errorf("%s, %d times: %v, want %v", step.name, times, got, step.want)
		}
	}
	server.Do("CONFIG", "RESETSTAT")
	for _, cancel := range cancels {
		cancel()
	}
	eventually(t, "unsubscribe", func() error {
		// but to warm, and the line's own
		if channels := strings.Fields(server.Do("EVAL", "return table.concat(redis.call('PUBSUB', 'CHANNELS', 'wardroom:{r:*'), ' ')", "0")); !slices.Equal(channels, []string{"wardroom:{r:warm}"}) {
			return fmt.Errorf("subscribed to %d channels", len(channels))
		}
		return nil
	})
	if n := commands(server)["unsubscribe"]; n > times {
		t.Errorf("%d commands to unsubscribe from %d rooms", n, times)
	}
}

func BenchmarkPublish(b *testing.B) {
	server := redistest.Start(b)
	for _, kind := range []struct {
		name string
		keep room.Retention
	}{{"stored", room.Keep(1000, time.Hour)}, {"unstored", room.Retention{}}} {
		b.Run(kind.name, func(b *testing.B) {
			broker := redisroom.NewBroker(server.Client(), redisroom.WithTimeout(5*time.Second))
			defer broker.Close()
			m := said("room", "talk", strings.Repeat("x", 100))
			b.Run("one", func(b *testing.B) {
				for range b.N {
					if _, err := broker.Publish(b.Context(), m, kind.keep); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("many", func(b *testing.B) {
				b.SetParallelism(64)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if _, err := broker.Publish(b.Context(), m, kind.keep); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		})
	}
}

// A connection that breaks is made again with few commands, however many rooms
// are heard through it, and each of them catches up.
func TestManyRooms(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	patient := redisroom.WithTimeout(10 * time.Second)
	b, other := node(t, server.Client(), patient), node(t, server.Client(), patient)
	const rooms = 1000
	var open sync.WaitGroup
	ears := make([]*ear, rooms)
	for i := range ears {
		open.Go(func() {
			e := &ear{t: t}
			_, cancel, err := b.Subscribe(t.Context(), fmt.Sprint("room", i), e.hear)
			if err != nil {
				t.Errorf("subscribe: %v", err)
				return
			}
			t.Cleanup(cancel)
			ears[i] = e
		})
	}
	open.Wait()
	if t.Failed() {
		return
	}
	if n := commands(server)["subscribe"]; n > rooms/4 {
		t.Errorf("%d commands to subscribe to %d rooms at once", n, rooms)
	}
	server.Do("CONFIG", "RESETSTAT")
	server.Do("CLIENT", "KILL", "TYPE", "pubsub")
	for i := range ears {
		open.Go(func() { store(t, other, said(fmt.Sprint("room", i), "talk", "")) })
	}
	open.Wait()
	for _, e := range ears {
		e.until("a message", event("talk"))
	}
	if n := commands(server)["subscribe"]; n > 2*rooms/200 {
		t.Errorf("%d commands to subscribe to %d rooms again", n, rooms)
	}
}
