package redisroom_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
	"github.com/wardroom/wardroom/room/roomtest"
)

// cluster is some servers that share one Redis.
type cluster struct {
	servers []*roomtest.Server
	store   *redisroom.Store // the test's own
	broker  room.Broker
}

// join starts n servers with leases of 2 s and a beat every 300 ms. client is
// called for each, which the server uses for its store alone.
func join(t *testing.T, n int, client func(i int) rueidis.Client, opts ...room.Option) *cluster {
	limits := room.DefaultLimits()
	limits.PresenceBeat, limits.PresenceTimeout = 300*time.Millisecond, 2*time.Second
	limits.ConnectionsPerIP, limits.ConnectsPerIP.Events = 1000, 100_000
	broker := room.NewMemoryBroker()
	shared := room.Options(
		room.WithLimits(limits), room.WithBroker(broker), room.WithPresence(presence.NewMemory()),
		room.WithRooms("hall", room.Settings{Permission: room.Public, MaxMembers: 50}),
		room.WithRooms("tiny", room.Settings{Permission: room.Public, MaxMembers: 1}),
		room.Options(opts...),
	)
	c := &cluster{store: redisroom.NewStore(client(-1), patient()), broker: broker}
	for i := range n {
		c.servers = append(c.servers, roomtest.NewServer(t, shared,
			room.WithStore(redisroom.NewStore(client(i), patient())), room.WithNode(fmt.Sprint("node", i))))
	}
	return c
}

func (c *cluster) users(t *testing.T, name string) (users []string) {
	t.Helper()
	list, _, err := c.store.Members(t.Context(), name, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		users = append(users, m.User)
	}
	return users
}

// becomes waits until the room has these users, in order.
func (c *cluster) becomes(t *testing.T, name string, want ...string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		got := c.users(t, name)
		if slices.Equal(got, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("in %s are %v, want %v", name, got, want)
		}
	}
}

// Of 200 users who join at once by way of four servers, exactly as many get in
// as the room is for, on one Redis and on a Cluster.
func TestCapOfFourServers(t *testing.T) {
	redistest.Each(t, func(t *testing.T, client rueidis.Client) {
		const users, most = 200, 50
		c := join(t, 4, func(int) rueidis.Client { return client })
		clients := make([]*roomtest.Client, users)
		for i := range clients {
			clients[i] = c.servers[i%4].Connect(t, fmt.Sprintf("user%03d", i))
		}
		for _, client := range clients {
			client.Write(`{"type":"join","ref":1,"room":"hall"}`)
		}
		in := 0
		for i := range clients {
			f := clients[i].Await("the reply", func(f *roomtest.Frame) bool { return f.Type == "reply" })
			switch {
			case f.OK:
				in++
			case f.Fault == nil || f.Fault.Code != room.CodeRoomFull:
				t.Errorf("user%03d: %v", i, f)
			}
		}
		if in != most || len(c.users(t, "hall")) != most {
			t.Errorf("%d are in, and the store has %d, want exactly %d", in, len(c.users(t, "hall")), most)
		}
	})
}

// gate is a node's client, which can be cut off as by the end of the node, or by
// a pause of it.
type gate struct {
	rueidis.Client
	closed rueidis.Client
	cut    atomic.Bool
}

func newGate(server *redistest.Server) *gate {
	g := &gate{Client: server.Client(), closed: server.Client()}
	g.closed.Close()
	return g
}

func (g *gate) way() rueidis.Client {
	if g.cut.Load() {
		return g.closed
	}
	return g.Client
}

func (g *gate) Do(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	return g.way().Do(ctx, command)
}

func (g *gate) DoMulti(ctx context.Context, commands ...rueidis.Completed) []rueidis.RedisResult {
	return g.way().DoMulti(ctx, commands...)
}

// mortal is a node's hold on the presence of all, which ends with the node.
type mortal struct {
	presence.Store
	cut *atomic.Bool
}

var errDead = errors.New("dead")

