package roomtest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/room"
)

func storeAdmit(s *storeScript) {
	s.inside("room")
	before := now()
	s.admit(seat("room", "ada", "1"), 0, plenty, true)
	after := time.Now()
	m := s.inside("room", "ada")[0]
	if m.Name != "Name of ada" || m.Connections != 1 {
		s.t.Fatalf("the member is %+v, want the seat's name and 1 connection", m)
	}
	if m.Since.Before(before.Add(-s.slack)) || m.Since.After(after.Add(s.slack)) {
		s.t.Fatalf("since is %v, want from %v to %v", m.Since, before, after)
	}
	s.admit(seat("room", "bob", "1"), 0, plenty, true)
	s.inside("room", "ada", "bob")

	s.create(full("made"))
	s.admit(seat("made", "ada", "1"), 1, plenty, true)
	s.inside("made", "ada")
	s.inside("room", "ada", "bob")

	nameless := seat("room", "zoe", "1")
	nameless.Name = ""
	s.admit(nameless, 0, plenty, true)
	if m := s.member("room", "zoe", 1); m.Name != "" {
		s.t.Fatalf("the member is %+v, want no name", m)
	}
}

func storeAdmitAgain(s *storeScript) {
	s.admit(seat("room", "ada", "1"), 0, plenty, true)
	s.admit(seat("room", "ada", "2"), 0, plenty, false)
	s.member("room", "ada", 2)
	for range 3 {
		s.admit(seat("room", "ada", "1"), 0, plenty, false)
		s.admit(seat("room", "ada", "2"), 0, plenty, false)
		s.member("room", "ada", 2)
	}
	s.inside("room", "ada")
	s.dismiss(seat("room", "ada", "1"), false)
	s.member("room", "ada", 1)
	s.admit(seat("room", "ada", "1"), 0, plenty, false)
	s.member("room", "ada", 2)
	s.dismiss(seat("room", "ada", "2"), false)
	s.dismiss(seat("room", "ada", "1"), true)
	s.inside("room")
	s.admit(seat("room", "ada", "1"), 0, plenty, true)
	s.dismiss(seat("room", "ada", "1"), true)
}

func storeSince(s *storeScript) {
	pause := 10 * time.Second
	if s.real {
		pause = 20 * time.Millisecond
	}
	first := seat("room", "ada", "1")
	s.admit(first, 0, plenty, true)
	came := s.member("room", "ada", 1)

	time.Sleep(pause)
	second := seat("room", "ada", "2")
	second.Name = "Countess"
	s.admit(second, 0, plenty, false)
	stays := func(connections int) {
		s.t.Helper()
		if m := s.member("room", "ada", connections); !m.Since.Equal(came.Since) || m.Name != came.Name {
			s.t.Fatalf("the member is %+v, want name and since as they were: %+v", m, came)
		}
	}
	stays(2)
	s.admit(first, 0, plenty, false)
	stays(2)
	s.dismiss(first, false)
	stays(1)
	s.dismiss(second, true)

	time.Sleep(pause)
	s.admit(second, 0, plenty, true)
	m := s.member("room", "ada", 1)
	if m.Name != "Countess" {
		s.t.Fatalf("came anew as %q, want %q", m.Name, "Countess")
	}
	if gap := m.Since.Sub(came.Since); gap < 2*pause-time.Millisecond {
		s.t.Fatalf("came anew %v later, but since is only %v later", 2*pause, gap)
	}
}

func storeVersion(s *storeScript) {
	for _, version := range []int64{1, -1, 2} {
		_ = s.refuse(seat("room", "ada", "1"), version, plenty, room.ErrConflict)
	}
	s.inside("room")
	rec := s.create(room.Record{Room: "room", Permission: room.Public})
	for _, version := range []int64{0, 2, -1} {
		_ = s.refuse(seat("room", "ada", "1"), version, plenty, room.ErrConflict)
	}
	s.inside("room")
	s.admit(seat("room", "ada", "1"), 1, plenty, true)
	s.update(rec)
	_ = s.refuse(seat("room", "bob", "1"), 1, plenty, room.ErrConflict)
	_ = s.refuse(seat("room", "ada", "2"), 1, plenty, room.ErrConflict)
	_ = s.refuse(seat("room", "ada", "1"), 1, plenty, room.ErrConflict)
	s.member("room", "ada", 1)
	s.inside("room", "ada")
	s.admit(seat("room", "ada", "2"), 2, plenty, false)
	s.admit(seat("room", "bob", "1"), 2, plenty, true)
	s.remove("room")
	_ = s.refuse(seat("room", "ada", "1"), 2, plenty, room.ErrConflict)
	_ = s.refuse(seat("room", "ada", "1"), 1, plenty, room.ErrConflict)
	s.inside("room")
	s.admit(seat("room", "ada", "1"), 0, plenty, true)
}

// overtakings is how often a race is run: some bugs take luck to see.
const overtakings = 8

