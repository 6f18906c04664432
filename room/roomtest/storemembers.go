package roomtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wardroom/wardroom/room"
)

func storeMembers(s *storeScript) {
	if list, more := s.page("room", "", 10); len(list) > 0 || more {
		s.t.Fatalf("an unknown room has members %q (more: %v)", ids(list), more)
	}
	// In the order of bytes; none comes in that order.
	users := []string{"+", "-", ".", "0", "10", "2", ":", "@", "A", "AB", "B", "_", "a", "a+", "a:", "aa", "b", "z", "|"}
	for _, i := range []int{5, 18, 0, 9, 14, 2, 11, 7, 16, 4, 12, 1, 17, 8, 3, 15, 10, 6, 13} {
		s.admit(seat("room", users[i], "1"), 0, plenty, true)
	}
	s.admit(seat("other", "aaa", "1"), 0, plenty, true)
	s.admit(seat("room", "a+", "2"), 0, plenty, false)
	s.inside("room", users...)
	s.member("room", "a+", 2)
	for limit := 1; limit <= len(users)+1; limit++ {
		for from := range len(users) + 1 {
			after := ""
			if from > 0 {
				after = users[from-1]
			}
			want := users[from:min(len(users), from+limit)]
			list, more := s.page("room", after, limit)
			if got := ids(list); !slices.Equal(got, want) || more != (from+limit < len(users)) {
				s.t.Fatalf("Members(after %q, limit %d) = %q (more: %v), want %q (more: %v)",
					after, limit, got, more, want, from+limit < len(users))
			}
		}
	}

	// A cursor need not be anyone's ID: they may have left meanwhile.
	for after, from := range map[string]int{"\x01": 0, "/": 3, "1": 4, "a:b": 15, "zz": 18, "|": 19, "}": 19, strings.Repeat("~", 128): 19} {
		list, more := s.page("room", after, 100)
		if got := ids(list); !slices.Equal(got, users[from:]) || more {
			s.t.Fatalf("Members(after %q) = %q (more: %v), want %q", after, got, more, users[from:])
		}
	}

	list, _ := s.page("room", "", 100)
	for i := range list {
		list[i] = room.Member{User: "scribbled on"}
	}
	s.inside("room", users...)
	for _, user := range users {
		s.member("room", user, 1+strings.Count(user, "a+"))
	}
}

func storeNames(s *storeScript) {
	rooms := []string{"a", "A", "a:b", "a:b:c", "a.b", "a_b", "a-b", "b", "ab", strings.Repeat("r", 64), strings.Repeat("r", 63)}
	users := []string{
		"a", "A", "b", "b:c", "c", "a:b", "a|b", "a+b", "a@b", "a.b", "a_b", "a-b",
		"members", "record", "version", "banned", "muted", "0", "1", strings.Repeat("u", 128), strings.Repeat("u", 127),
	}
	for i, name := range rooms {
		// Every room has one ban, one mute and one member at a time.
		banned, muted, in := users[i], users[i+1], users[i+2]
		s.create(room.Record{Room: name, Owner: "owner of " + name})
		s.sanction(name, banned, room.Ban, forever)
		s.sanction(name, muted, room.Mute, forever)
		s.admit(seat(name, in, "1"), 1, 1, true)
	}
	for i, name := range rooms {
		s.holds(room.Record{Room: name, Owner: "owner of " + name, Version: 1})
		s.inside(name, users[i+2])
		_ = s.refuse(seat(name, users[i+3], "1"), 1, 1, room.ErrRoomFull)
		for j, user := range users {
			if j == i {
				_ = s.refuse(seat(name, user, "1"), 1, plenty, room.ErrBanned)
				continue
			}
			in := s.admit(seat(name, user, "1"), 1, plenty, j != i+2)
			if in.Muted.IsZero() == (j == i+1) {
				s.t.Fatalf("%q is muted until %v in %q", user, in.Muted, name)
			}
		}
		for j, user := range users {
			s.dismiss(seat(name, user, "1"), j != i)
		}
		s.inside(name)
	}
	for i, name := range rooms {
		s.remove(name)
		for _, other := range rooms[i+1:] {
			s.holds(room.Record{Room: other, Owner: "owner of " + other, Version: 1})
		}
	}

	// Names that are the same when written one behind the other.
	s.sanction("k", "l:m", room.Ban, forever)
	s.sanction("k", "l:m", room.Mute, forever)
	s.muted(seat("k:l", "m", "1"), true, time.Time{})
	s.admit(seat("k:l:m", "n", "1"), 0, 1, true)
	s.inside("k")
	s.inside("k:l", "m")
	s.lift("k:l", "m", room.Ban)
	_ = s.refuse(seat("k", "l:m", "1"), 0, plenty, room.ErrBanned)

	// The same connection ID tells nothing about whose it is.
	one := room.Seat{Room: "x", User: "ada", Connection: "c", Node: "n"}
	two := room.Seat{Room: "x", User: "bob", Connection: "c2", Node: "n"}
	s.admit(one, 0, plenty, true)
	s.admit(two, 0, plenty, true)
	s.dismiss(room.Seat{Room: "x", User: "ada", Connection: "c2", Node: "n"}, false)
	s.inside("x", "ada", "bob")
}

