package redisroom_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
	"github.com/wardroom/wardroom/room/roomtest"
)

// patient is for tests in which nothing fails: on a busy machine a call may
// take its time.
func patient() redisroom.Option { return redisroom.WithTimeout(5 * time.Second) }

func TestStoreConforms(t *testing.T) {
	redistest.Each(t, func(t *testing.T, client rueidis.Client) { conform(t, client) })
}

// conform runs the suite on stores of one Redis, two of each prefix.
func conform(t *testing.T, client rueidis.Client) {
	var n atomic.Int64
	var prefixes sync.Map // of each store
	roomtest.TestStore(t, func(*testing.T) room.Store {
		prefix := redisroom.WithPrefix(fmt.Sprintf("t%d:", n.Add(1)))
		s := redisroom.NewStore(client, prefix, patient())
		prefixes.Store(s, prefix)
		return s
	}, roomtest.StoreOptions{RealTime: true, Peer: func(_ *testing.T, of room.Store) room.Store {
		prefix, _ := prefixes.Load(of)
		return redisroom.NewStore(client, prefix.(redisroom.Option), patient())
	}})
}

func place(name, user, connection, node string) room.Seat {
	return room.Seat{Room: name, User: user, Connection: connection, Node: node}
}

// A store whose scripts are forgotten goes on, in the middle of everything.
func TestStoreScriptsAreForgotten(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s := redisroom.NewStore(server.Client(), patient())
	ctx := t.Context()
	forget := func() { server.Do("SCRIPT", "FLUSH") }
	for _, node := range []string{"gone", "live"} {
		forget()
		if _, err := s.Beat(ctx, node, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	const rooms = 20
	for i := range rooms {
		forget()
		if _, err := s.Admit(ctx, place(fmt.Sprint("room", i), "ada", fmt.Sprint(i), "gone"), 0, 1); err != nil {
			t.Fatal(err)
		}
	}
	forget()
	if _, err := s.Beat(ctx, "gone", 0); err != nil {
		t.Fatal(err)
	}
	reaped := 0
	for more := true; more; {
		forget()
		done, err := s.Reap(ctx, "live", 5)
		if err != nil {
			t.Fatal(err)
		}
		reaped += done.Seats
		more = done.More
	}
	if reaped != rooms {
		t.Errorf("%d of %d were reaped", reaped, rooms)
	}
}

// attempts are all that a store can be asked.
func attempts(s *redisroom.Store) map[string]func(ctx context.Context) error {
	seat := place("room", "ada", "1", "node")
	return map[string]func(ctx context.Context) error{
		"Create": func(ctx context.Context) error {
			_, err := s.Create(ctx, room.Record{Room: "new", Owner: "ada"})
			return err
		},
		"Record": func(ctx context.Context) error { _, err := s.Record(ctx, "made"); return err },
		"Update": func(ctx context.Context) error {
			_, err := s.Update(ctx, room.Record{Room: "made", Version: 1})
			return err
		},
		"Delete":      func(ctx context.Context) error { return s.Delete(ctx, "made") },
		"DeleteEmpty": func(ctx context.Context) error { _, err := s.DeleteEmpty(ctx, "made", time.Now()); return err },
		"Owned":       func(ctx context.Context) error { _, err := s.Owned(ctx, "ada"); return err },
		"Empty":       func(ctx context.Context) error { _, err := s.Empty(ctx, time.Now(), 10); return err },
		"Admit":       func(ctx context.Context) error { _, err := s.Admit(ctx, seat, 0, 10); return err },
		"Dismiss":     func(ctx context.Context) error { _, err := s.Dismiss(ctx, seat); return err },
		"Sanction":    func(ctx context.Context) error { return s.Sanction(ctx, "room", "eve", room.Ban, time.Now()) },
		"Lift":        func(ctx context.Context) error { return s.Lift(ctx, "room", "eve", room.Ban) },
		"Members":     func(ctx context.Context) error { _, _, err := s.Members(ctx, "room", "", 10); return err },
		"Beat":        func(ctx context.Context) error { _, err := s.Beat(ctx, "node", time.Hour); return err },
		"Reap":        func(ctx context.Context) error { _, err := s.Reap(ctx, "node", 10); return err },
		"Expel":       func(ctx context.Context) error { return s.Expel(ctx, "room", "ada") },
		"Inspect": func(ctx context.Context) error {
			_, err := s.Inspect(ctx, []room.Inspection{{Room: "room", Seats: []room.Seat{seat}}})
			return err
		},
	}
}

// Whatever happens to Redis, a call fails in its time, as unavailable, and at
// once while it is known to be away; and when Redis is back, calls work again.
func TestStoreFailsInTime(t *testing.T) {
	t.Parallel()
	const timeout = 250 * time.Millisecond
	for name, fault := range map[string]struct{ begin, end func(*redistest.Server) }{
		"stopped": {(*redistest.Server).Pause, (*redistest.Server).Resume},
		"killed":  {(*redistest.Server).Kill, (*redistest.Server).Restart},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
			s := redisroom.NewStore(server.Client(), redisroom.WithTimeout(timeout))
			working := redisroom.NewStore(server.Client(), patient())
			if _, err := working.Create(t.Context(), room.Record{Room: "made", Owner: "ada"}); err != nil {
				t.Fatal(err)
			}
			if _, err := working.Beat(t.Context(), "node", time.Hour); err != nil {
				t.Fatal(err)
			}
			fault.begin(server)
			var failing sync.WaitGroup
			var late, worst atomic.Int64 // by how much a timer was, and a call
			for what, try := range attempts(s) {
				failing.Go(func() {
					began := time.Now()
					err := try(context.Background())
					raise(&worst, time.Since(began)-timeout)
					if !errors.Is(err, room.ErrUnavailable) {
						t.Errorf("%s: %v", what, err)
					}
				})
				failing.Go(func() {
					began := time.Now()
					ctx, cancel := context.WithTimeout(context.Background(), timeout)
					defer cancel()
					<-ctx.Done()
					raise(&late, time.Since(began)-timeout)
				})
			}
			failing.Wait()
			if over := time.Duration(worst.Load() - late.Load()); over > timeout/5 {
				t.Errorf("a call took %v longer than it may, and %v longer than a timer", time.Duration(worst.Load()), over)
			}
			began, quick := time.Now(), 0
			for time.Since(began) < 2*timeout {
				before := time.Now()
				if _, err := s.Admit(context.Background(), place("room", "ada", "1", "node"), 0, 10); !errors.Is(err, room.ErrUnavailable) {
					t.Fatal(err)
				}
				if time.Since(before) < timeout/10 {
					quick++
				}
			}
			if quick < 20 {
				t.Errorf("only %d calls failed at once", quick)
			}
			fault.end(server)
			deadline := time.Now().Add(5 * time.Second)
			for {
				_, err := s.Admit(context.Background(), place("again", "ada", "1", "node"), 0, 10)
				if err == nil {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("Redis is back: %v", err)
				}
			}
			if n, err := working.Owned(t.Context(), "ada"); err != nil || n < 1 {
				t.Errorf("ada owns %d rooms, %v", n, err)
			}
		})
	}
}