func (m mortal) Beat(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
	if m.cut.Load() {
		return presence.Lease{}, errDead
	}
	return m.Store.Beat(ctx, node, ttl)
}

func (m mortal) Orphans(ctx context.Context, node string, limit int) ([]presence.Orphan, error) {
	if m.cut.Load() {
		return nil, errDead
	}
	return m.Store.Orphans(ctx, node, limit)
}

func (m mortal) Update(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
	if m.cut.Load() {
		return presence.Outcome{}, errDead
	}
	return m.Store.Update(ctx, b)
}

// reaps counts the seats that servers say they have reaped.
type reaps struct {
	slog.Handler
	seats *atomic.Int64
}

func (r reaps) Enabled(context.Context, slog.Level) bool { return true }

func (r reaps) Handle(_ context.Context, record slog.Record) error {
	if record.Message == "reap" {
		record.Attrs(func(a slog.Attr) bool {
			if a.Key == "seats" {
				r.seats.Add(a.Value.Int64())
			}
			return true
		})
	}
	return nil
}

// When a node dies, its survivors race to reap it: each place is given back
// once, the others hear of each user once, and nobody else is touched.
func TestDeathOfANode(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	shared := presence.NewMemory()
	var seats atomic.Int64
	gates := make(map[int]*gate)
	c := join(t, 0, func(int) rueidis.Client { return server.Client() })
	for i := range 4 {
		gates[i] = newGate(server)
		more := join(t, 1, func(n int) rueidis.Client {
			if n < 0 {
				return server.Client()
			}
			return gates[i]
		}, room.WithPresence(mortal{shared, &gates[i].cut}), room.WithBroker(c.broker), room.WithAudit(reaps{slog.DiscardHandler, &seats}))
		c.servers = append(c.servers, more.servers...)
	}
	t.Cleanup(func() { gates[0].cut.Store(false) }) // the dead do not shut down
	var users []string
	for i := range 5 {
		user := fmt.Sprint("dying", i)
		users = append(users, user)
		c.servers[0].Connect(t, user).Join("hall")
	}
	c.servers[0].Connect(t, "dying0").Join("tiny")
	both := []*roomtest.Client{c.servers[0].Connect(t, "both"), c.servers[1].Connect(t, "both")}
	for _, v := range both {
		v.Join("hall")
	}
	witnesses := []*roomtest.Client{c.servers[1].Connect(t, "wit1"), c.servers[2].Connect(t, "wit2"), c.servers[3].Connect(t, "wit3")}
	for _, w := range witnesses {
		w.Join("hall")
	}
	c.becomes(t, "hall", append([]string{"both"}, append(slices.Clone(users), "wit1", "wit2", "wit3")...)...)
	gates[0].cut.Store(true)
	died := time.Now()
	c.becomes(t, "hall", "both", "wit1", "wit2", "wit3")
	c.becomes(t, "tiny")
	if took := time.Since(died); took < time.Second || took > 15*time.Second {
		t.Errorf("it took %v", took)
	}
	c.servers[2].Connect(t, "next").Join("tiny")
	for _, w := range witnesses {
		heard := make(map[string]int)
		for range users {
			heard[w.Expect("user_left", "hall").User]++
		}
		for _, user := range users {
			if heard[user] != 1 {
				t.Errorf("that %s left was heard %d times", user, heard[user])
			}
		}
		w.Refute("user_left", "hall", 500*time.Millisecond)
	}
	if n := seats.Load(); n != int64(len(users))+2 {
		t.Errorf("%d seats were reaped, want %d", n, len(users)+2)
	}
}

