package room_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/room"
)

// tether is one node's hold on a store that others use too.
type tether struct {
	mu    sync.Mutex // protects store
	store room.NodeStore
	cut   atomic.Bool // the node does not reach it, as when its process is stopped
	beats atomic.Int64
	// doom makes the next beat end the lease, as it does when the node was away
	// for too long; it is given the node.
	doom atomic.Pointer[func(node string)]
	lag  time.Duration // what calls about seats take, at most, before and after
	// forgets: what is dismissed is in again after a failover.
	forgets atomic.Bool
	// tardy: Admit fails, and is carried out after the Dismiss that follows.
	tardy atomic.Bool
	held  sync.Map // by Seat, what is to be carried out
}

func (s *tether) late() {
	if s.lag > 0 {
		time.Sleep(rand.N(s.lag))
	}
}

func (s *tether) reach() (room.NodeStore, error) {
	if s.cut.Load() {
		return nil, room.ErrUnavailable
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store, nil
}

// through calls the store, unless it cannot be reached.
func through[T any](s *tether, f func(room.NodeStore) (T, error)) (none T, _ error) {
	store, err := s.reach()
	if err != nil {
		return none, err
	}
	return f(store)
}

func (s *tether) Beat(ctx context.Context, node string, ttl time.Duration) (room.NodeLease, error) {
	s.beats.Add(1)
	if f := s.doom.Swap(nil); f != nil {
		(*f)(node)
	}
	return through(s, func(n room.NodeStore) (room.NodeLease, error) { return n.Beat(ctx, node, ttl) })
}

func (s *tether) Reap(ctx context.Context, node string, limit int) (room.Reaped, error) {
	return through(s, func(n room.NodeStore) (room.Reaped, error) { return n.Reap(ctx, node, limit) })
}

func (s *tether) Seats(ctx context.Context, node string, after room.Seat, limit int) (list []room.Seat, more bool, err error) {
	store, err := s.reach()
	if err != nil {
		return nil, false, err
	}
	defer s.late()
	return store.Seats(ctx, node, after, limit)
}

func (s *tether) Admit(ctx context.Context, seat room.Seat, version int64, most int) (room.Admission, error) {
	s.late()
	defer s.late()
	return through(s, func(n room.NodeStore) (room.Admission, error) {
		if s.tardy.Load() {
			s.held.Store(seat, func() (any, error) { return n.Admit(context.WithoutCancel(ctx), seat, version, most) })
			return room.Admission{}, room.ErrUnavailable
		}
		return n.Admit(ctx, seat, version, most)
	})
}

func (s *tether) Dismiss(ctx context.Context, seat room.Seat) (bool, error) {
	s.late()
	defer s.late()
	return through(s, func(n room.NodeStore) (bool, error) {
		if s.forgets.Load() {
			return true, nil
		}
		last, err := n.Dismiss(ctx, seat)
		if f, ok := s.held.LoadAndDelete(seat); ok {
			if _, err := f.(func() (any, error))(); err != nil {
				return false, err
			}
		}
		return last, err
	})
}

func (s *tether) Record(ctx context.Context, name string) (room.Record, error) {
	return through(s, func(n room.NodeStore) (room.Record, error) { return n.Record(ctx, name) })
}

func (s *tether) Create(ctx context.Context, rec room.Record) (room.Record, error) {
	return through(s, func(n room.NodeStore) (room.Record, error) { return n.Create(ctx, rec) })
}

func (s *tether) Update(ctx context.Context, rec room.Record) (room.Record, error) {
	return through(s, func(n room.NodeStore) (room.Record, error) { return n.Update(ctx, rec) })
}

func (s *tether) Delete(ctx context.Context, name string) error {
	_, err := through(s, func(n room.NodeStore) (any, error) { return nil, n.Delete(ctx, name) })
	return err
}

func (s *tether) Owned(ctx context.Context, user string) (int, error) {
	return through(s, func(n room.NodeStore) (int, error) { return n.Owned(ctx, user) })
}

func (s *tether) Empty(ctx context.Context, before time.Time, limit int) ([]room.EmptyRoom, error) {
	return through(s, func(n room.NodeStore) ([]room.EmptyRoom, error) { return n.Empty(ctx, before, limit) })
}

func (s *tether) DeleteEmpty(ctx context.Context, name string, before time.Time) (bool, error) {
	return through(s, func(n room.NodeStore) (bool, error) { return n.DeleteEmpty(ctx, name, before) })
}

func (s *tether) Sanction(ctx context.Context, name, user string, kind room.Sanction, until time.Time) error {
	_, err := through(s, func(n room.NodeStore) (any, error) { return nil, n.Sanction(ctx, name, user, kind, until) })
	return err
}

func (s *tether) Lift(ctx context.Context, name, user string, kind room.Sanction) error {
	_, err := through(s, func(n room.NodeStore) (any, error) { return nil, n.Lift(ctx, name, user, kind) })
	return err
}

func (s *tether) Members(ctx context.Context, name, after string, limit int) (list []room.Member, more bool, err error) {
	store, err := s.reach()
	if err != nil {
		return nil, false, err
	}
	return store.Members(ctx, name, after, limit)
}

func (s *tether) Expel(ctx context.Context, name, user string) error {
	_, err := through(s, func(n room.NodeStore) (any, error) { return nil, n.(room.Inspector).Expel(ctx, name, user) })
	return err
}

func (s *tether) Inspect(ctx context.Context, asks []room.Inspection) ([]room.Finding, error) {
	return through(s, func(n room.NodeStore) ([]room.Finding, error) { return n.(room.Inspector).Inspect(ctx, asks) })
}

// fleet is some servers that share everything, each by a tether of its own to
// the store, in a bubble.
type fleet struct {
	store   room.NodeStore
	hosts   []*host
	tethers []*tether
}

func newFleet(t *testing.T, n int, opts ...room.Option) *fleet {
	f := &fleet{store: room.NewMemoryStore().(room.NodeStore)}
	shared := room.Options(
		room.WithBroker(room.NewMemoryBroker()), room.WithSessions(auth.NewMemorySessions()), room.WithPresence(presence.NewMemory()),
		house(), limits(func(l *room.Limits) { l.PresenceBeat, l.PresenceTimeout = time.Second, 5*time.Second }), room.Options(opts...),
	)
	for i := range n {
		f.tethers = append(f.tethers, &tether{store: f.store})
		f.hosts = append(f.hosts, servePipes(t, shared, room.WithStore(f.tethers[i]), room.WithNode(fmt.Sprint("node", i))))
	}
	return f
}

// inside fails unless these, in order, are who the store has in the room.
func (f *fleet) inside(t *testing.T, name string, want ...string) {
	t.Helper()
	list, _, err := f.store.Members(t.Context(), name, "", 1000)
	var got []string
	for _, m := range list {
		got = append(got, m.User)
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("in %s are %v (%v), want %v", name, got, err, want)
	}
}

// await returns the next frame of a type, whatever comes before it.
func await(v *visitor, typ string) frame {
	for {
		if f := v.next(); f.Type == typ || f.Type == "close" {
			return f
		}
	}
}

// meanwhile lets time go by for several clients.
func meanwhile(d time.Duration, all ...*visitor) {
	var passing sync.WaitGroup
	for _, v := range all {
		passing.Go(func() { v.pass(d) })
	}
	passing.Wait()
}

// A node that is gone leaves its places to others, in bounded time and without
// anybody's doing.
func TestDeadNodeIsReaped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		ada, bob := f.hosts[0].in("ada", "hall", "tiny"), f.hosts[0].in("bob", "tiny")
		cyd := f.hosts[1].in("cyd", "hall")
		both := f.hosts[1].in("ada", "hall")
		f.inside(t, "tiny", "ada", "bob")
		dan := f.hosts[2].connect("dan")
		dan.refused("room_full", "join", inRoom("tiny"))
		f.tethers[0].cut.Store(true)
		meanwhile(4*time.Second, ada, bob, cyd, both, dan)
		f.inside(t, "tiny", "ada", "bob")
		meanwhile(2200*time.Millisecond, ada, bob, cyd, both, dan) // the timeout and a beat
		f.inside(t, "tiny")
		f.inside(t, "hall", "ada", "cyd")
		dan.must("join", inRoom("tiny"))
		for _, v := range []*visitor{ada, bob, both} {
			v.hangUp()
		}
	})
}

