package roomtest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/wardroom/wardroom/room"
)

func ownedBy(name, owner string) room.Record { return room.Record{Room: name, Owner: owner} }

func storeOwned(s *storeScript) {
	s.owned(map[string]int{"ada": 0, "bob": 0, "": 0})
	one := s.create(ownedBy("one", "ada"))
	s.create(ownedBy("two", "ada"))
	three := s.update(ownedBy("three", "ada")) // without a record before
	s.create(ownedBy("four", "bob"))
	s.create(room.Record{Room: "hosts"})
	s.owned(map[string]int{"ada": 3, "bob": 1, "a": 0, "Ada": 0, "": 0})

	// What fails counts nothing.
	ctx, cancel := callContext(s.t)
	defer cancel()
	_, err := s.store().Create(ctx, ownedBy("one", "bob"))
	s.wantErr("Create of a room that exists", err, room.ErrRoomExists)
	s.conflict(room.Record{Room: "one", Owner: "bob", Version: 7})
	s.owned(map[string]int{"ada": 3, "bob": 1})

	one = s.update(one) // the same owner
	s.owned(map[string]int{"ada": 3, "bob": 1})
	one.Owner = "bob" // given away
	one = s.update(one)
	three.Owner = "" // to the host
	three = s.update(three)
	s.owned(map[string]int{"ada": 1, "bob": 2, "": 0})
	three.Owner = "ada" // and back
	s.update(three)
	s.owned(map[string]int{"ada": 2, "bob": 2})

	s.remove("one")
	s.removeNone("one")
	s.owned(map[string]int{"ada": 2, "bob": 1})
	s.deleteEmpty("two", forever, true)
	s.deleteEmpty("two", forever, false)
	s.owned(map[string]int{"ada": 1, "bob": 1})
	s.create(ownedBy("one", "ada"))
	s.owned(map[string]int{"ada": 2, "bob": 1})

	storm(20, func(i int) {
		ctx, cancel := callContext(s.t)
		defer cancel()
		rec, err := s.store().Create(ctx, ownedBy(fmt.Sprint("race", i), "eve"))
		if err == nil && i%2 == 0 {
			rec.Owner = "mal"
			_, err = s.store().Update(ctx, rec)
		}
		must(s.t, "Create and Update", err)
	})
	s.owned(map[string]int{"eve": 10, "mal": 10})
}

func storeEmpty(s *storeScript) {
	// Steps are long against what a clock may be off by.
	step := 10*time.Second + 4*s.slack
	if s.real {
		step = 4 * s.slack
	}
	check := func(before time.Time, want map[string]time.Time) {
		s.t.Helper()
		for range 2 {
			got := s.empty(before, everyone)
			if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, slices.Sorted(maps.Keys(want))) {
				s.t.Fatalf("empty since before %v are %q, want %v", before, names, want)
			}
			for name, since := range want {
				if off := got[name].Sub(since).Abs(); off > s.slack+time.Millisecond && !sameMilli(got[name], since) {
					s.t.Fatalf("%q is empty since %v, want %v", name, got[name], since)
				}
			}
		}
	}
	never := map[string]time.Time{}
	later := func() time.Time { return now().Add(time.Hour) }
	check(later(), never)

	start := now()
	s.create(ownedBy("new", "ada"))
	s.create(room.Record{Room: "used"})
	s.admit(seat("used", "ada", "1"), 1, plenty, true)
	s.admit(seat("used", "ada", "2"), 1, plenty, false)
	s.admit(seat("no-record", "ada", "1"), 0, plenty, true)
	s.dismiss(seat("no-record", "ada", "1"), true)
	s.sanction("no-record-either", "ada", room.Ban, forever)
	check(later(), map[string]time.Time{"new": start})
	check(start.Add(-2*s.slack), never)

	time.Sleep(step)
	s.dismiss(seat("used", "ada", "1"), false)
	check(later(), map[string]time.Time{"new": start})
	left := now()
	s.dismiss(seat("used", "ada", "2"), true)
	check(later(), map[string]time.Time{"new": start, "used": left})
	check(start.Add(step/2), map[string]time.Time{"new": start})
	s.dismiss(seat("used", "ada", "2"), false)

	// Changing the record is no visit; coming and going is.
	time.Sleep(step)
	rec := ownedBy("new", "ada")
	rec.Version = 1
	s.update(rec)
	check(later(), map[string]time.Time{"new": start, "used": left})
	s.admit(seat("new", "bob", "1"), 2, plenty, true)
	check(later(), map[string]time.Time{"used": left})
	again := now()
	s.dismiss(seat("new", "bob", "1"), true)
	check(later(), map[string]time.Time{"used": left, "new": again})
	check(left.Add(step/2), map[string]time.Time{"used": left})

	// A record for a room that was used before there was one.
	made := now()
	s.update(room.Record{Room: "no-record"})
	check(later(), map[string]time.Time{"used": left, "new": again, "no-record": made})
	if !s.real {
		check(made, map[string]time.Time{"used": left})
		check(made.Add(time.Millisecond), map[string]time.Time{"used": left, "new": again, "no-record": made})
	}
	s.remove("used")
	s.admit(seat("new", "ada", "1"), 2, plenty, true)
	check(later(), map[string]time.Time{"no-record": made})
	s.remove("new")
	check(later(), map[string]time.Time{"no-record": made})

	for i := range 20 {
		s.create(room.Record{Room: fmt.Sprint("many", i)})
	}
	for limit := 1; limit <= 22; limit++ {
		if got := s.empty(later(), limit); len(got) != min(limit, 21) {
			s.t.Fatalf("Empty with limit %d returned %d of 21 rooms", limit, len(got))
		}
	}
}