// A node that was paused for longer than its lease keeps its places where they
// are still free, and where one was given away the connection is removed: the
// room never has more than it is for.
func TestPauseOfANode(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	paused := newGate(server)
	c := join(t, 2, func(i int) rueidis.Client {
		if i == 0 {
			return paused
		}
		return server.Client()
	})
	ada := c.servers[0].Connect(t, "ada")
	ada.Join("hall")
	ada.Join("tiny")
	bob := c.servers[1].Connect(t, "bob")
	bob.Join("hall")
	paused.cut.Store(true)
	c.becomes(t, "hall", "bob")
	c.becomes(t, "tiny")
	bob.Join("tiny")
	paused.cut.Store(false)
	ada.ExpectRemoved("tiny", "room_full")
	c.becomes(t, "hall", "ada", "bob")
	c.becomes(t, "tiny", "bob")
	bob.Send("tiny", "secret")
	bob.Send("hall", "all")
	ada.ExpectMessage("hall", "all")
	ada.RefuteMessage("tiny", 100*time.Millisecond)
}

// When Redis is away for longer than a lease lasts, nobody is taken for dead.
func TestRedisIsStoppedForLongerThanALease(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var seats atomic.Int64
	c := join(t, 3, func(int) rueidis.Client { return server.Client() }, room.WithAudit(reaps{slog.DiscardHandler, &seats}))
	for i, s := range c.servers {
		s.Connect(t, fmt.Sprint("user", i)).Join("hall")
	}
	server.Pause()
	time.Sleep(3 * time.Second) // leases are 2
	server.Resume()
	c.becomes(t, "hall", "user0", "user1", "user2")
	time.Sleep(2 * time.Second) // in which somebody might
	c.becomes(t, "hall", "user0", "user1", "user2")
	if n := seats.Load(); n > 0 {
		t.Errorf("%d seats were reaped", n)
	}
}

// Places that were given back and are taken again by a promotion that has lost
// that are given back once more, soon after it.
func TestPromotionLosesWhoLeft(t *testing.T) {
	t.Parallel()
	primary, replica := pair(t)
	redis := &gate{Client: primary.Client(), closed: replica.Client()} // cut: to the replica
	c := join(t, 2, func(int) rueidis.Client { return redis })
	ada, bob := c.servers[0].Connect(t, "ada"), c.servers[1].Connect(t, "bob")
	tab := c.servers[0].Connect(t, "ada")
	for _, v := range []*roomtest.Client{ada, bob, tab} {
		v.Join("hall")
	}
	ada.Join("tiny")
	primary.Do("WAIT", "1", "5000")
	replica.Do("REPLICAOF", "NO", "ONE") // what comes now it does not get
	ada.Leave("tiny")
	c.servers[0].Connect(t, "cyd").Join("tiny") // whose place is lost, and whom ada's is not to keep out
	bob.Leave("hall")
	tab.Close()
	c.becomes(t, "hall", "ada")
	c.becomes(t, "tiny", "cyd")
	primary.Kill()
	time.Sleep(time.Second) // as long as it takes to be noticed
	redis.cut.Store(true)
	promoted := time.Now()
	c.becomes(t, "hall", "ada")
	for {
		list, _, err := c.store.Members(t.Context(), "hall", "", 10)
		if err == nil && len(list) == 1 && list[0].Connections == 1 {
			break
		}
		if time.Since(promoted) > 20*time.Second {
			t.Fatalf("in the hall are %+v, %v", list, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("it took %v", time.Since(promoted))
	c.becomes(t, "tiny", "cyd")
	ada.Request("join", roomtest.Fields{"room": "tiny"}).ExpectError(room.CodeRoomFull)
}

// What Redis loses is put back by the nodes that live, as far as it is theirs.
func TestRedisLosesEverything(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := join(t, 2, func(int) rueidis.Client { return server.Client() })
	ada, bob := c.servers[0].Connect(t, "ada"), c.servers[1].Connect(t, "bob")
	ada.Join("hall")
	ada.Join("tiny")
	bob.Join("hall")
	server.Do("FLUSHALL")
	c.becomes(t, "hall", "ada", "bob")
	c.becomes(t, "tiny", "ada")
	bob.Request("join", roomtest.Fields{"room": "tiny"}).ExpectError(room.CodeRoomFull)
	ada.Leave("tiny")
	bob.Join("tiny")
}
