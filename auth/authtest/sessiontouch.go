package authtest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wardroom/wardroom/auth"
)

func touchSays(s *sessions) {
	if ended := s.touch(); len(ended) != 0 {
		s.Errorf("an empty batch: %v", ended)
	}
	alive, revoked, deleted, released := s.create(ada()), s.create(ada()), s.create(ada()), s.create(ada())
	if err := s.revokeSession(revoked.ID); err != nil {
		s.Fatal(err)
	}
	s.drop(deleted.ID)
	s.release(released.ID, s.unit)
	var batch []auth.Activity
	for _, id := range []string{alive.ID, revoked.ID, deleted.ID, "unknown", released.ID, alive.ID} {
		batch = append(batch, auth.Activity{ID: id, At: time.Now()})
	}
	for range 2 {
		ended := s.touch(batch...)
		if len(ended) != 3 || !errors.Is(ended[revoked.ID], auth.ErrRevoked) ||
			!errors.Is(ended[deleted.ID], auth.ErrSessionNotFound) || !errors.Is(ended["unknown"], auth.ErrSessionNotFound) {
			s.Errorf("revoked: %v, deleted: %v, unknown: %v, and %d altogether, want 3", ended[revoked.ID], ended[deleted.ID], ended["unknown"], len(ended))
		}
	}

	// As many as a node has.
	ids := make(map[string]bool)
	batch = nil
	for i := range 1500 {
		id := fmt.Sprint("unknown-", i)
		if i%500 == 499 {
			id = s.create(ada()).ID
		} else {
			ids[id] = true
		}
		batch = append(batch, auth.Activity{ID: id, At: time.Now()})
	}
	ended := s.touch(batch...)
	for id := range ids {
		if !errors.Is(ended[id], auth.ErrSessionNotFound) {
			s.Fatalf("of %d in a batch of %d, %s is not said to have ended", len(ids), len(batch), id)
		}
	}
	if len(ended) != len(ids) {
		s.Errorf("%d have ended, %d are said to", len(ids), len(ended))
	}
}

func touchLate(s *sessions) {
	session := s.create(ada())
	s.pass(2)
	s.touchNow(session.ID)
	known := s.get(session.ID)
	s.touch(auth.Activity{ID: session.ID, At: s.in(-1)}, auth.Activity{ID: session.ID, At: s.in(-100)}, auth.Activity{ID: session.ID})
	if got := s.get(session.ID); got.LastSeen.Before(known.LastSeen) || got.ExpiresAt.Before(known.ExpiresAt) {
		s.Errorf("last seen %v, then %v; expires %v, then %v", known.LastSeen, got.LastSeen, known.ExpiresAt, got.ExpiresAt)
	}
	s.touch(auth.Activity{ID: session.ID, At: s.in(100)})
	if got := s.get(session.ID); got.LastSeen.After(s.in(0).Add(s.slack)) || got.ExpiresAt.After(s.in(4).Add(s.slack)) {
		s.Errorf("at %v: last seen %v, expires %v", time.Now(), got.LastSeen, got.ExpiresAt)
	}
	s.pass(4)
	s.settle()
	s.is(session.ID, auth.ErrSessionNotFound)
}

func touchRooms(s *sessions) {
	session, err := s.createSession(auth.Session{Identity: ada(), Rooms: []string{"a"}})
	if err != nil {
		s.Fatal(err)
	}
	for _, tt := range []struct{ rooms, want []string }{
		{nil, []string{"a"}},
		{[]string{"b", "c:d"}, []string{"b", "c:d"}},
		{nil, []string{"b", "c:d"}},
		{[]string{}, nil},
		{nil, nil},
	} {
		s.touch(auth.Activity{ID: session.ID, At: time.Now(), Rooms: tt.rooms})
		if got := s.get(session.ID).Rooms; !slices.Equal(got, tt.want) {
			s.Errorf("after %q: rooms %q, want %q", tt.rooms, got, tt.want)
		}
	}
}
