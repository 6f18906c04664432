package authtest

import (
	"errors"
	"time"

	"github.com/wardroom/wardroom/auth"
)

func release(s *sessions) {
	session, now, soon := s.create(ada()), s.create(ada()), s.create(ada())
	s.release(session.ID, s.unit)
	s.release(now.ID, 0)
	s.release(soon.ID, -s.unit)
	if got := s.get(session.ID); !s.near(got.ExpiresAt, s.in(1)) {
		s.Errorf("expires %v, want %v", got.ExpiresAt, s.in(1))
	}
	s.settle()
	s.is(now.ID, auth.ErrSessionNotFound)
	s.is(soon.ID, auth.ErrSessionNotFound)
	s.lists("ada", session.ID)
	s.pass(1)
	s.is(session.ID, auth.ErrSessionNotFound)
	s.lists("ada")

	// The grace does not put off an end that is nearer.
	late := s.create(ada())
	s.pass(3)
	s.release(late.ID, 100*s.unit)
	s.pass(1)
	s.settle()
	s.is(late.ID, auth.ErrSessionNotFound)
}

func releaseFinal(s *sessions) {
	session := s.create(ada())
	s.release(session.ID, s.unit)
	s.touchNow(session.ID)
	s.release(session.ID, 3*s.unit)
	if _, err := s.renew(session.ID, ada()); !errors.Is(err, auth.ErrSessionNotFound) {
		s.Errorf("Renew: %v", err)
	}
	if got := s.get(session.ID); got.ExpiresAt.After(s.in(1).Add(s.slack)) {
		s.Errorf("expires %v, want %v", got.ExpiresAt, s.in(1))
	}
	// Nor is the time that is left taken away.
	s.release(session.ID, 0)
	time.Sleep(s.unit / 3)
	s.is(session.ID, nil)
	s.pass(1)
	s.is(session.ID, auth.ErrSessionNotFound)
}

func deletes(s *sessions) {
	session, other := s.create(ada()), s.create(ada())
	for range 2 {
		s.drop(session.ID)
		s.is(session.ID, auth.ErrSessionNotFound)
		s.lists("ada", other.ID)
	}
	s.is(other.ID, nil)
	// Deleting is not revoking.
	revoked := s.create(ada())
	if err := s.revokeSession(revoked.ID); err != nil {
		s.Fatal(err)
	}
	s.drop(revoked.ID)
	s.is(revoked.ID, auth.ErrSessionNotFound)
	s.refuses(ada(), false)
}