func storeDeleteEmpty(s *storeScript) {
	later := now().Add(time.Hour)
	s.deleteEmpty("none", later, false)
	s.holdsNone("none")
	s.admit(seat("no-record", "ada", "1"), 0, plenty, true)
	s.dismiss(seat("no-record", "ada", "1"), true)
	s.sanction("no-record", "eve", room.Ban, forever)
	s.deleteEmpty("no-record", later, false)
	_ = s.refuse(seat("no-record", "eve", "1"), 0, plenty, room.ErrBanned)

	rec := s.create(full("room"))
	s.sanction("room", "eve", room.Ban, forever)
	s.deleteEmpty("room", now().Add(-time.Hour), false)
	s.holds(rec)
	s.admit(seat("room", "ada", "1"), 1, plenty, true)
	s.admit(seat("room", "ada", "2"), 1, plenty, false)
	s.deleteEmpty("room", later, false)
	s.dismiss(seat("room", "ada", "1"), false)
	s.deleteEmpty("room", later, false)
	s.holds(rec)
	s.member("room", "ada", 1)
	_ = s.refuse(seat("room", "eve", "1"), 1, plenty, room.ErrBanned)
	s.dismiss(seat("room", "ada", "2"), true)
	s.deleteEmpty("room", now().Add(-time.Hour), false)
	s.holds(rec)
	s.create(full("other"))
	s.deleteEmpty("room", later, true)
	s.holdsNone("room")
	s.deleteEmpty("room", later, false)
	s.holds(func() room.Record { r := full("other"); r.Version = 1; return r }())

	s.create(full("room"))
	s.admit(seat("room", "eve", "1"), 1, plenty, true)
	s.inside("room", "eve")
	s.deleteEmpty("other", later, true)
	s.removeNone("other")
}

func storeDeleteEmptyRace(s *storeScript) {
	rounds := 200
	if s.real {
		rounds = 20
	}
	later := now().Add(time.Hour)
	for round := range rounds {
		name := fmt.Sprint("room", round)
		s.create(room.Record{Room: name})
		var in, deleted bool
		storm(2, func(i int) {
			ctx, cancel := callContext(s.t)
			defer cancel()
			var err error
			if (i+round)%2 == 0 {
				_, err = s.store().Admit(ctx, seat(name, "ada", "1"), 1, plenty)
				if in = err == nil; errors.Is(err, room.ErrConflict) {
					return
				}
			} else {
				deleted, err = s.store().DeleteEmpty(ctx, name, later)
			}
			must(s.t, "Admit or DeleteEmpty", err)
		})
		if s.t.Failed() {
			return
		}
		if in == deleted {
			s.t.Fatalf("somebody was admitted: %v, and the empty room was deleted: %v; want one of the two", in, deleted)
		}
		if in {
			s.inside(name, "ada")
			s.holds(room.Record{Room: name, Version: 1})
		} else {
			s.inside(name)
			s.holdsNone(name)
		}
	}
}
