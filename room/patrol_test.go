package room_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/room"
)

// lostWithin is how long a loss of access may take on a node that hears of
// nothing.
const lostWithin = 30 * time.Second

// A node that hears nothing of what is done to those who are there finds out by
// itself, in less than 30 seconds; nothing is delivered to them from then on.
func TestUnheardActs(t *testing.T) {
	want := map[string][]string{
		"kick": {"removed kicked"}, "ban": {"removed banned"}, "delete": {"removed kicked"},
		"update": {"removed access_revoked"}, "mute": nil, "revoke": {"close 4004"},
	}
	for name, told := range want {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, wires := wired(t, 2)
				bob := n[1].in("bob", "hall")
				bob.pass(7 * time.Second)
				wires[1].cut.Store(true)
				if err := acts(n[0])[name](t.Context()); err == nil {
					t.Error("a node that does not hear of it is no error")
				}
				bob.expectUnheard(told, lostWithin)
				if name == "mute" {
					bob.refused("muted", "message", inRoom("hall"), saying("1"))
				}
				if _, err := n[1].srv.Room("hall").Publish(t.Context(), "late", 1); err != nil {
					t.Fatal(err)
				}
				if name != "mute" && name != "revoke" {
					bob.silent()
					bob.refused("not_member", "message", inRoom("hall"), saying("1"))
				}
			})
		})
	}
}

// expectUnheard lets the time go by and compares what came meanwhile. Who is
// removed by a change may be told of that or not.
func (v *visitor) expectUnheard(want []string, within time.Duration) {
	v.t.Helper()
	end := time.Now().Add(within)
	var got []string
	for time.Now().Before(end) {
		_ = v.conn.SetReadDeadline(end)
		f, err := v.read()
		if err != nil {
			break
		}
		switch f.Type {
		case "removed", "room_updated", "room_deleted":
			got = append(got, f.Type+" "+f.Code)
		case "close":
			got = append(got, "close "+strconv.Itoa(f.status))
			end = time.Time{}
		case "user_joined", "user_left":
		default:
			v.t.Errorf("got %s", f)
		}
	}
	_ = v.conn.SetReadDeadline(time.Time{})
	if len(want) > 0 && len(got) > 0 && want[0] != got[0] {
		got = slices.DeleteFunc(got, func(s string) bool { return s == "room_updated " })
	}
	if !slices.Equal(got, want) {
		v.t.Errorf("got %q, want %q", got, want)
	}
}

// A room that somebody made and that is deleted unheard is gone, and a change
// that leaves everyone in is told.
func TestUnheardRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, wires := wired(t, 2)
		ada := n[0].connect("ada")
		ada.must("create", inRoom("club:x"), `"permission":"public"`)
		bob := n[1].in("bob", "club:x")
		update := func(most int) error {
			_, err := n[0].srv.Room("club:x").Update(t.Context(), func(r *room.Record) { r.MaxMembers = most })
			return err
		}
		if err := update(7); err != nil {
			t.Fatal(err)
		}
		bob.expect("room_updated")
		wires[1].cut.Store(true)
		_ = update(8)
		bob.expectUnheard([]string{"room_updated "}, lostWithin)
		_ = n[0].srv.Room("club:x").Delete(t.Context())
		bob.expectUnheard([]string{"removed kicked"}, lostWithin)
		bob.refused("forbidden", "join", inRoom("club:x"))
	})
}

// Who came back after a kick that their node has not heard of is in.
func TestUnheardKickIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, wires := wired(t, 2)
		bob := n[1].in("bob", "hall")
		tab := n[1].in("bob", "hall")
		wires[1].cut.Store(true)
		_ = n[0].srv.Room("hall").Kick(t.Context(), "bob", "")
		bob.must("join", inRoom("hall"))
		tab.expectUnheard([]string{"removed kicked"}, lostWithin)
		bob.expectUnheard(nil, lostWithin)
		bob.must("message", inRoom("hall"), saying("1"))
	})
}

// A mute that ends unheard has ended.
func TestUnheardUnmute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, wires := wired(t, 2)
		bob := n[1].in("bob", "hall")
		hall := n[0].srv.Room("hall")
		if err := hall.Mute(t.Context(), "bob", time.Time{}, ""); err != nil {
			t.Fatal(err)
		}
		bob.refused("muted", "message", inRoom("hall"), saying("1"))
		wires[1].cut.Store(true)
		_ = hall.Unmute(t.Context(), "bob")
		bob.expectUnheard(nil, lostWithin)
		bob.must("message", inRoom("hall"), saying("1"))
	})
}

