package roomtest

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

// A storeScript drives one store, by way of two nodes in turn, and fails the
// test when an answer is wrong.
type storeScript struct {
	t *testing.T
	clock
	seed uint64
	a, b room.Store // of two nodes; the same one where there is no Peer

	calls atomic.Int64
}

// store is the next node's.
func (s *storeScript) store() room.Store { return alternate(int(s.calls.Add(1)), s.a, s.b) }

// seat is a connection of a user whose display name is made of the ID.
func seat(name, user, connection string) room.Seat {
	return room.Seat{Room: name, User: user, Name: "Name of " + user, Connection: user + "/" + connection, Node: "node"}
}

const (
	plenty   = 1 << 20 // a cap that no case reaches
	everyone = 10_000  // a limit that takes in all members
)

func (s *storeScript) create(rec room.Record) room.Record {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	got, err := s.store().Create(ctx, rec)
	if err != nil {
		s.t.Fatalf("Create(%q): %v", rec.Room, err)
	}
	rec.Version = 1
	s.same("Create", got, rec)
	return got
}

func (s *storeScript) update(rec room.Record) room.Record {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	got, err := s.store().Update(ctx, rec)
	if err != nil {
		s.t.Fatalf("Update(%q) from version %d: %v", rec.Room, rec.Version, err)
	}
	rec.Version++
	s.same("Update", got, rec)
	return got
}

// conflict is an update that must fail.
func (s *storeScript) conflict(rec room.Record) {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	got, err := s.store().Update(ctx, rec)
	s.wantErr(fmt.Sprintf("Update(%q) from version %d = version %d", rec.Room, rec.Version, got.Version), err, room.ErrConflict)
}

// holds fails unless want is what both nodes have as the record.
func (s *storeScript) holds(want room.Record) {
	s.t.Helper()
	for range 2 {
		ctx, cancel := callContext(s.t)
		got, err := s.store().Record(ctx, want.Room)
		cancel()
		if err != nil {
			s.t.Fatalf("Record(%q): %v", want.Room, err)
		}
		s.same("Record", got, want)
	}
}

// holdsNone fails unless neither node has a record.
func (s *storeScript) holdsNone(name string) {
	s.t.Helper()
	for range 2 {
		ctx, cancel := callContext(s.t)
		got, err := s.store().Record(ctx, name)
		cancel()
		s.wantErr(fmt.Sprintf("Record(%q) = %+v", name, got), err, room.ErrNoRoom)
	}
}

func (s *storeScript) remove(name string) {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	if err := s.store().Delete(ctx, name); err != nil {
		s.t.Fatalf("Delete(%q): %v", name, err)
	}
}

// owned fails unless the users own so many records each.
func (s *storeScript) owned(want map[string]int) {
	s.t.Helper()
	for user, n := range want {
		for range 2 {
			ctx, cancel := callContext(s.t)
			got, err := s.store().Owned(ctx, user)
			cancel()
			if err != nil || got != n {
				s.t.Fatalf("Owned(%q) = %d, error %v; want %d", user, got, err, n)
			}
		}
	}
}

// empty returns the rooms that are empty since before a time, and since when.
func (s *storeScript) empty(before time.Time, limit int) map[string]time.Time {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	list, err := s.store().Empty(ctx, before, limit)
	if err != nil {
		s.t.Fatalf("Empty(before %v, limit %d): %v", before, limit, err)
	}
	if len(list) > limit {
		s.t.Fatalf("Empty(before %v, limit %d) returned %d rooms", before, limit, len(list))
	}
	rooms := make(map[string]time.Time, len(list))
	for _, e := range list {
		if _, twice := rooms[e.Room]; twice {
			s.t.Fatalf("Empty(before %v, limit %d) has %q twice", before, limit, e.Room)
		}
		rooms[e.Room] = e.Since
	}
	return rooms
}

// deleteEmpty must succeed and say whether it deleted.
func (s *storeScript) deleteEmpty(name string, before time.Time, deleted bool) {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	got, err := s.store().DeleteEmpty(ctx, name, before)
	if err != nil || got != deleted {
		s.t.Fatalf("DeleteEmpty(%q, before %v) = %v, error %v; want %v", name, before, got, err, deleted)
	}
}

func (s *storeScript) removeNone(name string) {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	s.wantErr(fmt.Sprintf("Delete(%q)", name), s.store().Delete(ctx, name), room.ErrNoRoom)
}

// admit must succeed and say whether it was the first.
func (s *storeScript) admit(seat room.Seat, version int64, maxMembers int, first bool) room.Admission {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	in, err := s.store().Admit(ctx, seat, version, maxMembers)
	if err != nil {
		s.t.Fatalf("Admit(%s, version %d, at most %d): %v", describe(seat), version, maxMembers, err)
	}
	if in.First != first {
		s.t.Fatalf("Admit(%s) says First: %v, want %v", describe(seat), in.First, first)
	}
	return in
}

