package room_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/roomtest"
)

func TestMemoryStore(t *testing.T) {
	roomtest.TestStore(t, func(*testing.T) room.Store { return room.NewMemoryStore() })
}

// held is how many entries a map within a memory store or broker has. Nothing
// but the size of these maps can grow with the number of rooms.
func held(v any, field string) int { return reflect.ValueOf(v).Elem().FieldByName(field).Len() }

// Rooms that came and went leave nothing behind, in whichever way they did.
func TestMemoryStoreForgetsRooms(t *testing.T) {
	const rooms = 10_000
	for _, tt := range []struct {
		name string
		// visit is all that happens to a room; afterwards it is to be gone.
		visit func(ctx context.Context, s room.Store, name string) error
	}{
		{"created and deleted", func(ctx context.Context, s room.Store, name string) error {
			rec, err := s.Create(ctx, room.Record{Room: name, Owner: "ada"})
			if err == nil {
				rec.Owner = name
				_, err = s.Update(ctx, rec)
			}
			if err == nil {
				err = s.Delete(ctx, name)
			}
			return err
		}},
		{"deleted when empty", func(ctx context.Context, s room.Store, name string) error {
			if _, err := s.Create(ctx, room.Record{Room: name, Owner: name}); err != nil {
				return err
			}
			deleted, err := s.DeleteEmpty(ctx, name, time.Now().Add(time.Hour))
			if err == nil && !deleted {
				err = errors.New("not deleted")
			}
			return err
		}},
		{"visited", func(ctx context.Context, s room.Store, name string) error {
			var err error
			for connection := range 3 {
				_, aerr := s.Admit(ctx, seatOf(name, "ada", connection), 0, 10)
				err = errors.Join(err, aerr)
			}
			for connection := range 3 {
				_, derr := s.Dismiss(ctx, seatOf(name, "ada", connection))
				err = errors.Join(err, derr)
			}
			return err
		}},
		{"refused", func(ctx context.Context, s room.Store, name string) error {
			_, err := s.Admit(ctx, seatOf(name, "ada", 1), 0, 0)
			return expected(err, room.ErrRoomFull)
		}},
		{"refused by version", func(ctx context.Context, s room.Store, name string) error {
			_, err := s.Admit(ctx, seatOf(name, "ada", 1), 7, 10)
			return expected(err, room.ErrConflict)
		}},
		{"not updated", func(ctx context.Context, s room.Store, name string) error {
			_, err := s.Update(ctx, room.Record{Room: name, Owner: name, Version: 7})
			return expected(err, room.ErrConflict)
		}},
		{"asked for", func(ctx context.Context, s room.Store, name string) error {
			_, err := s.Record(ctx, name)
			_, _, merr := s.Members(ctx, name, "", 10)
			_, derr := s.Dismiss(ctx, seatOf(name, "ada", 1))
			_, eerr := s.DeleteEmpty(ctx, name, time.Now().Add(time.Hour))
			_, oerr := s.Owned(ctx, name)
			return errors.Join(expected(err, room.ErrNoRoom), expected(s.Delete(ctx, name), room.ErrNoRoom), merr, derr, eerr, oerr)
		}},
		{"banned from and pardoned", func(ctx context.Context, s room.Store, name string) error {
			err := s.Sanction(ctx, name, "eve", room.Ban, time.Now().Add(time.Hour))
			return errors.Join(err, s.Lift(ctx, name, "eve", room.Ban), s.Lift(ctx, name, "eve", room.Mute))
		}},
		{"banned from and deleted", func(ctx context.Context, s room.Store, name string) error {
			err := s.Sanction(ctx, name, "eve", room.Ban, time.Now().Add(time.Hour))
			return errors.Join(err, expected(s.Delete(ctx, name), room.ErrNoRoom))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := room.NewMemoryStore()
			for i := range rooms {
				if err := tt.visit(t.Context(), s, fmt.Sprint("room:", i)); err != nil {
					t.Fatal(err)
				}
			}
			if n, owners := held(s, "rooms"), held(s, "owned"); n+owners > 0 {
				t.Errorf("%d of %d rooms are left, and %d owners", n, rooms, owners)
			}
		})
	}
}

func seatOf(name, user string, connection int) room.Seat {
	return room.Seat{Room: name, User: user, Connection: fmt.Sprint(connection), Node: "node"}
}

func expected(err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return fmt.Errorf("%v, want %v", err, target) //nolint:errorlint // it is no cause
}

// Sanctions that have ended go with time, as long as anything happens.
func TestMemoryStoreForgetsSanctions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rooms = 10_000
		s := room.NewMemoryStore()
		for i := range rooms {
			name := fmt.Sprint("old:", i)
			if err := s.Sanction(t.Context(), name, "eve", room.Ban, time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		if n := held(s, "rooms"); n != rooms {
			t.Fatalf("%d rooms with a ban are known, want all %d", n, rooms)
		}
		time.Sleep(time.Minute)
		visits := 0
		for ; held(s, "rooms") > rooms/100; visits++ {
			seat := seatOf(fmt.Sprint("new:", visits), "ada", 1)
			if _, err := s.Admit(t.Context(), seat, 0, 10); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Dismiss(t.Context(), seat); err != nil {
				t.Fatal(err)
			}
			if visits > rooms {
				t.Fatalf("after %d visits to others %d rooms with a ban that has ended are left", visits, held(s, "rooms"))
			}
		}

		// In one room they go when the next is laid on somebody.
		for i := range 1000 {
			for range 10 {
				if err := s.Sanction(t.Context(), "room", fmt.Sprint("user", i), room.Mute, time.Now().Add(time.Second)); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second)
		}
		if n := sanctionsOf(s, "room"); n > 1 {
			t.Errorf("a room holds %d sanctions of which one has not ended", n)
		}
	})
}

func sanctionsOf(s room.Store, name string) int {
	r := reflect.ValueOf(s).Elem().FieldByName("rooms").MapIndex(reflect.ValueOf(name))
	return r.Elem().FieldByName("sanctions").Len()
}

// A store and a broker in memory need no Close: they start nothing. A bubble
// with a goroutine left in it would not end.
func TestMemoryStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := runtime.NumGoroutine()
		s, b := room.NewMemoryStore(), room.NewMemoryBroker()
		for i := range 100 {
			name := fmt.Sprint("room", i)
			if _, err := s.Admit(t.Context(), seatOf(name, "ada", 1), 0, 10); err != nil {
				t.Fatal(err)
			}
			_, _, err := b.Subscribe(t.Context(), name, func(room.Message) {})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Publish(t.Context(), spoken(name, "ada", ""), room.Keep(10, time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		if after := runtime.NumGoroutine(); after > before {
			t.Errorf("%d goroutines became %d", before, after)
		}
	})
}