// raise makes most at least d.
func raise(most *atomic.Int64, d time.Duration) {
	for old := most.Load(); int64(d) > old && !most.CompareAndSwap(old, int64(d)); old = most.Load() {
	}
}

// A full Redis takes nobody in, and lets everyone go.
func TestStoreOfAFullRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--maxmemory-policy", "noeviction")
	s := redisroom.NewStore(server.Client(), patient())
	ctx := t.Context()
	for i := range 3 {
		if _, err := s.Admit(ctx, place("room", fmt.Sprint("user", i), fmt.Sprint(i), "node"), 0, 10); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Admit(ctx, place("room", "user0", "second", "node"), 0, 10); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(ctx, room.Record{Room: "made", Owner: "ada"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Admit(ctx, place("made", "ada", "a", "node"), 1, 10); err != nil {
		t.Fatal(err)
	}
	if err := s.Sanction(ctx, "room", "eve", room.Ban, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	server.Do("CONFIG", "SET", "maxmemory", "1")
	for what, err := range map[string]error{
		"Admit":    second(s.Admit(ctx, place("room", "zoe", "z", "node"), 0, 10)),
		"Create":   second(s.Create(ctx, room.Record{Room: "new", Owner: "ada"})),
		"Update":   second(s.Update(ctx, room.Record{Room: "made", Owner: "bob", Version: 1})),
		"Sanction": s.Sanction(ctx, "room", "mal", room.Ban, time.Now().Add(time.Hour)),
	} {
		if !errors.Is(err, room.ErrUnavailable) {
			t.Errorf("%s when Redis is full: %v", what, err)
		}
	}
	if last, err := s.Dismiss(ctx, place("room", "user0", "0", "node")); err != nil || last {
		t.Errorf("the first tab: %v, %v", last, err)
	}
	if last, err := s.Dismiss(ctx, place("room", "user0", "second", "node")); err != nil || !last {
		t.Errorf("the second tab: %v, %v", last, err)
	}
	if last, err := s.Dismiss(ctx, place("made", "ada", "a", "node")); err != nil || !last {
		t.Errorf("the last of a room with a record: %v, %v", last, err)
	}
	if err := s.Lift(ctx, "room", "eve", room.Ban); err != nil {
		t.Error(err)
	}
	list, _, err := s.Members(ctx, "room", "", 10)
	if err != nil || len(list) != 2 || list[0].User != "user1" {
		t.Errorf("in the room are %v, %v", list, err)
	}
	if deleted, err := s.DeleteEmpty(ctx, "made", time.Now().Add(time.Hour)); err != nil || !deleted {
		t.Errorf("DeleteEmpty: %v, %v", deleted, err)
	}
	server.Do("CONFIG", "SET", "maxmemory", "0")
	if _, err := s.Admit(ctx, place("room", "eve", "e", "node"), 0, 3); err != nil {
		t.Error(err)
	}
	if n, err := s.Owned(ctx, "ada"); err != nil || n != 0 {
		t.Errorf("ada owns %d rooms, %v", n, err)
	}
}

func second[T any](_ T, err error) error { return err }

// What a call costs, in commands that Redis is sent, and that beats cost no
// more when there are more users. docs/DESIGN.md has these figures.
func TestStoreCommands(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := &counting{Client: server.Client(), names: make(map[string]int)}
	s := redisroom.NewStore(client, patient())
	for _, try := range attempts(s) { // so that the scripts are known
		_ = try(t.Context())
	}
	server.Do("FLUSHALL")
	ctx := t.Context()
	check := func(what, names string, trips int, f func() error) {
		t.Helper()
		client.take()
		server.Do("CONFIG", "RESETSTAT")
		err := f()
		if gotNames, gotTrips := client.take(); err != nil || gotNames != names || gotTrips != trips {
			t.Errorf("%s sends %s in %d round trips (%v), want %s in %d", what, gotNames, gotTrips, err, names, trips)
		}
		t.Logf("%s: %s in %d round trips; within Redis: %s", what, names, trips, within(server))
	}
	admit := func(user int) func() error {
		return func() error {
			return second(s.Admit(ctx, place("room", fmt.Sprint("user", user), fmt.Sprint(user), "node"), 0, 1<<20))
		}
	}
	beat := func() error { return second(s.Beat(ctx, "node", time.Hour)) }
	check("the first beat", "1 evalsha", 1, beat)
	check("a join", "1 evalsha", 1, admit(1))
	check("another", "1 evalsha", 1, admit(2))
	check("the same again", "1 evalsha", 1, admit(2))
	check("a leave", "1 evalsha", 1, func() error { return second(s.Dismiss(ctx, place("room", "user2", "2", "node"))) })
	check("a page of members", "1 evalsha", 1, func() error { _, _, err := s.Members(ctx, "room", "", 100); return err })
	check("a ban", "1 evalsha", 1, func() error { return s.Sanction(ctx, "room", "eve", room.Ban, time.Now().Add(time.Hour)) })
	check("a room of the host's", "1 evalsha", 1, func() error { return second(s.Create(ctx, room.Record{Room: "hosts"})) })
	check("a room of a user's", "1 evalsha 1 zadd", 2, func() error { return second(s.Create(ctx, room.Record{Room: "made", Owner: "ada"})) })
	check("a record", "1 hget", 1, func() error { return second(s.Record(ctx, "made")) })
	check("an update", "1 evalsha", 1, func() error { return second(s.Update(ctx, room.Record{Room: "made", Owner: "ada", Version: 1})) })
	check("what a user owns", "1 hmget 1 zrangebylex", 2, func() error { return second(s.Owned(ctx, "ada")) })
	check("a room that is given away", "2 evalsha 1 zadd 1 zrem", 4, func() error {
		return second(s.Update(ctx, room.Record{Room: "made", Owner: "bob", Version: 2}))
	})
	check("the end of a room", "1 evalsha 1 zrem", 2, func() error { return s.Delete(ctx, "made") })
	check("what is empty", "256 zrangebyscore", 4, func() error { return second(s.Empty(ctx, time.Now(), 10)) })
	seats := func(limit int) func() error {
		return func() error { _, _, err := s.Seats(ctx, "node", room.Seat{}, limit); return err }
	}
	check("a walk over one seat", "256 zrangebylex", 7, seats(500))
	for i := range 500 {
		if err := admit(i)(); err != nil {
			t.Fatal(err)
		}
	}
	check("a beat with 500 users", "1 evalsha", 1, beat)
	for i := range 5000 {
		if err := second(s.Admit(ctx, place(fmt.Sprint("room", i), "ada", "1", "many"), 0, 1)); err != nil {
			t.Fatal(err)
		}
	}
	check("the first 500 of 5,000 seats", "27 zrangebylex", 2, func() error {
		list, more, err := s.Seats(ctx, "many", room.Seat{}, 500)
		if len(list) != 500 || !more {
			t.Errorf("%d seats, %t", len(list), more)
		}
		return err
	})
}

// counting is a client that counts what it sends: commands by name, and round
// trips.
type counting struct {
	rueidis.Client
	mu    sync.Mutex // protects what follows
	names map[string]int
	trips int
}

func (c *counting) note(commands ...rueidis.Completed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trips++
	for _, command := range commands {
		c.names[strings.ToLower(command.Commands()[0])]++
	}
}

func (c *counting) Do(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	c.note(command)
	return c.Client.Do(ctx, command)
}

func (c *counting) DoMulti(ctx context.Context, commands ...rueidis.Completed) []rueidis.RedisResult {
	c.note(commands...)
	return c.Client.DoMulti(ctx, commands...)
}

// take returns what was sent since it was called last.
func (c *counting) take() (names string, trips int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var list []string
	for _, name := range slices.Sorted(maps.Keys(c.names)) {
		list = append(list, fmt.Sprint(c.names[name], " ", name))
	}
	trips, c.trips = c.trips, 0
	clear(c.names)
	return strings.Join(list, " "), trips
}

// within is what scripts have called in Redis since CONFIG RESETSTAT.
func within(server *redistest.Server) string {
	var list []string
	for line := range strings.Lines(server.Do("INFO", "commandstats")) {
		name, rest, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "cmdstat_"), ":calls=")
		count, _, _ := strings.Cut(rest, ",")
		if ok && !slices.Contains([]string{"config|resetstat", "hello", "client|setinfo", "info", "evalsha"}, name) {
			list = append(list, count+" "+name)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
