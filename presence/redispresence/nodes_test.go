package redispresence_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/presence/redispresence"
)

// patience is how long something may take that has to happen.
const patience = 30 * time.Second

// A world is some nodes on one Redis, and what they announce.
type world struct {
	t       *testing.T
	server  *redistest.Server     // none in a cluster
	client  func() rueidis.Client // a new one
	timeout time.Duration         // of the nodes' stores; a busy machine takes its time

	mu     sync.Mutex // protects what follows
	events []string   // "room: user kind reason"
}

func newWorld(t *testing.T) *world {
	server := redistest.Start(t)
	return &world{t: t, server: server, client: server.Client, timeout: 2 * time.Second}
}

// A node is a tracker with a client of its own, which can be cut off.
type node struct {
	*presence.Tracker
	w     *world
	name  string
	store *wire
}

// A wire is the way of a node to its store.
type wire struct {
	presence.Store
	cut atomic.Bool
}

var errCut = errors.New("cut off")

func (s *wire) Beat(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
	if s.cut.Load() {
		return presence.Lease{}, errCut
	}
	return s.Store.Beat(ctx, node, ttl)
}

func (s *wire) Update(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
	if s.cut.Load() {
		return presence.Outcome{}, errCut
	}
	return s.Store.Update(ctx, b)
}

// node starts a node. It beats often, and is missed soon.
func (w *world) node(name string, change ...func(*presence.Options)) *node {
	w.t.Helper()
	n := &node{w: w, name: name, store: &wire{Store: redispresence.New(w.client(), redispresence.WithTimeout(w.timeout))}}
	o := presence.Options{Node: name, Beat: 300 * time.Millisecond, Timeout: 3 * time.Second, Check: 300 * time.Millisecond, Notify: n.notify}
	for _, f := range change {
		f(&o)
	}
	var err error
	if n.Tracker, err = presence.NewTracker(n.store, o); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = n.Close(ctx)
	})
	return n
}

func (n *node) notify(_ context.Context, events []presence.Event) (int, error) {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	for _, e := range events {
		n.w.events = append(n.w.events, strings.TrimSpace(fmt.Sprintf("%s: %s %s %s", e.Room, e.User, e.Kind, e.Reason)))
	}
	return len(events), nil
}

// kill ends a node as a power cut does.
func (n *node) kill() {
	n.store.cut.Store(true)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = n.Close(ctx)
}

var serial atomic.Int64

// joins returns a connection of a user that has joined rooms, or will have.
func (n *node) joins(user string, rooms ...string) *presence.Conn {
	n.w.t.Helper()
	c, err := n.Connect(presence.Peer{User: user, Connection: fmt.Sprintf("c%d", serial.Add(1))})
	if err != nil {
		n.w.t.Fatal(err)
	}
	for _, room := range rooms {
		// An error says that it is tried again.
		_ = c.Join(n.w.t.Context(), room)
	}
	return c
}

func (n *node) leaves(c *presence.Conn, room string) {
	n.w.t.Helper()
	_ = c.Leave(n.w.t.Context(), room, presence.ReasonLeft)
}

// announced are the events so far, in order of their texts.
func (w *world) announced() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(slices.Values(w.events))
}

func (w *world) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = nil
}

// until waits until a condition holds.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("%s: not in %v; announced: %q", what, patience, w.announced())
		}
	}
}

// announces waits until exactly these events were announced, in any order.
func (w *world) announces(want ...string) {
	w.t.Helper()
	slices.Sort(want)
	w.until(fmt.Sprintf("want %q", want), func() bool { return len(w.announced()) >= len(want) })
	if got := w.announced(); !slices.Equal(got, want) {
		w.t.Fatalf("announced %q, want %q", got, want)
	}
	w.forget()
}

// lists waits until a room has these users, as a node sees it.
func (n *node) lists(room string, want ...string) {
	n.w.t.Helper()
	var got []string
	n.w.until(fmt.Sprintf("%s: want %q", room, want), func() bool {
		page, err := n.List(n.w.t.Context(), room, presence.Query{})
		got = nil
		for _, m := range page.Members {
			got = append(got, m.User)
		}
		return err == nil && slices.Equal(got, want)
	})
}

// well waits until a node has nothing left to do.
func (n *node) well() {
	n.w.t.Helper()
	n.w.until(n.name+" recovers", func() bool { return n.Err() == nil })
}

// keys returns the keys in Redis.
func (w *world) keys(client rueidis.Client) []string {
	w.t.Helper()
	keys, err := client.Do(w.t.Context(), client.B().Keys().Pattern("*").Build()).AsStrSlice()
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Sort(keys)
	return keys
}

func TestTwoNodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.node("a"), w.node("b")
	phone, desk := a.joins("ada", "r"), b.joins("ada", "r")
	b.joins("bob", "r", "s")
	w.announces("r: ada user_joined", "r: bob user_joined", "s: bob user_joined")
	a.lists("r", "ada", "bob")
	a.lists("s", "bob")
	a.leaves(phone, "r")
	b.lists("r", "ada", "bob")
	b.leaves(desk, "r")
	w.announces("r: ada user_left left")
	a.lists("r", "bob")
	if err := a.Remove(t.Context(), "r", "bob", presence.ReasonKicked); err != nil {
		t.Fatal(err)
	}
	w.announces("r: bob user_left kicked")
	b.lists("r")
	b.lists("s", "bob")
}

