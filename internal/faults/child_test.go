package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redistest"
)

// childEnv makes a process of this test a node, and says which.
const childEnv = "WARDROOM_FAULTS_NODE"

type childNode struct{ Name, Redis string }

// child is the main function of a node in a process of its own. It ends when
// its standard input does.
func child(text string) int {
	var c childNode
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	log := slog.New(slog.DiscardHandler)
	with, err := redisStores(alone(c.Redis), 0, log)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	n, err := open(c.Name, "127.0.0.1:0", with, log)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(n.addr)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	n.stop()
	return 0
}

// spawn starts a node in a process of its own. kill ends it with SIGKILL.
func spawn(t *testing.T, c childNode) (n *node, kill func()) {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.Background(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = t.Output()
	in, err := cmd.StdinPipe() // it ends with this process
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = in.Close()
	})
	t.Cleanup(kill)
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the node does not start: %v", err)
	}
	return &node{name: c.Name, addr: strings.TrimSpace(addr)}, kill
}

// TestNodeKilled ends a node with SIGKILL. Its users are gone for the others
// within the timeout, once, and those who come back are there once.
func TestNodeKilled(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	s, end := brew(t, "Node killed", 2, 0, func(int) rueidis.ClientOption { return alone(redis.Addr()) })
	third, kill := spawn(t, childNode{Name: "node2", Redis: redis.Addr()})
	s.o.begin("node killed")
	// The guests of a second crowd are on the third node alone, until it dies.
	doomed := plan{prefix: "v", guests: 24, halls: small.halls, lives: small.lives, every: time.Second}
	c := gather(s.o, append(append([]*node(nil), s.nodes...), third), doomed, *seed)
	leave := sync.OnceFunc(c.leave)
	defer leave()
	for i := range s.nodes {
		c.closed[i].Store(true)
	}
	both := &crowd{o: s.o, nodes: s.nodes, guests: append(append([]*guest(nil), s.crowd.guests...), c.guests...), closed: s.crowd.closed, named: maps.Clone(s.crowd.named)}
	maps.Copy(both.named, c.named)
	err := both.arrive()
	if err != nil {
		t.Fatal(err)
	}
	// A user has all connections that one may have, on the third node.
	full := make([]*link, perUser)
	for i := range full {
		if full[i], err = connect(third.addr); err != nil {
			t.Fatal(err)
		}
	}
	if l, err := connect(s.nodes[0].addr); err == nil {
		s.o.violate(miscounted, "%s has a connection more than one may have", keenID)
		l.bye(true)
	}
	tally, hangUp := witness(t, s.nodes[0].addr, small.halls)
	defer hangUp()

	gone := make(map[string]bool) // those who do not come back
	for i, g := range c.guests {
		if i%3 == 0 {
			gone[g.user] = true
			g.hold("", true)
		}
	}
	third.dead.Store(true)
	died := time.Now()
	kill()
	for i := range s.nodes {
		c.closed[i].Store(false)
	}
	c.closed[len(s.nodes)].Store(true)
	// The lease lapses at the timeout; the others notice at their next beat.
	both.settle(died, timeout+healTime)
	both.arrived(s.nodes[0], healTime)
	both.histories(s.nodes[0])
	s.o.within(time.Now(), healTime, func() bool {
		told := 0
		for user := range gone {
			told += min(tally(user), 1)
		}
		return told == len(gone)
	})
	if !s.o.within(died, timeout+healTime, func() bool {
		l, err := connect(s.nodes[0].addr)
		if err == nil {
			l.bye(true)
		}
		return err == nil
	}) {
		s.o.violate(miscounted, "connections of a node that died are counted %v later", time.Since(died))
	}
	s.o.took("connections of a dead node not counted any more after", time.Since(died))
	for _, l := range full {
		l.bye(false)
	}
	for user := range gone {
		if n := tally(user); n != 1 {
			s.o.violate(unequal, "user_left of %s was told %d times", user, n)
		}
	}
	leave()
	end()
}

// keenID is a user of no crowd who has many connections.
const keenID = "keen"

func connect(addr string) (*link, error) {
	l, err := dial(context.Background(), addr, newToken(keenID), func(*frame) {})
	if err == nil {
		l.start()
	}
	return l, err
}

// witnessID is a user whom no crowd expects anywhere.
const witnessID = "witness"

// witness counts the user_left of each user in the halls.
func witness(t *testing.T, addr string, halls int) (tally func(user string) int, hangUp func()) {
	t.Helper()
	var mu sync.Mutex
	left := make(map[string]int)
	l, err := dial(context.Background(), addr, newToken(witnessID), func(f *frame) {
		if f != nil && f.Type == "user_left" {
			mu.Lock()
			defer mu.Unlock()
			left[f.User]++
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	l.start()
	for i := range halls {
		if err := l.ask(request{Type: "join", Room: fmt.Sprintf("hall:%d", i)}, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	return func(user string) int {
		mu.Lock()
		defer mu.Unlock()
		return left[user]
	}, func() { l.bye(true) }
}
