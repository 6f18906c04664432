package room_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/room"
)

// Places that a failover has given back to who has left, or that an Admit took
// after it had been given up, are nobody's for no longer than until the patrol
// comes by; and when the store was away, for no longer than 5 seconds after.
func TestSurplusSeats(t *testing.T) {
	for name, away := range map[string]bool{"unnoticed": false, "when the store is back": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, 2)
				node := f.tethers[0]
				cyd := f.hosts[1].in("cyd", "hall")
				ada, bob := f.hosts[0].in("ada", "hall", "tiny"), f.hosts[0].in("bob", "hall", "tiny")
				tab, dan := f.hosts[0].in("bob", "hall"), f.hosts[0].connect("dan")
				node.forgets.Store(true)
				ada.bye()
				bob.must("leave", inRoom("hall"))
				bob.must("leave", inRoom("tiny"))
				node.forgets.Store(false)
				node.tardy.Store(true)
				dan.refused("unavailable", "join", inRoom("hall"))
				node.tardy.Store(false)
				f.inside(t, "hall", "ada", "bob", "cyd", "dan")
				f.inside(t, "tiny", "ada", "bob")
				wait := 20*time.Second + 200*time.Millisecond
				if away {
					node.cut.Store(true)
					meanwhile(3*time.Second, bob, cyd, dan, tab)
					f.inside(t, "tiny", "ada", "bob")
					node.cut.Store(false)
					wait = 5 * time.Second
				}
				meanwhile(wait, bob, cyd, dan, tab)
				f.inside(t, "hall", "bob", "cyd")
				list, _, _ := f.store.Members(t.Context(), "hall", "", 10)
				if list[0].Connections != 1 {
					t.Errorf("%+v, want the tab alone", list)
				}
				f.inside(t, "tiny")
				// The others were told when they left, and once.
				var left []string
				for _, e := range cyd.unread {
					if e.Type == "user_left" {
						left = append(left, e.User)
					}
				}
				if !slices.Equal(left, []string{"ada"}) {
					t.Errorf("%v have left", left)
				}
				for _, v := range []*visitor{bob, dan} {
					v.must("join", inRoom("hall"))
					v.must("join", inRoom("tiny"))
				}
				f.inside(t, "hall", "bob", "cyd", "dan")
				f.inside(t, "tiny", "bob", "dan")
			})
		})
	}
}

// Who comes and goes while the server looks for seats that nobody holds loses
// none, and leaves none.
func TestReclaimWhileClientsComeAndGo(t *testing.T) {
	const clients, rounds, visits, lag = 12, 40, 6, 2 * time.Millisecond
	store := room.NewMemoryStore().(room.NodeStore)
	h := serve(t, house(), room.WithStore(&tether{store: store, lag: lag}))
	ctx, stop := context.WithCancel(t.Context())
	var looking sync.WaitGroup
	defer looking.Wait()
	defer stop()
	for range 4 {
		looking.Go(func() {
			for ctx.Err() == nil {
				room.Reclaim(h.srv)
				time.Sleep(50 * time.Microsecond)
			}
		})
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
					if f := v.request("join", inRoom("hall")); f.Error != nil {
						t.Errorf("join: %s", f)
					}
					if in[i] = rand.IntN(2) == 0; !in[i] {
						v.request("leave", inRoom("hall"))
					}
				}
				v.unread = nil
			})
		}
		visiting.Wait()
		list, _, err := store.Members(t.Context(), "hall", "", 1000)
		if err != nil {
			t.Fatal(err)
		}
		var got, want []string
		for _, m := range list {
			got = append(got, m.User)
		}
		for i := range all {
			if in[i] {
				want = append(want, fmt.Sprintf("user%02d", i))
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("round %d: in the store are %v, want %v", round, got, want)
		}
	}
}