// A node that was taken for dead and is not keeps who still fits, and nobody
// is left where they are not.
func TestNodeComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		ada, bob := f.hosts[0].in("ada", "hall", "tiny"), f.hosts[0].in("bob", "hall", "tiny")
		eve := f.hosts[0].in("eve", "hall")
		cyd := f.hosts[1].in("cyd", "hall")
		f.tethers[0].cut.Store(true)
		meanwhile(7*time.Second, ada, bob, eve, cyd)
		f.inside(t, "hall", "cyd")
		dan := f.hosts[1].in("dan", "tiny")
		if err := f.store.Sanction(t.Context(), "hall", "eve", room.Ban, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		f.tethers[0].cut.Store(false)
		meanwhile(6*time.Second, ada, bob, eve, cyd, dan)

		f.inside(t, "hall", "ada", "bob", "cyd")
		if r := await(eve, "removed"); r.Room != "hall" || r.Code != "banned" {
			t.Errorf("eve got %s", r)
		}
		eve.refused("not_member", "message", inRoom("hall"), saying(`1`))
		stayed, out := ada, bob
		list, _, _ := f.store.Members(t.Context(), "tiny", "", 10)
		if slices.ContainsFunc(list, func(m room.Member) bool { return m.User == "bob" }) {
			stayed, out = bob, ada
		}
		if r := await(out, "removed"); r.Room != "tiny" || r.Code != "room_full" {
			t.Errorf("who does not fit got %s", r)
		}
		if len(list) != 2 {
			t.Errorf("in a room for two are %v", list)
		}
		dan.must("message", inRoom("tiny"), saying(`"hi"`))
		await(stayed, "message")
		out.refused("not_member", "message", inRoom("tiny"), saying(`1`))
		stayed.must("leave", inRoom("tiny"))
		out.must("join", inRoom("tiny"))
		cyd.must("message", inRoom("hall"), saying(`"all"`))
		for _, v := range []*visitor{ada, bob} {
			if m := await(v, "message"); m.From != "cyd" {
				t.Errorf("got %s", m)
			}
		}
	})
}