// TestDeadNode shows that of two survivors one announces who has left, once.
func TestDeadNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b, c := w.node("a"), w.node("b"), w.node("c")
	var want []string
	for i := range 40 {
		u, r := fmt.Sprintf("u%02d", i), fmt.Sprintf("r%d", i%7)
		a.joins(u, r, "all")
		want = append(want, fmt.Sprintf("%s: %s user_left timeout", r, u), fmt.Sprintf("all: %s user_left timeout", u))
	}
	a.joins("ada", "all")
	b.joins("ada", "all")
	w.until("all join", func() bool { return len(w.announced()) == 81 })
	w.forget()
	a.kill()
	w.announces(want...)
	b.lists("all", "ada")
	c.lists("r3")
	// The dead node is forgotten, and nothing more is said of it.
	client := w.server.Client()
	w.until("the dead node is forgotten", func() bool {
		leases, _ := client.Do(t.Context(), client.B().Zcard().Key("wardroom:{n:}:leases").Build()).AsInt64()
		places, _ := client.Do(t.Context(), client.B().Zcard().Key("wardroom:{n:}:places").Build()).AsInt64()
		return leases == 2 && places == 1
	})
	w.announces()
}

func TestScriptFlush(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.node("a"), w.node("b")
	c := a.joins("ada", "r")
	w.announces("r: ada user_joined")
	w.server.Do("SCRIPT", "FLUSH")
	b.lists("r", "ada")
	w.server.Do("SCRIPT", "FLUSH")
	a.leaves(c, "r")
	w.announces("r: ada user_left left")
	if err := a.Err(); err != nil {
		t.Fatal(err)
	}
}

// TestFlushAll shows that nodes write everything anew.
func TestFlushAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.node("a"), w.node("b")
	a.joins("ada", "r", "s")
	bob := b.joins("bob", "r")
	w.announces("r: ada user_joined", "s: ada user_joined", "r: bob user_joined")
	w.server.Do("FLUSHALL")
	w.announces("r: ada user_joined", "s: ada user_joined", "r: bob user_joined")
	a.lists("r", "ada", "bob")
	b.lists("s", "ada")
	b.leaves(bob, "r")
	w.announces("r: bob user_left left")
	// What they claimed is known again.
	a.kill()
	w.announces("r: ada user_left timeout", "s: ada user_left timeout")
}

// TestPause shows that a call of a server that hangs ends in time, and that
// what it does late does no harm.
func TestPause(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.timeout = 250 * time.Millisecond
	long := func(o *presence.Options) { o.Timeout = 5 * time.Minute }
	a, b := w.node("a", long), w.node("b", long)
	ada, zoe := a.joins("ada", "r"), b.joins("zoe", "r")
	w.announces("r: ada user_joined", "r: zoe user_joined")
	store := redispresence.New(w.server.Client())
	w.server.Pause()
	begin := time.Now()
	for name, call := range map[string]func() error{
		"Beat":    func() error { _, err := store.Beat(t.Context(), "x", time.Minute); return err },
		"Orphans": func() error { _, err := store.Orphans(t.Context(), "x", 5); return err },
		"Get":     func() error { _, err := store.Get(t.Context(), presence.Scope{Room: "r"}, "ada"); return err },
		"List":    func() error { _, _, err := store.List(t.Context(), presence.Scope{Room: "r"}, "", 5); return err },
		"Update": func() error {
			_, err := store.Update(t.Context(), presence.Batch{Scope: presence.Scope{Room: "r"}, Node: "x", Op: 1})
			return err
		},
	} {
		if err := call(); !errors.Is(err, redispresence.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
	}
	if d := time.Since(begin); d > 10*time.Second {
		t.Errorf("five calls with a deadline of 250 ms took %v", d)
	}
	a.joins("eve", "r")
	a.leaves(ada, "r")
	b.leaves(zoe, "r")
	b.joins("zoe", "r")
	gone := b.joins("bob", "r")
	b.leaves(gone, "r")
	time.Sleep(time.Second) // for repetitions to pile up
	w.server.Resume()
	a.lists("r", "eve", "zoe")
	a.well()
	b.well()
	a.lists("r", "eve", "zoe")
	// Zoe and bob are announced if it was written in between that they had gone
	// or come, and then both ways.
	w.until("everything is announced", func() bool {
		count := map[string]int{}
		for _, e := range w.announced() {
			count[e]++
		}
		return count["r: eve user_joined"] == 1 && count["r: ada user_left left"] == 1 &&
			count["r: zoe user_left left"] == count["r: zoe user_joined"] && count["r: bob user_left left"] == count["r: bob user_joined"]
	})
}

// TestRestart shows that nodes outlast a server that was away, and comes back
// with nothing.
func TestRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.node("a"), w.node("b")
	a.joins("ada", "r")
	w.announces("r: ada user_joined")
	w.server.Kill()
	b.joins("bob", "r")
	w.server.Restart()
	a.lists("r", "ada", "bob")
	a.well()
	b.well()
	w.announces("r: ada user_joined", "r: bob user_joined")
}