// overtaken has a crowd of users enter while shut closes the room to them, and
// fails when one gets in, or is found to have got in, after shut returned. Those
// who are refused must be told want.
func (s *storeScript) overtaken(name string, version int64, user func(i int) string, shut func(), want error) {
	s.t.Helper()
	const crowd, tries = 16, 3
	var closed atomic.Bool
	var entered atomic.Int64
	var then int
	storm(crowd+1, func(i int) {
		if i == crowd {
			for entered.Load() < crowd {
				s.yield()
			}
			shut()
			then = s.connections(name)
			closed.Store(true)
			return
		}
		for n, late := 0, 0; late < tries; n++ {
			seat := seat(name, user(i), fmt.Sprint(i, "-", n))
			after := closed.Load()
			if after {
				late++
			}
			if n%8 == 7 {
				s.yield()
			}
			ctx, cancel := callContext(s.t)
			_, err := s.store().Admit(ctx, seat, version, plenty)
			cancel()
			switch {
			case err == nil && after:
				s.t.Errorf("Admit(%s) succeeded though it began after the room was closed to it", describe(seat))
				return
			case err == nil:
				entered.Add(1)
			case !errors.Is(err, want):
				s.t.Errorf("Admit(%s): %v", describe(seat), err)
				entered.Add(crowd) // let the closing go on
				return
			}
		}
	})
	if now := s.connections(name); now > then {
		s.t.Fatalf("%d connections were in when the room was closed to them, but %d are in the end: some were added after their check had become void", then, now)
	}
}

// connections is how many there are of all users of a room. An error is
// reported, since a goroutine of a storm may ask.
func (s *storeScript) connections(name string) (n int) {
	ctx, cancel := callContext(s.t)
	defer cancel()
	list, _, err := s.store().Members(ctx, name, "", everyone)
	must(s.t, "Members", err)
	for _, m := range list {
		n += m.Connections
	}
	return n
}

func storeVersionRace(s *storeScript) {
	for round := range overtakings {
		rec := s.create(room.Record{Room: fmt.Sprint("room", round), Permission: room.Public})
		s.overtaken(rec.Room, 1, func(i int) string { return fmt.Sprint("user", i) }, func() {
			ctx, cancel := callContext(s.t)
			defer cancel()
			rec.Permission = room.Private
			_, err := s.store().Update(ctx, rec)
			must(s.t, "Update", err)
		}, room.ErrConflict)
	}
}

func storeFull(s *storeScript) {
	_ = s.refuse(seat("room", "ada", "1"), 0, 0, room.ErrRoomFull)
	s.inside("room")
	s.admit(seat("room", "ada", "1"), 0, 2, true)
	s.admit(seat("room", "bob", "1"), 0, 2, true)
	_ = s.refuse(seat("room", "cyd", "1"), 0, 2, room.ErrRoomFull)
	_ = s.refuse(seat("room", "aaa", "1"), 0, 2, room.ErrRoomFull)
	s.inside("room", "ada", "bob")

	// Who is in may add connections, also when the cap has become lower.
	s.admit(seat("room", "ada", "2"), 0, 2, false)
	s.admit(seat("room", "ada", "3"), 0, 1, false)
	s.admit(seat("room", "ada", "4"), 0, 0, false)
	_ = s.refuse(seat("room", "cyd", "1"), 0, 1, room.ErrRoomFull)
	s.member("room", "ada", 4)

	// Connections are not users.
	_ = s.refuse(seat("room", "cyd", "1"), 0, 2, room.ErrRoomFull)
	s.admit(seat("room", "cyd", "1"), 0, 3, true)
	s.dismiss(seat("room", "ada", "1"), false)
	_ = s.refuse(seat("room", "dan", "1"), 0, 3, room.ErrRoomFull)
	s.dismiss(seat("room", "bob", "1"), true)
	s.admit(seat("room", "dan", "1"), 0, 3, true)
	_ = s.refuse(seat("room", "bob", "1"), 0, 3, room.ErrRoomFull)
	s.inside("room", "ada", "cyd", "dan")

	// Another room has places of its own.
	s.admit(seat("other", "bob", "1"), 0, 1, true)
}

