package roomtest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/room"
)

// nodes is the next node's store, as one that knows nodes. Where it does not,
// the case is skipped.
func (s *storeScript) nodes() room.NodeStore {
	s.t.Helper()
	n, ok := s.store().(room.NodeStore)
	if !ok {
		s.t.Skip("the store is no room.NodeStore")
	}
	return n
}

// on is a seat of a node.
func on(node, name, user, connection string) room.Seat {
	s := seat(name, user, connection)
	s.Node = node
	return s
}

const long = time.Hour // a lease that does not lapse meanwhile

func (s *storeScript) beat(node string, ttl time.Duration) room.NodeLease {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	lease, err := s.nodes().Beat(ctx, node, ttl)
	if err != nil {
		s.t.Fatalf("Beat(%q, %v): %v", node, ttl, err)
	}
	return lease
}

// doomed fails unless the node is told that it has lapsed.
func (s *storeScript) doomed(node string) {
	s.t.Helper()
	for range 2 {
		ctx, cancel := callContext(s.t)
		lease, err := s.nodes().Beat(ctx, node, long)
		cancel()
		s.wantErr(fmt.Sprintf("Beat(%q) = %+v", node, lease), err, room.ErrLapsed)
	}
}

// dead is doomed for a node of which all is reaped.
func (s *storeScript) dead(node string) {
	s.t.Helper()
	s.doomed(node)
	for range 2 {
		_ = s.refuse(on(node, "grave", "ada", "1"), 0, plenty, room.ErrLapsed)
	}
	s.inside("grave")
}

// reap makes one step, and fails when it removes more than limit.
func (s *storeScript) reap(node string, limit int) room.Reaped {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	done, err := s.nodes().Reap(ctx, node, limit)
	if err != nil {
		s.t.Fatalf("Reap(%q, limit %d): %v", node, limit, err)
	}
	if done.Seats > limit || done.Users > done.Seats {
		s.t.Fatalf("Reap(%q, limit %d) = %+v", node, limit, done)
	}
	return done
}

// reapAll makes steps until there is nothing more to do, and fails unless that
// many seats and users were removed and nobody is left to be reaped.
func (s *storeScript) reapAll(node string, limit, seats, users int) {
	s.t.Helper()
	var sum room.Reaped
	for steps := 0; ; steps++ {
		done := s.reap(node, limit)
		sum.Seats += done.Seats
		sum.Users += done.Users
		if !done.More {
			break
		}
		if steps > 10_000 {
			s.t.Fatal("Reap does not come to an end")
		}
	}
	if sum.Seats != seats || sum.Users != users {
		s.t.Fatalf("reaped were %d seats of %d users, want %d of %d", sum.Seats, sum.Users, seats, users)
	}
	if s.beat(node, long).Lapsed {
		s.t.Fatal("when all is reaped there are still lapsed nodes")
	}
}

func storeBeat(s *storeScript) {
	ttl := 4 * s.some()
	if lease := s.beat("one", ttl); !lease.Fresh || lease.Lapsed || lease.Next != 0 {
		s.t.Fatalf("the first beat of the first node: %+v", lease)
	}
	if lease := s.beat("one", ttl); lease.Fresh || lease.Lapsed || lease.Next != 0 {
		s.t.Fatalf("the second beat: %+v", lease)
	}
	if lease := s.beat("two", long); !lease.Fresh || lease.Lapsed || lease.Next <= 0 || lease.Next > ttl {
		s.t.Fatalf("a second node: %+v", lease)
	}
	s.beat("three", 2*long)
	if lease := s.beat("three", 2*long); lease.Next <= 0 || lease.Next > ttl {
		s.t.Fatalf("of two other leases the next is not the one that lapses first: %+v", lease)
	}
	s.beat("one", 2*long) // for longer
	if lease := s.beat("three", 2*long); lease.Next <= ttl || lease.Next > long {
		s.t.Fatalf("a lease that was renewed lapses after %v", lease.Next)
	}
	s.admit(on("one", "room", "ada", "1"), 0, plenty, true)
	s.beat("one", ttl) // for shorter
	s.pass(ttl)
	if lease := s.beat("two", long); !lease.Lapsed || lease.Fresh {
		s.t.Fatalf("when a node has lapsed: %+v", lease)
	}
	s.inside("room", "ada")

	// Nobody has begun to reap it, so it is back.
	if lease := s.beat("one", long); lease.Fresh || lease.Lapsed {
		s.t.Fatalf("a node that is back: %+v", lease)
	}
	if lease := s.beat("two", long); lease.Lapsed {
		s.t.Fatalf("when the lapsed node is back: %+v", lease)
	}
	s.reapAll("two", 10, 0, 0)
	s.inside("room", "ada")
	s.beat("one", 0) // ends at once
	if lease := s.beat("two", long); !lease.Lapsed {
		s.t.Fatalf("when a lease was ended: %+v", lease)
	}
}