// When everyone has lost the store for longer than a lease lasts, nobody takes
// the others for dead.
func TestStoreComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		var all []*visitor
		for i, h := range f.hosts {
			all = append(all, h.in(fmt.Sprint("user", i), "hall"))
		}
		for _, tether := range f.tethers {
			tether.cut.Store(true)
		}
		meanwhile(15*time.Second, all...)
		for _, tether := range f.tethers {
			tether.cut.Store(false)
		}
		meanwhile(20*time.Second, all...)
		f.inside(t, "hall", "user0", "user1", "user2")
		for i, h := range f.hosts {
			if strings.Contains(h.log.String(), `"msg":"reap"`) {
				t.Errorf("node %d has reaped", i)
			}
		}
	})
}

// A store that has lost everything is filled again by the nodes.
func TestStoreLosesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		ada, bob := f.hosts[0].in("ada", "hall", "tiny"), f.hosts[1].in("bob", "hall")
		f.store = room.NewMemoryStore().(room.NodeStore)
		for _, tether := range f.tethers {
			tether.mu.Lock()
			tether.store = f.store
			tether.mu.Unlock()
		}
		meanwhile(1500*time.Millisecond, ada, bob)
		f.inside(t, "hall", "ada", "bob")
		f.inside(t, "tiny", "ada")
		bob.must("leave", inRoom("hall"))
		f.inside(t, "hall", "ada")
	})
}

// connectionOf is the ID that the server gave a client.
func connectionOf(t *testing.T, v *visitor) string {
	t.Helper()
	var welcome struct{ Connection string }
	if err := json.Unmarshal([]byte(v.welcome.text), &welcome); err != nil || welcome.Connection == "" {
		t.Fatalf("%s: %v", v.welcome, err)
	}
	return welcome.Connection
}

// What a store has lost without a trace, as in a failover, is found by the
// patrol.
func TestStoreLosesSomething(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		ada, bob := f.hosts[0].in("ada", "hall"), f.hosts[1].in("bob", "hall")
		tab := f.hosts[0].in("ada", "hall")
		if err := f.store.Delete(t.Context(), "hall"); !errors.Is(err, room.ErrNoRoom) { // what it notes of them expires
			t.Fatal(err)
		}
		for user, v := range map[string]*visitor{"ada": tab, "bob": bob} {
			_, err := f.store.Dismiss(t.Context(), room.Seat{Room: "hall", User: user, Connection: connectionOf(t, v)})
			if err != nil {
				t.Fatal(err)
			}
		}
		f.inside(t, "hall")
		meanwhile(26*time.Second, ada, bob, tab)
		f.inside(t, "hall", "ada", "bob")
		await(ada, "removed")
		list, _, _ := f.store.Members(t.Context(), "hall", "", 10)
		if list[0].Connections != 1 {
			t.Errorf("%+v, want the tab alone", list)
		}
	})
}

