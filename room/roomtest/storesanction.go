package roomtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wardroom/wardroom/room"
)

func storeBan(s *storeScript) {
	until := now().Add(time.Hour)
	s.admit(seat("room", "eve", "1"), 0, plenty, true)
	s.sanction("room", "eve", room.Ban, until)
	s.member("room", "eve", 1)
	for _, connection := range []string{"2", "1"} {
		err := s.refuse(seat("room", "eve", connection), 0, plenty, room.ErrBanned)
		var banned *room.BannedError
		if !errors.As(err, &banned) || !sameMilli(banned.Until, until) {
			s.t.Fatalf("the error is %T %+v, want a *room.BannedError with Until %v", err, err, until)
		}
	}
	s.member("room", "eve", 1)
	s.dismiss(seat("room", "eve", "2"), false)
	s.dismiss(seat("room", "eve", "1"), true)
	_ = s.refuse(seat("room", "eve", "1"), 0, plenty, room.ErrBanned)
	s.inside("room")

	s.admit(seat("room", "ev", "1"), 0, plenty, true)
	s.admit(seat("room", "Eve", "1"), 0, plenty, true)
	s.admit(seat("other", "eve", "1"), 0, plenty, true)

	// One who was never in, in a room with a record.
	s.create(full("made"))
	s.sanction("made", "eve", room.Ban, until)
	_ = s.refuse(seat("made", "eve", "1"), 1, plenty, room.ErrBanned)
	s.inside("made")
}

func storeBanEnds(s *storeScript) {
	until := now().Add(s.some())
	s.sanction("room", "eve", room.Ban, until)
	s.sanction("room", "mal", room.Ban, until.Add(time.Hour))
	_ = s.refuse(seat("room", "eve", "1"), 0, plenty, room.ErrBanned)
	if !s.real {
		time.Sleep(time.Until(until) - time.Millisecond)
		_ = s.refuse(seat("room", "eve", "1"), 0, plenty, room.ErrBanned)
	}
	s.pass(time.Until(until))
	s.admit(seat("room", "eve", "1"), 0, plenty, true)
	_ = s.refuse(seat("room", "mal", "1"), 0, plenty, room.ErrBanned)

	// One that is over already is none.
	s.sanction("room", "ada", room.Ban, now().Add(-time.Hour))
	s.admit(seat("room", "ada", "1"), 0, plenty, true)
}

func storeBanRace(s *storeScript) {
	for round := range overtakings {
		name := fmt.Sprint("room", round)
		s.overtaken(name, 0, func(int) string { return "eve" }, func() {
			ctx, cancel := callContext(s.t)
			defer cancel()
			must(s.t, "Sanction", s.store().Sanction(ctx, name, "eve", room.Ban, forever))
		}, room.ErrBanned)
	}
}

// muted fails unless an admission says that the user is muted until then; a
// zero time stands for not at all.
func (s *storeScript) muted(seat room.Seat, first bool, until time.Time) {
	s.t.Helper()
	in := s.admit(seat, 0, plenty, first)
	if !sameMilli(in.Muted, until) {
		s.t.Fatalf("Admit(%s) says muted until %v, want %v", describe(seat), in.Muted, until)
	}
}

func storeMute(s *storeScript) {
	never := time.Time{}
	until := now().Add(s.some())
	s.muted(seat("room", "ada", "1"), true, never)
	s.sanction("room", "ada", room.Mute, until)
	s.sanction("room", "bob", room.Mute, until)
	s.muted(seat("room", "ada", "2"), false, until)
	s.muted(seat("room", "ada", "1"), false, until)
	s.muted(seat("room", "bob", "1"), true, until)
	s.muted(seat("room", "cyd", "1"), true, never)
	s.muted(seat("other", "ada", "1"), true, never)
	if !s.real {
		time.Sleep(time.Until(until) - time.Millisecond)
		s.muted(seat("room", "ada", "3"), false, until)
	}
	s.pass(time.Until(until))
	s.muted(seat("room", "ada", "4"), false, never)
	s.muted(seat("room", "bob", "1"), false, never)
}

