package roomtest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/room"
)

// full is a record with something in every field.
func full(name string) room.Record {
	return room.Record{
		Room: name, Owner: "ada@example.com", Permission: room.Restricted,
		Roles: []string{"staff", "admin", "a:b"}, Invited: []string{"grace", "alan+x", "z|1"}, Moderators: []string{"mod"},
		MaxMembers: 321, CreatedAt: time.UnixMilli(1_700_000_000_123),
	}
}

func storeCreate(s *storeScript) {
	invited := []string{"zoe", "ada", "max"}
	for i, rec := range []room.Record{
		full("full"),
		{Room: "empty"},
		{Room: "owner", Owner: strings.Repeat("o", 128), Permission: room.OwnerOnly},
		{Room: "version", Version: 7},
		{Room: "least", Version: -1},
		{Room: "huge", Permission: room.Public, MaxMembers: math.MaxInt32, Version: math.MaxInt64},
		{Room: "unsorted", Permission: room.Private, Invited: invited},
		{Room: "now", CreatedAt: now()},
	} {
		rec.Room += fmt.Sprint(":", i)
		s.holds(s.create(rec))
	}
	if !slices.Equal(invited, []string{"zoe", "ada", "max"}) {
		s.t.Fatalf("Create changed the caller's slice to %q", invited)
	}
}

func storeCreateTwice(s *storeScript) {
	first := s.create(full("room"))
	for range 2 {
		ctx, cancel := callContext(s.t)
		got, err := s.store().Create(ctx, room.Record{Room: "room", Owner: "mallory", Version: 1})
		cancel()
		s.wantErr(fmt.Sprintf("the second Create = %+v", got), err, room.ErrRoomExists)
	}
	s.holds(first)
	second := s.update(first)
	ctx, cancel := callContext(s.t)
	defer cancel()
	_, err := s.store().Create(ctx, full("room"))
	s.wantErr("Create after an Update", err, room.ErrRoomExists)
	s.holds(second)
}

func storeCreateRace(s *storeScript) {
	for round := range 10 {
		name := fmt.Sprint("room", round)
		var won atomic.Int64
		var winner atomic.Value
		storm(32, func(i int) {
			ctx, cancel := callContext(s.t)
			defer cancel()
			owner := fmt.Sprint("owner", i)
			rec, err := s.store().Create(ctx, room.Record{Room: name, Owner: owner, Permission: room.Private})
			switch {
			case err == nil && rec.Owner == owner && rec.Version == 1:
				won.Add(1)
				winner.Store(owner)
			case err == nil:
				s.t.Errorf("Create by %q returned the record of %q", owner, rec.Owner)
			case !errors.Is(err, room.ErrRoomExists):
				s.t.Errorf("Create: %v", err)
			}
		})
		if n := won.Load(); n != 1 {
			s.t.Fatalf("%d of 32 calls of Create at once succeeded, want exactly 1", n)
		}
		s.holds(room.Record{Room: name, Owner: winner.Load().(string), Permission: room.Private, Version: 1})
	}
}

func storeNoRecord(s *storeScript) {
	s.holdsNone("room")
	s.admit(seat("room", "ada", "1"), 0, plenty, true)
	s.holdsNone("room")
	s.sanction("room", "eve", room.Ban, forever)
	s.holdsNone("room")
	s.dismiss(seat("room", "ada", "1"), true)
	s.holdsNone("room")
}

func storeUpdate(s *storeScript) {
	rec := s.create(full("room"))
	rec.Owner, rec.Permission, rec.MaxMembers = "grace", room.Private, 1
	rec.Roles, rec.Invited, rec.Moderators = []string{"other"}, []string{"b", "a"}, []string{"m", "n"}
	rec.CreatedAt = rec.CreatedAt.Add(time.Hour)
	rec = s.update(rec)
	s.holds(rec)

	rec = s.update(room.Record{Room: "room", Version: 2})
	s.holds(rec)
	for range 20 {
		rec = s.update(rec)
	}
	if rec.Version != 23 {
		s.t.Fatalf("after 22 updates the version is %d, want 23", rec.Version)
	}
	s.holds(rec)
}

func storeUpdateConflict(s *storeScript) {
	first := s.create(full("room"))
	second := first
	second.MaxMembers = 5
	second = s.update(second)
	for _, version := range []int64{0, 1, 3, -1, math.MaxInt64} {
		s.conflict(room.Record{Room: "room", Owner: "mallory", Version: version})
		s.holds(second)
	}
	for _, version := range []int64{1, -1, 7} {
		s.conflict(room.Record{Room: "none", Owner: "mallory", Version: version})
		s.holdsNone("none")
	}
	s.remove("room")
	s.conflict(second)
	s.holdsNone("room")
}

