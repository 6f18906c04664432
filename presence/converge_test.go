package presence_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/wardroom/wardroom/presence"
)

// TestFaultsConverge runs nodes whose ways to the store fail at random, before
// and after the fact. Each user must be seen to join and leave in turns, and in
// the end everybody sees who is there.
func TestFaultsConverge(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	for round := range 6 {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				t.Logf("seed %d", seed)
				rng := rand.New(rand.NewPCG(seed, uint64(round)))
				faults := rand.New(rand.NewPCG(seed, uint64(round)+1000))
				var nodes []*node
				for i := range 3 {
					n := w.node(fmt.Sprint("n", i), func(o *presence.Options) { o.LargeRoom = 10 * round })
					n.link.mu.Lock()
					n.link.fault = func(string) linkState {
						w.mu.Lock()
						defer w.mu.Unlock()
						return []linkState{up, up, away, deaf}[faults.IntN(4)]
					}
					n.link.mu.Unlock()
					nodes = append(nodes, n)
				}
				type tab struct {
					*presence.Conn
					user string
					in   map[string]bool
					see  bool
				}
				var tabs []*tab
				gone, cancel := context.WithCancel(w.ctx)
				cancel() // nobody waits
				for range 800 {
					w.after(time.Duration(rng.IntN(1000)) * time.Millisecond)
					room := fmt.Sprint("r", rng.IntN(3))
					if len(tabs) == 0 || rng.IntN(4) == 0 {
						u := fmt.Sprint("u", rng.IntN(20))
						tabs = append(tabs, &tab{nodes[rng.IntN(3)].connect(u, func(p *presence.Peer) { p.Status = presence.Online }), u, map[string]bool{}, true})
					}
					i := rng.IntN(len(tabs))
					c := tabs[i]
					switch rng.IntN(8) {
					case 0, 1, 2, 3:
						c.Join(gone, room)
						c.in[room] = true
					case 4:
						c.Leave(gone, room, presence.ReasonLeft)
						delete(c.in, room)
					case 5:
						c.see = rng.IntN(3) > 0
						c.Set(gone, map[bool]presence.Status{true: presence.Away, false: presence.Offline}[c.see], nil)
					default:
						c.Conn.Close(gone, []presence.Reason{presence.ReasonLeft, presence.ReasonDisconnected}[rng.IntN(2)])
						tabs = slices.Delete(tabs, i, i+1)
					}
				}
				for _, n := range nodes {
					n.link.mu.Lock()
					n.link.fault = nil
					n.link.mu.Unlock()
				}
				w.after(30 * time.Second)
				want := map[string]bool{}
				for _, c := range tabs {
					for room := range c.in {
						if c.see {
							want[room+": "+c.user] = true
						}
					}
				}
				for _, n := range nodes {
					got := map[string]bool{}
					for r := range 3 {
						room := fmt.Sprint("r", r)
						for _, m := range n.members(room, "") {
							got[room+": "+m.User] = true
						}
					}
					if fmt.Sprint(got) != fmt.Sprint(want) {
						t.Errorf("%s lists\n     %v\nwant %v", n.name, got, want)
					}
				}
				w.mu.Lock()
				events := slices.Clone(w.events)
				w.mu.Unlock()
				checkTurns(t, events, want)
			})
		})
	}
}

// checkTurns follows the announcements of each user in the order of their
// revisions: what is announced must be a change, and the end must be what is.
func checkTurns(t *testing.T, events []announcement, want map[string]bool) {
	t.Helper()
	slices.SortStableFunc(events, func(a, b announcement) int { return int(int64(a.Revision) - int64(b.Revision)) })
	seen := map[string]bool{}
	for _, e := range events {
		key := e.Room + ": " + e.User
		switch {
		case e.Kind == presence.Joined && seen[key]:
			t.Errorf("%s joined, and was there", key)
		case (e.Kind == presence.Left || e.Kind == presence.Updated) && !seen[key]:
			t.Errorf("%s: %s %s %s, and was not there", key, e.Kind, e.Status, e.Reason)
		}
		if e.Kind == presence.Joined {
			seen[key] = true
		} else if e.Status == presence.Offline {
			delete(seen, key)
		}
	}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("announced\n     %v\nwant %v", seen, want)
	}
}