func storeFullRace(s *storeScript) {
	const users, most = 200, 37
	var in atomic.Int64
	storm(users, func(i int) {
		ctx, cancel := callContext(s.t)
		defer cancel()
		a, err := s.store().Admit(ctx, seat("crowd", fmt.Sprint("user", i), "1"), 0, most)
		switch {
		case err == nil && a.First:
			in.Add(1)
		case err == nil:
			s.t.Errorf("user%d came in and is not First", i)
		case !errors.Is(err, room.ErrRoomFull):
			s.t.Errorf("Admit: %v", err)
		}
	})
	if n := in.Load(); n != most {
		s.t.Fatalf("of %d users at once %d were admitted, want exactly %d", users, n, most)
	}
	if list, more := s.page("crowd", "", users); more || len(list) != most {
		s.t.Fatalf("%d members (more: %v), want %d", len(list), more, most)
	}

	// Coming and going. A user counts as in from the return of Admit to the
	// call of Dismiss, which is less than the truth.
	const few = 3
	rounds := 50
	if s.real {
		rounds = 10
	}
	var inside atomic.Int64
	storm(12, func(i int) {
		mine := seat("door", fmt.Sprint("user", i), "1")
		for range rounds {
			ctx, cancel := callContext(s.t)
			_, err := s.store().Admit(ctx, mine, 0, few)
			if err == nil {
				if n := inside.Add(1); n > few {
					s.t.Errorf("%d users are in at once, want at most %d", n, few)
				}
				s.yield()
				inside.Add(-1)
				_, err = s.store().Dismiss(ctx, mine)
			}
			cancel()
			if err != nil && !errors.Is(err, room.ErrRoomFull) {
				s.t.Errorf("coming and going: %v", err)
				return
			}
		}
	})
	s.inside("door")
}

func storeFirstRace(s *storeScript) {
	for round := range 10 {
		const connections = 24
		name := fmt.Sprint("room", round)
		var first atomic.Int64
		storm(connections, func(i int) {
			ctx, cancel := callContext(s.t)
			defer cancel()
			in, err := s.store().Admit(ctx, seat(name, "ada", fmt.Sprint(i)), 0, 1)
			if must(s.t, "Admit", err) && in.First {
				first.Add(1)
			}
		})
		if n := first.Load(); n != 1 {
			s.t.Fatalf("of %d connections of one user at once %d were First, want exactly 1", connections, n)
		}
		s.member(name, "ada", connections)
	}
}

func storeOrderOfChecks(s *storeScript) {
	s.sanction("room", "eve", room.Ban, forever)
	_ = s.refuse(seat("room", "eve", "1"), 3, 0, room.ErrConflict)
	_ = s.refuse(seat("room", "ada", "1"), 3, 0, room.ErrConflict)
	_ = s.refuse(seat("room", "eve", "1"), 0, 0, room.ErrBanned)
	_ = s.refuse(seat("room", "ada", "1"), 0, 0, room.ErrRoomFull)
	s.inside("room")
}

func storeDismiss(s *storeScript) {
	s.dismiss(seat("room", "ada", "1"), false)
	s.admit(seat("room", "ada", "1"), 0, plenty, true)
	s.admit(seat("room", "ada", "2"), 0, plenty, false)
	s.admit(seat("room", "bob", "1"), 0, plenty, true)
	s.dismiss(seat("room", "ada", "3"), false)
	s.dismiss(seat("room", "cyd", "1"), false)
	s.dismiss(seat("other", "ada", "1"), false)
	s.dismiss(seat("room", "ada", "1"), false)
	s.dismiss(seat("room", "ada", "1"), false)
	s.member("room", "ada", 1)
	s.dismiss(seat("room", "ada", "2"), true)
	s.dismiss(seat("room", "ada", "2"), false)
	s.inside("room", "bob")
	s.dismiss(seat("room", "bob", "1"), true)
	s.inside("room")

	s.create(full("made"))
	s.admit(seat("made", "ada", "1"), 1, plenty, true)
	s.dismiss(seat("made", "ada", "1"), true)
	s.inside("made")
}

func storeDismissRace(s *storeScript) {
	for round := range 10 {
		const connections = 12
		name := fmt.Sprint("room", round)
		for i := range connections {
			s.admit(seat(name, "ada", fmt.Sprint(i)), 0, plenty, i == 0)
		}
		var last atomic.Int64
		storm(2*connections, func(i int) {
			ctx, cancel := callContext(s.t)
			defer cancel()
			was, err := s.store().Dismiss(ctx, seat(name, "ada", fmt.Sprint(i/2)))
			if must(s.t, "Dismiss", err) && was {
				last.Add(1)
			}
		})
		if n := last.Load(); n != 1 {
			s.t.Fatalf("of %d connections of one user dismissed at once %d were last, want exactly 1", connections, n)
		}
		s.inside(name)
	}
}

func storeComeAndGoRace(s *storeScript) {
	rounds := 300
	if s.real {
		rounds = 30
	}
	var first, last atomic.Int64
	storm(8, func(i int) {
		mine := seat("room", "ada", fmt.Sprint(i))
		for range rounds {
			ctx, cancel := callContext(s.t)
			in, err := s.store().Admit(ctx, mine, 0, 1)
			var was bool
			if err == nil {
				was, err = s.store().Dismiss(ctx, mine)
			}
			cancel()
			if !must(s.t, "coming and going", err) {
				return
			}
			if in.First {
				first.Add(1)
			}
			if was {
				last.Add(1)
			}
		}
	})
	if f, l := first.Load(), last.Load(); f != l || f == 0 {
		s.t.Fatalf("%d were First and %d last, want as many of one as of the other", f, l)
	}
	s.inside("room")
	s.admit(seat("room", "ada", "again"), 0, 1, true)
}
