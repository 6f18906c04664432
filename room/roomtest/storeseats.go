package roomtest

import (
	"fmt"
	"slices"

	"github.com/wardroom/wardroom/room"
)

// walk returns the seats of a node in pages of up to limit, and fails when they
// are not as they are to be. visit, which may be nil, is called for each page.
func (s *storeScript) walk(node string, limit int, visit func(page []room.Seat)) (all []room.Seat) {
	s.t.Helper()
	seen := make(map[room.Seat]bool)
	for after, more := (room.Seat{}), true; more; {
		ctx, cancel := callContext(s.t)
		page, rest, err := s.nodes().Seats(ctx, node, after, limit)
		cancel()
		if err != nil || len(page) > limit || len(page) == 0 && (rest || len(all) > 0) {
			s.t.Fatalf("Seats(%q, after %+v, limit %d) = %+v, %t, %v", node, after, limit, page, rest, err)
		}
		for _, seat := range page {
			if seat.Node != node {
				s.t.Fatalf("Seats(%q) has %+v", node, seat)
			}
			seat.Name = "" // which may be left out
			if seen[seat] {
				s.t.Fatalf("Seats(%q, limit %d) has %+v twice", node, limit, seat)
			}
			seen[seat] = true
			all = append(all, seat)
		}
		if more = rest; more {
			after = page[len(page)-1]
		}
		if visit != nil {
			visit(page)
		}
	}
	return all
}

// seated fails unless these are the seats of a node.
func (s *storeScript) seated(node string, limit int, want ...room.Seat) {
	s.t.Helper()
	got := make(map[room.Seat]bool)
	for _, seat := range s.walk(node, limit, nil) {
		got[seat] = true
	}
	for _, seat := range want {
		seat.Name = ""
		if !got[seat] {
			s.t.Fatalf("Seats(%q, limit %d) has not %+v, but %d others", node, limit, seat, len(got))
		}
		delete(got, seat)
	}
	for seat := range got {
		s.t.Fatalf("Seats(%q, limit %d) has %+v, which the node has not", node, limit, seat)
	}
}

func storeSeats(s *storeScript) {
	s.beat("one", long)
	s.beat("two", long)
	s.seated("one", 1)
	s.seated("nobody", 10)
	var want []room.Seat
	first := make(map[[2]string]bool)
	take := func(name, user, connection string) {
		seat := on("one", name, user, connection)
		key := [2]string{name, user}
		s.admit(seat, 0, plenty, !first[key])
		first[key] = true
		want = append(want, seat)
	}
	for i := range 6 {
		for j := range 3 {
			take(fmt.Sprint("room", i), fmt.Sprint("user", j), "1")
		}
	}
	// Names that run into each other, and one user with many connections.
	take("room", "1user", "1")
	take("room1", "user", "1")
	take("a:b", "1:x", "2:y")
	take("a:b", "1", ":x2:y")
	for i := range 9 {
		take("room3", "zoe", fmt.Sprint(9-i))
	}
	for i := range 20 {
		take("full", fmt.Sprint("user", i), fmt.Sprint(20-i))
	}
	s.admit(on("two", "full", "user0", "two"), 0, plenty, false)
	s.admit(on("two", "other", "user0", "two"), 0, plenty, true)
	for _, limit := range []int{1, 2, 7, len(want) - 1, len(want), len(want) + 1, 1000} {
		s.seated("one", limit, want...)
	}
	s.seated("two", 1, on("two", "full", "user0", "two"), on("two", "other", "user0", "two"))

	// Who goes meanwhile takes nobody else out of the walk.
	var gone []room.Seat
	listed := s.walk("one", 3, func(page []room.Seat) {
		seat := page[len(page)-1]
		s.store().Dismiss(s.t.Context(), seat) //nolint:errcheck // the walk that follows tells
		gone = append(gone, seat)
	})
	if len(listed) != len(want) {
		s.t.Fatalf("a walk during which seats went that it had passed has %d seats, want %d", len(listed), len(want))
	}
	want = slices.DeleteFunc(want, func(seat room.Seat) bool {
		seat.Name = ""
		return slices.ContainsFunc(gone, func(other room.Seat) bool { other.Name = ""; return other == seat })
	})
	s.seated("one", 7, want...)

	// Who moves is the other node's.
	moved := want[0]
	moved.Node = "two"
	s.admit(moved, 0, plenty, false)
	s.seated("two", 10, moved, on("two", "full", "user0", "two"), on("two", "other", "user0", "two"))
	for _, seat := range want[1:] {
		if _, err := s.store().Dismiss(s.t.Context(), seat); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, seat := range s.walk("one", 10, nil) {
		if seat.Room != moved.Room || seat.User != moved.User || seat.Connection != moved.Connection {
			s.t.Fatalf("Seats has %+v, who was dismissed", seat)
		}
	}
}