func storeUpdateWithoutRecord(s *storeScript) {
	rec := full("room")
	rec = s.update(rec)
	s.holds(rec)
	s.conflict(room.Record{Room: "room"})
	ctx, cancel := callContext(s.t)
	defer cancel()
	_, err := s.store().Create(ctx, full("room"))
	s.wantErr("Create after an Update made the record", err, room.ErrRoomExists)
	s.holds(rec)
}

func storeUpdateRace(s *storeScript) {
	rec := s.create(room.Record{Room: "room", MaxMembers: 1})
	for range 10 {
		var won atomic.Int64
		storm(16, func(int) {
			ctx, cancel := callContext(s.t)
			defer cancel()
			_, err := s.store().Update(ctx, rec)
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, room.ErrConflict) {
				s.t.Errorf("Update: %v", err)
			}
		})
		if n := won.Load(); n != 1 {
			s.t.Fatalf("%d of 16 calls of Update at once from version %d succeeded, want exactly 1", n, rec.Version)
		}
		rec.Version++
	}
	// And nobody who tries again loses a change.
	const adders, each = 8, 5
	storm(adders, func(int) {
		for range each {
			for {
				ctx, cancel := callContext(s.t)
				rec, err := s.store().Record(ctx, "room")
				if err == nil {
					rec.MaxMembers++
					_, err = s.store().Update(ctx, rec)
				}
				cancel()
				if err == nil {
					break
				}
				if !errors.Is(err, room.ErrConflict) {
					s.t.Errorf("adding one: %v", err)
					return
				}
			}
		}
	})
	rec.MaxMembers += adders * each
	rec.Version += adders * each
	s.holds(rec)
}

func storeChangesKeepPeople(s *storeScript) {
	s.admit(seat("room", "ada", "1"), 0, plenty, true)
	s.sanction("room", "eve", room.Ban, forever)
	s.sanction("room", "ada", room.Mute, forever)
	check := func(version int64) {
		s.t.Helper()
		s.member("room", "ada", 1)
		s.inside("room", "ada")
		_ = s.refuse(seat("room", "eve", "1"), version, plenty, room.ErrBanned)
		in := s.admit(seat("room", "ada", "1"), version, plenty, false)
		if !sameMilli(in.Muted, forever) {
			s.t.Fatalf("ada is muted until %v, want it to stay %v", in.Muted, forever)
		}
	}
	rec := s.create(full("room"))
	check(1)
	rec.Permission = room.Private
	s.update(rec)
	check(2)
}

func storeDelete(s *storeScript) {
	s.create(full("room"))
	s.create(full("other"))
	s.admit(seat("room", "ada", "1"), 1, plenty, true)
	s.admit(seat("room", "ada", "2"), 1, plenty, false)
	s.admit(seat("room", "bob", "1"), 1, plenty, true)
	s.admit(seat("other", "ada", "1"), 1, plenty, true)
	s.sanction("room", "eve", room.Ban, forever)
	s.sanction("room", "max", room.Mute, forever)
	s.remove("room")
	s.holdsNone("room")
	s.inside("room")
	s.holds(func() room.Record { r := full("other"); r.Version = 1; return r }())
	s.inside("other", "ada")
	s.removeNone("room")
	s.dismiss(seat("room", "ada", "1"), false)
	s.dismiss(seat("room", "bob", "1"), false)

	// The name is as good as new.
	s.create(room.Record{Room: "room", Owner: "grace", Permission: room.Public})
	s.inside("room")
	s.admit(seat("room", "eve", "1"), 1, plenty, true)
	if in := s.admit(seat("room", "max", "1"), 1, plenty, true); !in.Muted.IsZero() {
		s.t.Fatalf("a mute outlived its room: until %v", in.Muted)
	}
	s.member("room", "eve", 1)
	s.admit(seat("room", "ada", "2"), 1, plenty, true)
	s.dismiss(seat("room", "ada", "2"), true)
	s.inside("room", "eve", "max")
}

func storeDeleteWithoutRecord(s *storeScript) {
	s.removeNone("room")
	s.admit(seat("room", "ada", "1"), 0, plenty, true)
	s.sanction("room", "eve", room.Ban, forever)
	s.removeNone("room")
	s.inside("room")
	s.admit(seat("room", "eve", "1"), 0, plenty, true)
	s.dismiss(seat("room", "ada", "1"), false)
	s.inside("room", "eve")
}
