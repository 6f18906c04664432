package roomtest

import (
	"fmt"
	"time"

	"github.com/wardroom/wardroom/room"
)

// inspector is the next node's store; nil where it is none.
func (s *storeScript) inspector() room.Inspector {
	i, _ := s.store().(room.Inspector)
	return i
}

func (s *storeScript) expel(name, user string) {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	must(s.t, "Expel", s.inspector().Expel(ctx, name, user))
}

// inspect fails unless the store answers as many asks with as many seats.
func (s *storeScript) inspect(asks ...room.Inspection) []room.Finding {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	got, err := s.inspector().Inspect(ctx, asks)
	must(s.t, "Inspect", err)
	if len(got) != len(asks) {
		s.t.Fatalf("Inspect of %d rooms has %d findings", len(asks), len(got))
	}
	for i := range got {
		if len(got[i].Seats) != len(asks[i].Seats) {
			s.t.Fatalf("Inspect of %d seats has found %d", len(asks[i].Seats), len(got[i].Seats))
		}
	}
	return got
}

// expelled fails unless exactly those of the seats are to leave which are named
// by want.
func (s *storeScript) expelled(seats []room.Seat, want ...bool) {
	s.t.Helper()
	got := s.inspect(room.Inspection{Room: seats[0].Room, Seats: seats})[0]
	for i := range seats {
		if got.Seats[i].Expelled != want[i] {
			s.t.Fatalf("%s is to leave: %v, want %v", describe(seats[i]), got.Seats[i].Expelled, want[i])
		}
	}
}

func storeExpel(s *storeScript) {
	if s.inspector() == nil {
		return
	}
	s.expel("room", "eve")
	seats := []room.Seat{seat("room", "eve", "1"), seat("room", "eve", "2"), seat("room", "ada", "1"), seat("room", "eve", "3"), seat("room", "ev", "e1")}
	s.expelled(seats, false, false, false, false, false)
	for _, in := range []int{0, 1, 2, 4} {
		s.admit(seats[in], 0, plenty, in != 1)
	}
	s.admit(seat("other", "eve", "1"), 0, plenty, true)
	s.expel("room", "eve")
	s.expelled(seats, true, true, false, false, false)
	s.expelled([]room.Seat{seat("other", "eve", "1")}, false)
	s.inside("room", "ada", "ev", "eve")
	s.admit(seats[3], 0, plenty, false)
	s.expelled(seats, true, true, false, false, false)

	// Who is let in again is in, and who is out is forgotten.
	s.admit(seats[0], 0, plenty, false)
	s.dismiss(seats[1], false)
	s.expelled(seats, false, false, false, false, false)
	s.expel("room", "eve")
	s.expelled(seats, true, false, false, true, false)
	if !s.real {
		time.Sleep(2*time.Minute - time.Second)
		s.expelled(seats, true, false, false, true, false)
	}
	s.dismiss(seats[0], false)
	s.dismiss(seats[3], true)
	s.expelled(seats, false, false, false, false, false)
}

func storeExpelByDelete(s *storeScript) {
	if s.inspector() == nil {
		return
	}
	seats := []room.Seat{seat("room", "eve", "1"), seat("room", "ada", "1"), seat("room", "ada", "2"), seat("room", "bob", "1")}
	s.create(full("room"))
	for i, seat := range seats[:3] {
		s.admit(seat, 1, plenty, i < 2)
	}
	s.sanction("room", "eve", room.Ban, forever)
	s.remove("room")
	s.expelled(seats, true, true, true, false)
	s.inside("room")
	s.admit(seats[0], 0, plenty, true)
	s.expelled(seats, false, true, true, false)
	s.dismiss(seats[1], false)
	s.expelled(seats, false, false, true, false)
}

func storeInspect(s *storeScript) {
	if s.inspector() == nil {
		return
	}
	rec := s.create(full("made"))
	rec.Moderators = append(rec.Moderators, "zoe")
	rec = s.update(rec)
	until := now().Add(time.Hour)
	s.sanction("made", "ada", room.Mute, until)
	s.sanction("made", "bob", room.Ban, forever)
	s.sanction("bare", "bob", room.Mute, forever)
	s.sanction("bare", "bob", room.Ban, until)
	s.sanction("made", "cyd", room.Ban, now().Add(-time.Hour))
	var asks []room.Inspection
	var want []room.Finding
	add := func(name string, rec room.Record, users []string, found ...room.SeatFinding) {
		ask := room.Inspection{Room: name}
		for _, user := range users {
			ask.Seats = append(ask.Seats, seat(name, user, "1"))
		}
		asks, want = append(asks, ask), append(want, room.Finding{Record: rec, Seats: found})
	}
	never := room.SeatFinding{}
	add("made", rec, []string{"cyd", "bob", "ada", "bob"}, never, room.SeatFinding{Banned: forever}, room.SeatFinding{Muted: until}, room.SeatFinding{Banned: forever})
	add("absent", room.Record{}, []string{"bob"}, never)
	add("bare", room.Record{}, []string{"ada", "bob"}, never, room.SeatFinding{Banned: until, Muted: forever})
	add("made", rec, nil)
	for i := range 50 {
		add(fmt.Sprint("none", i), room.Record{}, []string{"ada"}, never)
	}
	for i, got := range s.inspect(asks...) {
		if want[i].Record.Version == 0 && got.Record.Version != 0 {
			s.t.Fatalf("%s has a record of version %d", asks[i].Room, got.Record.Version)
		} else if want[i].Record.Version != 0 {
			s.same("Inspect", got.Record, want[i].Record)
		}
		for j, w := range want[i].Seats {
			if g := got.Seats[j]; g.Expelled || !sameMilli(g.Banned, w.Banned) || !sameMilli(g.Muted, w.Muted) {
				s.t.Fatalf("%s: found %+v, want %+v", describe(asks[i].Seats[j]), g, w)
			}
		}
	}
	if got := s.inspect(); len(got) != 0 {
		s.t.Fatalf("nothing asked and %d found", len(got))
	}
	s.inside("made")
	s.inside("bare")
}

func storeInspectSeats(s *storeScript) {
	if s.inspector() == nil {
		return
	}
	seats := []room.Seat{on("one", "room", "ada", "1"), on("two", "room", "ada", "2"), on("one", "room", "bob", "1"), on("one", "room", "ada", "3")}
	check := func(want ...string) {
		s.t.Helper()
		got := s.inspect(room.Inspection{Room: "room", Seats: seats})[0]
		for i := range seats {
			if got.Seats[i].Node != want[i] {
				s.t.Fatalf("%s is a seat of %q, want %q", describe(seats[i]), got.Seats[i].Node, want[i])
			}
		}
	}
	check("", "", "", "")
	s.admit(seats[0], 0, plenty, true)
	s.admit(seats[1], 0, plenty, false)
	s.admit(on("one", "other", "bob", "1"), 0, plenty, true)
	check("one", "two", "", "")
	s.admit(seats[2], 0, plenty, true)
	s.dismiss(seats[0], false)
	check("", "two", "one", "")
	s.removeNone("room")
	check("", "", "", "")
}