// looking is a store that counts what it is asked, and can fail.
type looking struct {
	room.Inspector

	mu    sync.Mutex // protects what follows
	asked [][]room.Inspection
	fails int
}

func (s *looking) Inspect(ctx context.Context, asks []room.Inspection) ([]room.Finding, error) {
	s.mu.Lock()
	s.asked = append(s.asked, asks)
	fails := s.fails > 0
	if fails {
		s.fails--
	}
	s.mu.Unlock()
	if fails {
		return nil, room.ErrUnavailable
	}
	return s.Inspector.Inspect(ctx, asks)
}

// take returns what was asked so far, and fails the next calls.
func (s *looking) take(fails int) [][]room.Inspection {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked, s.fails = nil, fails
	return asked
}

// What a round costs is a call for every 500 seats, and one that fails is made
// again soon.
func TestPatrolCost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &looking{Inspector: room.NewMemoryStore().(room.Inspector)}
		h := servePipes(t, house(), room.WithStore(store), limits(func(l *room.Limits) { l.Heartbeat = time.Hour }),
			room.WithRooms("cubicle:*", room.Settings{Permission: room.Public, Standing: true}))
		for i := range 10 {
			v := h.connect("user" + strconv.Itoa(i))
			for j := range 112 {
				v.must("join", inRoom(fmt.Sprintf("cubicle:%d-%d", i, j)))
			}
		}
		store.take(0)
		time.Sleep(21 * time.Second)
		seats, calls := 0, store.take(2)
		for _, call := range calls {
			n := 0
			for _, ask := range call {
				n += len(ask.Seats)
			}
			if n > 500 {
				t.Errorf("%d seats in one call", n)
			}
			seats += n
		}
		if len(calls) != 3 || seats != 1120 {
			t.Errorf("%d calls for %d seats", len(calls), seats)
		}
		time.Sleep(30 * time.Second)
		if n := len(store.take(0)); n < 6 {
			t.Errorf("%d calls after some had failed", n)
		}
	})
}

// A store that cannot tell is asked for its records.
func TestPatrolWithoutInspector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, wires := wired(t, 2, room.WithStore(struct{ room.Store }{room.NewMemoryStore()}))
		bob := n[1].in("bob", "hall")
		wires[1].cut.Store(true)
		_ = setPermission(n[0], "hall", room.Private)
		bob.expectUnheard([]string{"removed access_revoked"}, lostWithin)
	})
}

// A hook of the host that takes its time keeps nobody else in a room.
func TestHooksDelayNoEviction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, wires := wired(t, 2, room.OnLeave(func(ctx context.Context, c *room.Conn, _ string) {
			if c.Identity().ID != "first" {
				<-ctx.Done()
			}
		}))
		var all []*visitor
		for i := range 5 {
			all = append(all, n[1].in(fmt.Sprint("user", i), "lounge"))
		}
		wires[1].cut.Store(true)
		for i := range all {
			_ = n[0].srv.Room("lounge").Ban(t.Context(), fmt.Sprint("user", i), time.Time{}, "")
		}
		meanwhile(lostWithin-5*time.Second, all...) // as long as the calls above took
		for i, v := range all {
			if !slices.ContainsFunc(v.unread, func(f frame) bool { return f.Type == "removed" && f.Code == "banned" }) {
				t.Errorf("user%d is not out", i)
			}
		}
	})
}

// However long it takes to go through the places that a node has, the node looks
// in time whether those who are there still may be.
func TestPlacesDelayNoPatrol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const places, lag = 8, 2 * time.Second
		store := &reluctant{&tether{store: room.NewMemoryStore().(room.NodeStore)}, lag}
		n, wires := wired(t, 2, room.WithStore(store), room.WithRooms("many:*", room.Settings{Permission: room.Public, Standing: true}))
		bob, cyd := n[1].in("bob", "hall"), n[1].in("cyd", "hall")
		for i := range places {
			cyd.must("join", inRoom(fmt.Sprint("many:", i)))
		}
		wires[1].cut.Store(true)
		for i, name := range []string{"bob", "cyd"} {
			began := time.Now()
			_ = n[0].srv.Room("hall").Ban(t.Context(), name, time.Time{}, "")
			var waiting sync.WaitGroup
			others := []*visitor{cyd, bob}[i]
			waiting.Go(func() { others.pass(lostWithin) })
			await([]*visitor{bob, cyd}[i], "removed")
			if took := time.Since(began); took > lostWithin {
				t.Errorf("%s is out after %v", name, took)
			}
			waiting.Wait()
		}
	})
}