func storeContext(s *storeScript) {
	rec := s.create(full("room"))
	s.admit(seat("room", "ada", "1"), 1, plenty, true)
	s.admit(seat("room", "bob", "1"), 1, plenty, true)
	done, cancel := context.WithCancel(s.t.Context())
	cancel()
	answers := []error{room.ErrNoRoom, room.ErrRoomExists, room.ErrConflict, room.ErrRoomFull, room.ErrBanned, room.ErrNoMessage}
	check := func(what string, err error, truly ...error) {
		s.t.Helper()
		for _, answer := range answers {
			if errors.Is(err, answer) && !slices.Contains(truly, answer) {
				s.t.Fatalf("%s with a context that is done: %v, which is not true", what, err)
			}
		}
	}
	got, err := s.store().Record(done, "room")
	check("Record", err)
	if err == nil {
		s.same("Record", got, rec)
	}
	_, err = s.store().Create(done, full("new"))
	check("Create", err)
	updated, err := s.store().Update(done, rec)
	check("Update", err)
	version := rec.Version
	if r, err := s.a.Record(s.t.Context(), "room"); err == nil {
		version = r.Version // it may have been done all the same
	}
	if err == nil && updated.Version != 2 {
		s.t.Fatalf("Update with a context that is done returned version %d", updated.Version)
	}
	_, err = s.store().Admit(done, seat("room", "cyd", "1"), version, plenty)
	check("Admit", err)
	check("Sanction", s.store().Sanction(done, "room", "eve", room.Ban, forever))
	check("Lift", s.store().Lift(done, "room", "bob", room.Ban))
	last, err := s.store().Dismiss(done, seat("room", "bob", "1"))
	check("Dismiss", err)
	if err == nil && !last {
		s.t.Fatal("Dismiss with a context that is done removed nobody and returned no error")
	}
	list, _, err := s.store().Members(done, "room", "", 10)
	check("Members", err)
	if err == nil && !slices.Contains(ids(list), "ada") {
		s.t.Fatalf("Members with a context that is done = %q without an error", ids(list))
	}
	n, err := s.store().Owned(done, rec.Owner)
	check("Owned", err)
	if err == nil && n < 1 {
		s.t.Fatalf("Owned with a context that is done = %d without an error", n)
	}
	_, err = s.store().Empty(done, time.Now(), 10)
	check("Empty", err)
	deleted, err := s.store().DeleteEmpty(done, "room", forever)
	check("DeleteEmpty", err)
	if deleted {
		s.t.Fatal("DeleteEmpty with a context that is done deleted a room with somebody in it")
	}
	check("Delete", s.store().Delete(done, "room"))

	// And the store is none the worse for it.
	s.admit(seat("next", "ada", "1"), 0, plenty, true)
	s.inside("next", "ada")
}

// storeRandom plays random calls against the model.
func storeRandom(s *storeScript) {
	seed := s.seed
	defer func() {
		if s.t.Failed() {
			s.t.Logf("repeat with roomtest.StoreOptions{Seed: %d}", seed)
		}
	}()
	runs, steps := 30, 400
	if s.real {
		runs, steps = 2, 200
	}
	rng := newRand(seed)
	p := &storePlay{s: s, rng: rng, rooms: make(map[string]*modelRoom)}
	for run := range runs {
		p.prefix = fmt.Sprint("run", run, ":")
		for range steps {
			p.step()
		}
	}
}