// A server that restarts under its old name does not keep its predecessor's
// places, and one that shuts down gives its own back at once.
func TestNodeNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 2)
		ada, bob := f.hosts[0].in("ada", "hall"), f.hosts[1].in("bob", "hall")
		f.tethers[0].cut.Store(true) // as when its process is gone
		again := &tether{store: f.store}
		restarted := servePipes(t, house(), room.WithStore(again), room.WithNode("node0"),
			limits(func(l *room.Limits) { l.PresenceBeat, l.PresenceTimeout = time.Second, 5*time.Second }))
		cyd := restarted.in("cyd", "hall")
		meanwhile(8*time.Second, ada, bob, cyd)
		f.inside(t, "hall", "bob", "cyd")
		cyd.hangUp()
		ada.hangUp()
		if err := restarted.srv.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.inside(t, "hall", "bob")
		bob.pass(1500 * time.Millisecond)
		if lease, err := f.store.Beat(t.Context(), "observer", time.Hour); err != nil || lease.Lapsed || lease.Next > 5*time.Second {
			t.Errorf("after a shutdown: %+v, %v", lease, err)
		}
	})
}

// Without a store nobody joins, at once, and as soon as there is one they do.
func TestNoLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1)
		f.tethers[0].cut.Store(true)
		ada := f.hosts[0].connect("ada")
		began := time.Now()
		for range 5 {
			ada.refused("unavailable", "join", inRoom("hall"))
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("five refusals took %v", took)
		}
		synctest.Wait() // for a beat that is under way
		f.tethers[0].cut.Store(false)
		ada.must("join", inRoom("hall"))
		f.inside(t, "hall", "ada")
	})
}

// Beats do not grow with users.
func TestBeatsAreOfNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1)
		var all []*visitor
		for i := range 50 {
			all = append(all, f.hosts[0].in(fmt.Sprint("user", i), "hall", "lounge"))
		}
		before := f.tethers[0].beats.Load()
		meanwhile(10*time.Second, all...)
		if n := f.tethers[0].beats.Load() - before; n < 9 || n > 11 {
			t.Errorf("%d beats in 10 s of 1 s each", n)
		}
	})
}

// Whenever a node is taken for dead while its clients come and go, in the end
// the store has exactly who is in the halls.
func TestLapseWhileClientsComeAndGo(t *testing.T) {
	const clients, rounds, visits, lag = 16, 60, 3, 2 * time.Millisecond
	store := room.NewMemoryStore().(room.NodeStore)
	tether := &tether{store: store, lag: lag}
	h := serve(t, house(), room.WithStore(tether), limits(func(l *room.Limits) {
		l.PresenceBeat, l.PresenceTimeout = 2*time.Millisecond, time.Minute
	}))
	reap := func(node string) {
		ctx := context.Background()
		_, err := store.Beat(ctx, "reaper", time.Hour)
		if err == nil {
			_, err = store.Beat(ctx, node, 0)
		}
		for more := (room.Reaped{More: true}); err == nil && more.More; {
			more, err = store.Reap(ctx, "reaper", 3)
		}
		if err != nil {
			t.Error(err)
		}
	}
	all := make([]*visitor, clients)
	for i := range all {
		all[i] = h.connect(fmt.Sprintf("user%02d", i))
	}
	for round := range rounds {
		var in [clients]bool
		var visiting sync.WaitGroup
		for i, v := range all {
			visiting.Go(func() {
				for range rand.IntN(visits) + 1 {
					f := v.request("join", inRoom("hall"))
					if in[i] = f.Error == nil; !in[i] && f.Error.Code != "unavailable" && f.Error.Code != "conflict" {
						t.Errorf("join: %s", f)
					}
					if rand.IntN(2) == 0 {
						v.request("leave", inRoom("hall"))
						in[i] = false
					}
				}
				v.unread = nil
			})
		}
		time.Sleep(rand.N(4 * lag))
		tether.doom.Store(&reap)
		visiting.Wait()
		eventually(t, "the lapse is noticed", func() bool { return tether.doom.Load() == nil })
		var want []string
		for i := range all {
			if in[i] {
				want = append(want, fmt.Sprintf("user%02d", i))
			}
		}
		same := func() bool {
			list, _, err := store.Members(t.Context(), "hall", "", 1000)
			var got []string
			for _, m := range list {
				if m.Connections == 1 {
					got = append(got, m.User)
				}
			}
			return err == nil && len(list) == len(got) && slices.Equal(got, want)
		}
		eventually(t, fmt.Sprintf("round %d: the store has %v", round, want), same)
		time.Sleep(4 * lag) // nobody is on the way any more
		if !same() {
			eventually(t, fmt.Sprintf("round %d: the store has %v for good", round, want), same)
		}
		connections := 0
		for _, stats := range h.srv.Rooms() {
			connections += stats.Connections
		}
		if connections != len(want) {
			t.Fatalf("round %d: in the hall are %d connections, want %d", round, connections, len(want))
		}
	}
}
