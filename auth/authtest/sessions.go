package authtest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
)

// sessions drives a store through a case. Its methods fail the test when a call fails that should not.
type sessions struct {
	testing.TB
	clock
	store auth.SessionStore
}

func newSessions(tb testing.TB, c clock, store auth.SessionStore) *sessions {
	return &sessions{TB: tb, clock: c, store: store}
}

// ada is an identity that is good for longer than any case takes.
func ada() auth.Identity { return identity("ada", "") }

func identity(user, token string) auth.Identity {
	return auth.Identity{ID: user, TokenID: token, IssuedAt: time.Now().Add(-time.Minute)}
}

func (s *sessions) tryCreate(id auth.Identity) (auth.Session, error) {
	s.Helper()
	return s.createSession(auth.Session{Identity: id, Node: "node", Connection: "connection"})
}

func (s *sessions) createSession(session auth.Session) (auth.Session, error) {
	ctx, cancel := callContext(s)
	defer cancel()
	return s.store.Create(ctx, session)
}

func (s *sessions) create(id auth.Identity) auth.Session {
	s.Helper()
	session, err := s.tryCreate(id)
	if err != nil {
		s.Fatalf("Create for %v: %v", id, err)
	}
	return session
}

func (s *sessions) tryGet(id string) (auth.Session, error) {
	ctx, cancel := callContext(s)
	defer cancel()
	return s.store.Get(ctx, id)
}

func (s *sessions) get(id string) auth.Session {
	s.Helper()
	session, err := s.tryGet(id)
	if err != nil {
		s.Fatalf("Get: %v", err)
	}
	return session
}

// is checks what Get says: nil for a session that is there.
func (s *sessions) is(id string, want error) {
	s.Helper()
	if _, err := s.tryGet(id); !errors.Is(err, want) || want == nil && err != nil {
		s.Errorf("Get: %v, want %v", err, want)
	}
}

// touch returns what Touch says of each ID that has ended.
func (s *sessions) touch(batch ...auth.Activity) map[string]error {
	s.Helper()
	ctx, cancel := callContext(s)
	defer cancel()
	list, err := s.store.Touch(ctx, batch)
	if err != nil {
		s.Fatalf("Touch: %v", err)
	}
	ended := make(map[string]error, len(list))
	for _, e := range list {
		ended[e.ID] = e.Err
	}
	return ended
}

// touchNow touches sessions that are all there.
func (s *sessions) touchNow(ids ...string) {
	s.Helper()
	var batch []auth.Activity
	for _, id := range ids {
		batch = append(batch, auth.Activity{ID: id, At: time.Now()})
	}
	if ended := s.touch(batch...); len(ended) != 0 {
		s.Errorf("Touch says that %v ended", ended)
	}
}

func (s *sessions) renew(id string, identity auth.Identity) (auth.Session, error) {
	ctx, cancel := callContext(s)
	defer cancel()
	return s.store.Renew(ctx, id, identity)
}

func (s *sessions) release(id string, grace time.Duration) {
	s.Helper()
	ctx, cancel := callContext(s)
	defer cancel()
	if err := s.store.Release(ctx, id, grace); err != nil {
		s.Fatalf("Release: %v", err)
	}
}

func (s *sessions) drop(id string) {
	s.Helper()
	ctx, cancel := callContext(s)
	defer cancel()
	if err := s.store.Delete(ctx, id); err != nil {
		s.Fatalf("Delete: %v", err)
	}
}

func (s *sessions) list(user string, limit int) []auth.Session {
	s.Helper()
	ctx, cancel := callContext(s)
	defer cancel()
	list, err := s.store.List(ctx, user, limit)
	if err != nil {
		s.Fatalf("List: %v", err)
	}
	return list
}

// lists checks which sessions a user has, in whatever order.
func (s *sessions) lists(user string, want ...string) {
	s.Helper()
	var got []string
	for _, session := range s.list(user, 100) {
		got = append(got, session.ID)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		s.Errorf("List of %s: %d sessions %q, want %d %q", user, len(got), got, len(want), want)
	}
}

func (s *sessions) revokeSession(id string) error {
	ctx, cancel := callContext(s)
	defer cancel()
	return s.store.RevokeSession(ctx, id)
}

func (s *sessions) tryRevoke(r auth.Revocation) error {
	ctx, cancel := callContext(s)
	defer cancel()
	return s.store.Revoke(ctx, r)
}

func (s *sessions) revoke(r auth.Revocation) {
	s.Helper()
	if err := s.tryRevoke(r); err != nil {
		s.Fatalf("Revoke: %v", err)
	}
}

// refuses checks whether identities are refused, by Create and by Revoked.
func (s *sessions) refuses(id auth.Identity, want bool) {
	s.Helper()
	ctx, cancel := callContext(s)
	defer cancel()
	revoked, err := s.store.Revoked(ctx, id)
	if err != nil {
		s.Fatalf("Revoked: %v", err)
	}
	if revoked != want {
		s.Errorf("Revoked says %v of user %s, token %q, issued %v", revoked, id.ID, id.TokenID, id.IssuedAt)
	}
	session, err := s.tryCreate(id)
	switch {
	case want && !errors.Is(err, auth.ErrRevoked):
		s.Errorf("Create for a revoked identity (user %s, token %q, issued %v): %v", id.ID, id.TokenID, id.IssuedAt, err)
	case !want && err != nil:
		s.Errorf("Create for an identity that is not revoked (user %s, token %q, issued %v): %v", id.ID, id.TokenID, id.IssuedAt, err)
	}
	if err == nil {
		s.drop(session.ID)
	}
}
