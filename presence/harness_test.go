package presence_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/presence"
)

// A world is some nodes that share a store, and what they announce.
type world struct {
	t      *testing.T
	ctx    context.Context
	memory *presence.Memory
	start  time.Time

	mu     sync.Mutex // protects what follows
	events []announcement
	serial int
}

type announcement struct {
	node string
	presence.Event
}

func newWorld(t *testing.T) *world {
	return &world{t: t, ctx: t.Context(), memory: presence.NewMemory(), start: time.Now()}
}

// A node is a tracker whose way to the store can be broken.
type node struct {
	*presence.Tracker
	world *world
	name  string
	link  *link
}

// node starts a node.
func (w *world) node(name string, change ...func(*presence.Options)) *node {
	w.t.Helper()
	n := &node{world: w, name: name, link: &link{Store: w.memory}}
	o := presence.Options{Node: name, Notify: n.notify}
	for _, f := range change {
		f(&o)
	}
	var err error
	if n.Tracker, err = presence.NewTracker(n.link, o); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		n.Close(ctx)
	})
	synctest.Wait() // it has its lease
	return n
}

func (n *node) notify(_ context.Context, events []presence.Event) (int, error) {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	for _, e := range events {
		n.world.events = append(n.world.events, announcement{n.name, e})
	}
	return len(events), nil
}

// connect returns a connection of a user.
func (n *node) connect(user string, change ...func(*presence.Peer)) *presence.Conn {
	n.world.t.Helper()
	n.world.mu.Lock()
	n.world.serial++
	p := presence.Peer{User: user, Name: strings.ToUpper(user), Connection: fmt.Sprintf("c%04d", n.world.serial)}
	n.world.mu.Unlock()
	for _, f := range change {
		f(&p)
	}
	c, err := n.Connect(p)
	if err != nil {
		n.world.t.Fatal(err)
	}
	return c
}

// joins returns a connection of a user that has joined rooms.
func (n *node) joins(user string, rooms ...string) *presence.Conn {
	n.world.t.Helper()
	c := n.connect(user)
	for _, r := range rooms {
		n.world.must(c.Join(n.world.ctx, r))
	}
	return c
}

// kill ends a node as a power cut does: nothing gets out any more.
func (n *node) kill() {
	n.link.set(dead)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	n.Close(ctx)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// after lets time pass.
func (w *world) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// take returns what was announced since, in order, in short.
func (w *world) take() []string {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, e := range w.events {
		list = append(list, short(e.Event))
	}
	w.events = nil
	return list
}

// announced is how much was announced since.
func (w *world) announced() int {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.events)
}

func short(e presence.Event) string {
	s := fmt.Sprintf("%s: %s ", e.Room, e.User)
	switch e.Kind {
	case presence.Joined:
		return s + "joined"
	case presence.Left:
		return s + string(e.Reason)
	case presence.Updated:
		return strings.TrimSpace(s + string(e.Status) + " " + string(e.Meta))
	default:
		return s + string(e.Kind)
	}
}

// announces checks what was announced since.
func (w *world) announces(want ...string) {
	w.t.Helper()
	if got := w.take(); !slices.Equal(got, want) {
		w.t.Fatalf("after %v announced %q, want %q", time.Since(w.start), got, want)
	}
}

// announcesInAnyOrder is for what several rooms or nodes announce.
func (w *world) announcesInAnyOrder(want ...string) {
	w.t.Helper()
	got := w.take()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.t.Fatalf("after %v announced %q, want %q", time.Since(w.start), got, want)
	}
}

// lists checks who is in a room, as "user status connections".
func (n *node) lists(room string, want ...string) {
	n.world.t.Helper()
	var got []string
	for _, m := range n.members(room, "") {
		got = append(got, fmt.Sprintf("%s %s %d", m.User, m.Status, m.Connections))
	}
	if !slices.Equal(got, want) {
		n.world.t.Fatalf("%s lists %q in %s, want %q", n.name, got, room, want)
	}
}

// members returns all members of a room.
func (n *node) members(room, viewer string) []presence.Member {
	n.world.t.Helper()
	var all []presence.Member
	q := presence.Query{Limit: 1000, Viewer: viewer}
	for {
		p, err := n.List(n.world.ctx, room, q)
		n.world.must(err)
		all = append(all, p.Members...)
		if p.Next == "" {
			return all
		}
		q.After = p.Next
	}
}

// inWorld runs a test in a bubble.
func inWorld(t *testing.T, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(newWorld(t)) })
}