func storeReap(s *storeScript) {
	rec := s.create(room.Record{Room: "made"})
	s.beat("live", long)
	s.beat("gone", long)
	want := 0
	for i := range 5 {
		for j := range 6 {
			s.admit(on("gone", fmt.Sprint("room", i), fmt.Sprint("user", j), "1"), 0, plenty, true)
			want++
		}
	}
	s.admit(on("gone", "room0", "user0", "2"), 0, plenty, false) // two seats of one user
	s.admit(on("live", "room0", "user1", "2"), 0, plenty, false) // one here, one there
	s.admit(on("live", "room1", "zoe", "1"), 0, plenty, true)
	s.admit(on("never", "room1", "xen", "1"), 0, plenty, true) // of a node that never beat
	s.admit(on("gone", "made", "ada", "1"), rec.Version, 1, true)
	_ = s.refuse(on("live", "made", "bob", "1"), rec.Version, 1, room.ErrRoomFull)
	s.dismiss(on("gone", "room4", "user5", "1"), true)

	if done := s.reap("live", 100); done.Seats != 0 {
		s.t.Fatalf("of live nodes were reaped: %+v", done)
	}
	s.beat("gone", 0)
	s.reapAll("live", 4, want+1, want-1)
	s.inside("room0", "user1")
	s.member("room0", "user1", 1)
	s.inside("room1", "xen", "zoe")
	s.inside("room2")
	s.inside("room4")
	if _, empty := s.empty(now().Add(long), everyone)["made"]; !empty {
		s.t.Fatal("a room whose last seat was reaped is not empty")
	}
	s.admit(on("live", "made", "bob", "1"), rec.Version, 1, true)
	s.dead("gone")
	s.dismiss(on("live", "room0", "user1", "2"), true)
	s.dismiss(on("gone", "room2", "user0", "1"), false)
	s.reapAll("live", 100, 0, 0)

	// A room that was deleted with its seats leaves nothing to reap.
	s.beat("late", long)
	s.admit(on("late", "none", "ada", "1"), 0, plenty, true)
	s.admit(on("late", "none", "bob", "1"), 0, plenty, true)
	s.removeNone("none")
	s.admit(on("live", "none", "ada", "1"), 0, plenty, true)
	s.beat("late", 0)
	s.reapAll("live", 100, 0, 0)
	s.inside("none", "ada")
}

func storeReapWho(s *storeScript) {
	s.beat("gone", 0)
	for _, node := range []string{"stranger", "gone"} {
		ctx, cancel := callContext(s.t)
		done, err := s.nodes().Reap(ctx, node, 10)
		cancel()
		s.wantErr(fmt.Sprintf("Reap(%q) = %+v", node, done), err, room.ErrLapsed)
	}
	s.beat("gone", long) // it has not begun
	s.beat("live", long)
	s.beat("gone", 0)
	s.reapAll("live", 10, 0, 0)
	s.dead("gone")
}

func storeMove(s *storeScript) {
	s.beat("old", long)
	s.beat("new", long)
	first, again := on("old", "room", "ada", "1"), on("new", "room", "ada", "1")
	s.admit(first, 0, plenty, true)
	s.admit(on("old", "room", "bob", "1"), 0, plenty, true)

	// The checks are the same, and who fails them stays where they are.
	_ = s.refuse(again, 7, plenty, room.ErrConflict)
	s.sanction("room", "bob", room.Ban, forever)
	_ = s.refuse(on("new", "room", "bob", "1"), 0, plenty, room.ErrBanned)
	s.admit(again, 0, 1, false) // who is in fits
	s.member("room", "ada", 1)

	s.beat("old", 0)
	s.reapAll("new", 10, 1, 1)
	s.inside("room", "ada")
	s.member("room", "ada", 1)
	s.dismiss(again, true)
	s.inside("room")

	// And back, by way of the other's name.
	s.beat("third", long)
	s.admit(on("third", "room", "cyd", "1"), 0, plenty, true)
	s.admit(on("new", "room", "cyd", "1"), 0, plenty, false)
	s.admit(on("third", "room", "cyd", "1"), 0, plenty, false)
	s.beat("third", 0)
	s.reapAll("new", 10, 1, 1)
	s.inside("room")
}

