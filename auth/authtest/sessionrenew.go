package authtest

import (
	"errors"
	"slices"
	"time"

	"github.com/wardroom/wardroom/auth"
)

func renew(s *sessions) {
	session := s.create(identity("ada", "old"))
	s.touch(auth.Activity{ID: session.ID, At: time.Now(), Rooms: []string{"lobby"}})
	s.pass(3)
	fresh := identity("ada", "new")
	fresh.Roles = []string{"staff"}
	renewed, err := s.renew(session.ID, fresh)
	if err != nil {
		s.Fatal(err)
	}
	for from, got := range map[string]auth.Session{"Renew": renewed, "Get": s.get(session.ID)} {
		switch {
		case got.ID != session.ID, got.Node != "node", got.Connection != "connection", !slices.Equal(got.Rooms, []string{"lobby"}), !s.near(got.CreatedAt, session.CreatedAt):
			s.Errorf("%s: more changed than the identity: %s", from, dump(got))
		case got.Identity.TokenID != "new" || !got.Identity.HasRole("staff"):
			s.Errorf("%s: the identity is the old one: %s", from, dump(got))
		case !s.near(got.LastSeen, time.Now()) || !s.near(got.ExpiresAt, s.in(4)):
			s.Errorf("%s: not counted as activity: last seen %v, expires %v", from, got.LastSeen, got.ExpiresAt)
		}
	}
	s.lists("ada", session.ID)

	// What is revoked from now on is the new credential.
	s.revoke(auth.Revocation{User: "ada", TokenID: "old", Until: s.in(10)})
	s.is(session.ID, nil)
	s.revoke(auth.Revocation{User: "ada", TokenID: "new", Until: s.in(10)})
	s.is(session.ID, auth.ErrRevoked)
}

func renewRefuses(s *sessions) {
	session := s.create(identity("ada", "old"))
	s.revoke(auth.Revocation{User: "ada", TokenID: "stolen", Until: s.in(10)})
	over := identity("ada", "over")
	over.ExpiresAt = time.Now().Add(-s.slack)
	for _, tt := range []struct {
		id   auth.Identity
		want error
	}{
		{identity("bob", "b"), auth.ErrWrongUser},
		{identity("", ""), auth.ErrWrongUser},
		{identity("ada", "stolen"), auth.ErrRevoked},
		{over, auth.ErrExpired},
	} {
		if _, err := s.renew(session.ID, tt.id); !errors.Is(err, tt.want) {
			s.Errorf("Renew for user %q, token %q: %v, want %v", tt.id.ID, tt.id.TokenID, err, tt.want)
		}
		if got := s.get(session.ID); got.Identity.ID != "ada" || got.Identity.TokenID != "old" {
			s.Errorf("the session is now of user %q, token %q", got.Identity.ID, got.Identity.TokenID)
		}
	}
	s.lists("ada", session.ID)
	s.lists("bob")
}