// refuse is an admit that must fail.
func (s *storeScript) refuse(seat room.Seat, version int64, maxMembers int, target error) error {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	in, err := s.store().Admit(ctx, seat, version, maxMembers)
	s.wantErr(fmt.Sprintf("Admit(%s, version %d, at most %d) = %+v", describe(seat), version, maxMembers, in), err, target)
	return err
}

func (s *storeScript) dismiss(seat room.Seat, last bool) {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	got, err := s.store().Dismiss(ctx, seat)
	if err != nil {
		s.t.Fatalf("Dismiss(%s): %v", describe(seat), err)
	}
	if got != last {
		s.t.Fatalf("Dismiss(%s) says last: %v, want %v", describe(seat), got, last)
	}
}

func (s *storeScript) sanction(name, user string, kind room.Sanction, until time.Time) {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	if err := s.store().Sanction(ctx, name, user, kind, until); err != nil {
		s.t.Fatalf("Sanction(%q, %q, %s): %v", name, user, sanctionName(kind), err)
	}
}

func (s *storeScript) lift(name, user string, kind room.Sanction) {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	if err := s.store().Lift(ctx, name, user, kind); err != nil {
		s.t.Fatalf("Lift(%q, %q, %s): %v", name, user, sanctionName(kind), err)
	}
}

// page is one call of Members.
func (s *storeScript) page(name, after string, limit int) ([]room.Member, bool) {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	list, more, err := s.store().Members(ctx, name, after, limit)
	if err != nil {
		s.t.Fatalf("Members(%q, after %q, limit %d): %v", name, after, limit, err)
	}
	return list, more
}

// inside fails unless exactly these users are in the room.
func (s *storeScript) inside(name string, users ...string) []room.Member {
	s.t.Helper()
	slices.Sort(users)
	list, more := s.page(name, "", len(users)+1)
	got := ids(list)
	if more || !slices.Equal(got, users) {
		s.t.Fatalf("in %q are %q (more: %v), want %q", name, got, more, users)
	}
	return list
}

// member fails unless the user is in the room with that many connections.
func (s *storeScript) member(name, user string, connections int) room.Member {
	s.t.Helper()
	list, _ := s.page(name, "", everyone)
	i := slices.IndexFunc(list, func(m room.Member) bool { return m.User == user })
	if i < 0 {
		s.t.Fatalf("in %q are %q, and %q is missing", name, ids(list), user)
	}
	if list[i].Connections != connections {
		s.t.Fatalf("%q has %d connections in %q, want %d", user, list[i].Connections, name, connections)
	}
	return list[i]
}

// wantErr fails unless err is target.
func (s *storeScript) wantErr(what string, err, target error) {
	s.t.Helper()
	if !errors.Is(err, target) {
		s.t.Fatalf("%s, error %v; want an error that is: %v", what, err, target)
	}
}

// same fails unless two records are equal in all that a store has to keep.
func (s *storeScript) same(what string, got, want room.Record) {
	s.t.Helper()
	if got.Room == want.Room && got.Owner == want.Owner && got.Permission == want.Permission &&
		slices.Equal(got.Roles, want.Roles) && slices.Equal(got.Invited, want.Invited) &&
		slices.Equal(got.Moderators, want.Moderators) && got.MaxMembers == want.MaxMembers &&
		got.Version == want.Version && sameMilli(got.CreatedAt, want.CreatedAt) {
		return
	}
	s.t.Fatalf("%s of %q returned\n\t%+v, want\n\t%+v", what, want.Room, got, want)
}

// sameMilli says whether two times are equal to the millisecond.
func sameMilli(a, b time.Time) bool {
	return a.IsZero() == b.IsZero() && a.Truncate(time.Millisecond).Equal(b.Truncate(time.Millisecond))
}

func ids(list []room.Member) []string {
	users := make([]string, len(list))
	for i, m := range list {
		users[i] = m.User
	}
	return users
}

func describe(seat room.Seat) string {
	return fmt.Sprintf("%q in %q by connection %q", seat.User, seat.Room, seat.Connection)
}

func sanctionName(kind room.Sanction) string {
	if kind == room.Ban {
		return "Ban"
	}
	return "Mute"
}

// storm runs f for 0 to n−1 at once and waits for all.
func storm(n int, f func(i int)) {
	ready := make(chan struct{})
	done := make(chan struct{})
	for i := range n {
		go func() {
			defer func() { done <- struct{}{} }()
			<-ready
			f(i)
		}()
	}
	close(ready)
	for range n {
		<-done
	}
}

// must is for goroutines that are not the test's: an error is reported, and
// reports false.
func must(t testing.TB, what string, err error) bool {
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	return err == nil
}