func storeHeir(s *storeScript) {
	const seats = 40
	s.beat("gone", long)
	for i := range seats {
		s.admit(on("gone", fmt.Sprint("room", i), "ada", "1"), 0, plenty, true)
	}
	s.admit(on("first", "own", "bob", "1"), 0, plenty, true)
	s.beat("second", long)
	s.beat("first", long)
	s.beat("gone", 0)
	reaped := 0
	for reaped == 0 {
		reaped = s.reap("first", 1).Seats
	}
	for range 3 {
		if done := s.reap("second", 10); done.Seats > 0 {
			s.t.Fatalf("two nodes at a time reap a third: %+v", done)
		}
	}
	s.doomed("gone") // though it is not reaped yet
	s.beat("first", 0)
	s.reapAll("second", 10, seats-reaped+1, seats-reaped+1)
	s.dead("first")
	s.dead("gone")
}

func storeReapRace(s *storeScript) {
	const rooms, users, survivors = 6, 10, 8
	s.beat("gone", long)
	for i := range rooms {
		for j := range users {
			s.admit(on("gone", fmt.Sprint("room", i), fmt.Sprint("user", j), "1"), 0, plenty, true)
			s.admit(on("gone", fmt.Sprint("room", i), fmt.Sprint("user", j), "2"), 0, plenty, false)
		}
	}
	for i := range survivors {
		s.beat(fmt.Sprint("live", i), long)
	}
	s.beat("gone", 0)
	var seats, gone atomic.Int64
	storm(survivors, func(i int) {
		for tries := 0; tries < 1000; tries++ {
			ctx, cancel := callContext(s.t)
			done, err := s.store().(room.NodeStore).Reap(ctx, fmt.Sprint("live", i), 7)
			cancel()
			if !must(s.t, "Reap", err) {
				return
			}
			seats.Add(int64(done.Seats))
			gone.Add(int64(done.Users))
			if !done.More {
				return
			}
			s.yield()
		}
	})
	if seats.Load() != 2*rooms*users || gone.Load() != rooms*users {
		s.t.Fatalf("%d seats of %d users were reaped, want %d of %d", seats.Load(), gone.Load(), 2*rooms*users, rooms*users)
	}
	s.reapAll("live0", 10, 0, 0)
	for i := range rooms {
		s.inside(fmt.Sprint("room", i))
	}
}

// storeLateRace has a node that is taken for dead go on admitting.
func storeLateRace(s *storeScript) {
	s.beat("live", long)
	for round := range overtakings {
		node := fmt.Sprint("gone", round)
		s.beat(node, long)
		var shut, out, in atomic.Int64
		storm(9, func(i int) {
			if i == 8 {
				for in.Load() < 8 {
					s.yield()
				}
				ctx, cancel := callContext(s.t)
				defer cancel()
				nodes := s.store().(room.NodeStore)
				_, err := nodes.Beat(ctx, node, 0)
				for done := (room.Reaped{More: true}); err == nil && done.More; {
					done, err = nodes.Reap(ctx, "live", 16)
					out.Add(int64(done.Seats))
				}
				must(s.t, "Beat and Reap", err)
				shut.Store(1)
				return
			}
			for n, late := 0, 0; late < 3; n++ {
				late += int(shut.Load())
				if n%8 == 7 {
					s.yield()
				}
				ctx, cancel := callContext(s.t)
				_, err := s.store().Admit(ctx, on(node, fmt.Sprint("room", i), fmt.Sprint("user", n), "1"), 0, plenty)
				cancel()
				if err == nil {
					in.Add(1)
				} else if !errors.Is(err, room.ErrLapsed) {
					s.t.Errorf("Admit: %v", err)
					in.Add(8)
					return
				}
			}
		})
		for i := range 8 {
			s.inside(fmt.Sprint("room", i))
		}
		if in.Load() != out.Load() {
			s.t.Fatalf("%d were admitted and %d reaped", in.Load(), out.Load())
		}
	}
}