func storeSanctionReplaced(s *storeScript) {
	short, long := now().Add(time.Hour), now().Add(48*time.Hour)
	s.sanction("room", "ada", room.Mute, short)
	s.muted(seat("room", "ada", "1"), true, short)
	s.sanction("room", "ada", room.Mute, long)
	s.muted(seat("room", "ada", "1"), false, long)
	s.sanction("room", "ada", room.Mute, short)
	s.muted(seat("room", "ada", "1"), false, short)

	s.sanction("room", "ada", room.Ban, long)
	_ = s.refuse(seat("room", "ada", "1"), 0, plenty, room.ErrBanned)
	s.sanction("room", "ada", room.Ban, short)
	err := s.refuse(seat("room", "ada", "1"), 0, plenty, room.ErrBanned)
	var banned *room.BannedError
	if !errors.As(err, &banned) || !sameMilli(banned.Until, short) {
		s.t.Fatalf("a ban that was made shorter is %+v, want until %v", err, short)
	}
	s.sanction("room", "ada", room.Ban, now().Add(-time.Hour))
	s.muted(seat("room", "ada", "1"), false, short)
}

func storeSanctionForEver(s *storeScript) {
	s.sanction("room", "eve", room.Ban, forever)
	s.sanction("room", "ada", room.Mute, forever)
	err := s.refuse(seat("room", "eve", "1"), 0, plenty, room.ErrBanned)
	var banned *room.BannedError
	if !errors.As(err, &banned) || !sameMilli(banned.Until, forever) {
		s.t.Fatalf("a ban for ever is %+v, want until %v", err, forever)
	}
	s.muted(seat("room", "ada", "1"), true, forever)
	if !s.real {
		time.Sleep(400 * 24 * time.Hour)
		_ = s.refuse(seat("room", "eve", "1"), 0, plenty, room.ErrBanned)
		s.muted(seat("room", "ada", "1"), false, forever)
	}
}

func storeSanctionsBounded(s *storeScript) {
	const atOnce = 8
	all, cancelAll := context.WithCancel(context.Background())
	defer cancelAll()
	var laying sync.WaitGroup
	for first := range atOnce {
		laying.Go(func() {
			for i := first; i < room.MaxSanctions; i += atOnce {
				if err := s.store().Sanction(all, "room", fmt.Sprint("user", i/2), room.Ban+room.Sanction(i%2), forever); err != nil {
					s.t.Errorf("sanction %d of %d: %v", i+1, room.MaxSanctions, err)
					return
				}
			}
		})
	}
	laying.Wait()
	ctx, cancel := callContext(s.t)
	defer cancel()
	for _, kind := range []room.Sanction{room.Ban, room.Mute} {
		if err := s.store().Sanction(ctx, "room", "one more", kind, forever); !errors.Is(err, room.ErrTooManySanctions) {
			s.t.Fatalf("one more than %d sanctions: %v", room.MaxSanctions, err)
		}
	}
	s.sanction("room", "user7", room.Ban, forever) // again
	s.sanction("other", "user7", room.Ban, forever)
	s.lift("room", "user7", room.Mute)
	s.sanction("room", "one more", room.Ban, forever)
	_ = s.refuse(seat("room", "one more", "1"), 0, plenty, room.ErrBanned)
}

func storeLift(s *storeScript) {
	never := time.Time{}
	for _, kind := range []room.Sanction{room.Ban, room.Mute} {
		s.lift("room", "ada", kind)
	}
	s.inside("room")
	s.sanction("room", "ada", room.Ban, forever)
	s.sanction("room", "ada", room.Mute, forever)
	s.sanction("room", "bob", room.Ban, forever)
	s.sanction("other", "ada", room.Ban, forever)
	s.lift("room", "ada", room.Ban)
	s.muted(seat("room", "ada", "1"), true, forever)
	_ = s.refuse(seat("room", "bob", "1"), 0, plenty, room.ErrBanned)
	_ = s.refuse(seat("other", "ada", "1"), 0, plenty, room.ErrBanned)
	s.lift("room", "ada", room.Mute)
	s.muted(seat("room", "ada", "1"), false, never)
	s.lift("room", "ada", room.Ban)
	s.inside("room", "ada")
	s.sanction("room", "ada", room.Ban, forever)
	_ = s.refuse(seat("room", "ada", "1"), 0, plenty, room.ErrBanned)
}
