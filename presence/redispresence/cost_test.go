package redispresence_test

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/presence/redispresence"
)

// A counter counts what Redis is asked.
type counter struct{ server *redistest.Server }

var callsOf = regexp.MustCompile(`cmdstat_([a-z|]+):calls=(\d+)`)

// calls returns how often each command was called, in scripts too.
func (c counter) calls() map[string]int {
	m := make(map[string]int)
	for _, match := range callsOf.FindAllStringSubmatch(c.server.Do("INFO", "commandstats"), -1) {
		m[match[1]], _ = strconv.Atoi(match[2])
	}
	return m
}

// cost returns how many commands clients send during f, and how many more the
// scripts among them run.
func (c counter) cost(f func()) (sent, inside int) {
	before := c.calls()
	f()
	for name, n := range c.calls() {
		n -= before[name]
		switch name {
		case "evalsha", "eval", "hmget":
			sent += n
		case "info", "hello", "client|setinfo", "client|tracking", "ping", "quit", "command":
		default:
			inside += n
		}
	}
	return sent, inside
}

// TestCost holds the table in docs/DESIGN.md, "Redis", against Redis.
func TestCost(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	store := redispresence.New(server.Client(), redispresence.WithTimeout(5*time.Second))
	count := counter{server}
	op, last := uint64(0), map[presence.Scope]uint64{}
	do := func(scope presence.Scope, changes ...presence.Change) {
		t.Helper()
		op++
		if _, err := store.Update(t.Context(), presence.Batch{Scope: scope, Node: "n", Op: op, Prev: last[scope], Bare: last[scope] == 0, At: time.Now(), Changes: changes}); err != nil {
			t.Fatal(err)
		}
		last[scope] = op
	}
	put := func(user string) presence.Change {
		return presence.Change{Action: presence.Put, Entry: presence.Entry{User: user, Connection: "c" + user, Status: presence.Online, Since: time.Now()}}
	}
	remove := func(user string) presence.Change {
		return presence.Change{Action: presence.Remove, Entry: presence.Entry{User: user, Connection: "c" + user}}
	}
	beat := func() {
		if _, err := store.Beat(t.Context(), "n", time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	room := presence.Scope{Room: "r"}
	// Scripts are known from here on.
	beat()
	do(room, put("first"))
	do(room, remove("first"))
	last[room] = 0
	beat()
	get := func() {
		if _, err := store.Get(t.Context(), room, "ada"); err != nil {
			t.Fatal(err)
		}
	}
	get()

	for _, users := range []int{0, 1000} {
		t.Run(fmt.Sprint(users, " users"), func(t *testing.T) {
			for i := range users {
				do(room, put(fmt.Sprintf("u%04d", i)))
			}
			for _, tt := range []struct {
				name     string
				sent     int
				inside   int // at most
				f        func()
				fewUsers bool // only where the node has nobody in the room
			}{
				{"first join of the node", 2, 21, func() { do(room, put("ada")) }, true},
				{"join", 1, 15, func() { do(room, put("bob")) }, false},
				{"change of status", 1, 13, func() { do(room, put("bob")) }, false},
				{"leave", 1, 14, func() { do(room, remove("bob")) }, false},
				{"last leave of the node", 1, 15, func() { do(room, remove("ada")); last[room] = 0 }, true},
				{"sweep of a room that was left", 1, 12, func() { do(room); last[room] = 0 }, true},
				{"beat that releases a claim", 2, 10, beat, true},
				{"beat", 1, 7, beat, false},
				{"sweep of a room", 2, 15, func() { do(room) }, false},
				{"get", 1, 2, get, false},
			} {
				if tt.fewUsers && users > 0 || tt.name == "sweep of a room" && users == 0 {
					continue
				}
				sent, inside := count.cost(tt.f)
				t.Logf("%s with %d users: %d sent, %d inside", tt.name, users, sent, inside)
				if sent != tt.sent || inside > tt.inside {
					t.Errorf("%s with %d users: %d commands sent and %d inside scripts, want %d and at most %d", tt.name, users, sent, inside, tt.sent, tt.inside)
				}
			}
		})
	}
	anew := func() {
		op++
		b := presence.Batch{Scope: room, Node: "next", Op: op, Bare: true, At: time.Now(), Changes: []presence.Change{
			put("u0000"), {Action: presence.RemoveNode, Entry: presence.Entry{Node: "n"}, Limit: 2000},
		}}
		if _, err := store.Update(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if sent, _ := count.cost(anew); sent != 3 {
		t.Errorf("a room that is written anew, and cleared: %d commands sent, want 3", sent)
	}
	if got := placesIn(t, server.Client()); len(got) != 1 || got[0] != "4:nextrr" {
		t.Errorf("then these are claimed: %q", got)
	}
}
