package authtest

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"time"

	"github.com/wardroom/wardroom/auth"
)

func newIDs(s *sessions) {
	seen := map[string]bool{}
	for range 50 {
		session, err := s.createSession(auth.Session{
			ID: "chosen", Identity: ada(), CreatedAt: s.in(-100), LastSeen: s.in(100), ExpiresAt: s.in(1000),
		})
		if err != nil {
			s.Fatal(err)
		}
		switch {
		case session.ID == "chosen":
			s.Error("the ID is the caller's")
		case len(session.ID) < 22:
			s.Errorf("the ID %q has too few characters for 128 random bits", session.ID)
		case seen[session.ID]:
			s.Errorf("the ID %q was given twice", session.ID)
		}
		seen[session.ID] = true
		now := time.Now()
		if !s.near(session.CreatedAt, now) || !s.near(session.LastSeen, now) || !s.near(session.ExpiresAt, now.Add(s.ttl())) {
			s.Errorf("at %v: created %v, last seen %v, expires %v", now, session.CreatedAt, session.LastSeen, session.ExpiresAt)
		}
	}
}

func roundTrip(s *sessions) {
	for _, id := range []auth.Identity{
		{ID: "ada"},
		{ID: "bob", Capabilities: []auth.Capability{}},
		{
			ID: "a|b@c.d:e+f", Name: "Ada \"the first\"\nL\u00f6velace \u2028\U0001F6A2", Roles: []string{"staff", "a,b"},
			Claims:       map[string]any{"org": "x", "deep": map[string]any{"list": []any{"a", true, nil}}},
			Capabilities: []auth.Capability{{Rooms: "team:*", Verbs: auth.Join | auth.Call}, {Rooms: "**", Verbs: auth.AllVerbs}},
			IssuedAt:     time.UnixMilli(1_700_000_000_123).UTC(), ExpiresAt: time.UnixMilli(9_700_000_000_456).UTC(), TokenID: "jti:1\x7f",
		},
	} {
		want := auth.Session{
			Identity: id, Node: "node-1", Connection: "connection-1", RemoteIP: netip.MustParseAddr("2001:db8::1"), Rooms: []string{"lobby", "team:7"},
		}
		created, err := s.createSession(want)
		if err != nil {
			s.Fatal(err)
		}
		for from, got := range map[string]auth.Session{"Create": created, "Get": s.get(created.ID), "List": s.list(id.ID, 1)[0]} {
			if got.ID != created.ID || !s.near(got.ExpiresAt, created.ExpiresAt) {
				s.Errorf("%s: ID %q, expires %v, want %q, %v", from, got.ID, got.ExpiresAt, created.ID, created.ExpiresAt)
			}
			if !got.Identity.IssuedAt.Equal(id.IssuedAt) || !got.Identity.ExpiresAt.Equal(id.ExpiresAt) {
				s.Errorf("%s: issued %v, expires %v", from, got.Identity.IssuedAt, got.Identity.ExpiresAt)
			}
			got.ID, got.CreatedAt, got.LastSeen, got.ExpiresAt = "", time.Time{}, time.Time{}, time.Time{}
			got.Identity.IssuedAt, got.Identity.ExpiresAt = id.IssuedAt, id.ExpiresAt
			if !reflect.DeepEqual(got, want) {
				s.Errorf("%s gives %s, want %s", from, dump(got), dump(want))
			}
		}
	}
}

// dump shows what String of an identity leaves out.
func dump(s auth.Session) string {
	id := s.Identity
	return fmt.Sprintf("{%q %q %q %v %q name %q roles %q claims %v capabilities %#v token %q}",
		s.ID, s.Node, s.Connection, s.RemoteIP, s.Rooms, id.Name, id.Roles, id.Claims, id.Capabilities, id.TokenID)
}

func notThere(s *sessions) {
	other := s.create(ada())
	for _, id := range []string{"nobody", "", "a{b}*c\n", other.ID + "x"} {
		s.is(id, auth.ErrSessionNotFound)
		s.drop(id)
		s.release(id, s.unit)
		if _, err := s.renew(id, ada()); !errors.Is(err, auth.ErrSessionNotFound) {
			s.Errorf("Renew: %v", err)
		}
		if err := s.revokeSession(id); !errors.Is(err, auth.ErrSessionNotFound) {
			s.Errorf("RevokeSession: %v", err)
		}
		s.is(id, auth.ErrSessionNotFound)
	}
	s.lists("nobody")
	s.lists("ada", other.ID)
}

func expires(s *sessions) {
	session := s.create(ada())
	time.Sleep(s.ttl() - s.slack)
	s.is(session.ID, nil)
	s.lists("ada", session.ID)
	time.Sleep(2 * s.slack)
	s.is(session.ID, auth.ErrSessionNotFound)
	s.lists("ada")
	if ended := s.touch(auth.Activity{ID: session.ID, At: time.Now()}); !errors.Is(ended[session.ID], auth.ErrSessionNotFound) {
		s.Errorf("Touch: %v", ended)
	}
	s.is(session.ID, auth.ErrSessionNotFound)
	if _, err := s.renew(session.ID, ada()); !errors.Is(err, auth.ErrSessionNotFound) {
		s.Errorf("Renew: %v", err)
	}
}

func slides(s *sessions) {
	session, still := s.create(ada()), s.create(ada())
	for range 3 {
		s.pass(2)
		before := time.Now()
		s.touchNow(session.ID)
		after := time.Now()
		got := s.get(session.ID)
		if !s.within(got.LastSeen, before, after) || !s.within(got.ExpiresAt, before.Add(s.ttl()), after.Add(s.ttl())) {
			s.Errorf("touched from %v to %v: last seen %v, expires %v", before, after, got.LastSeen, got.ExpiresAt)
		}
		if !s.near(got.CreatedAt, session.CreatedAt) {
			s.Errorf("created %v, then %v", session.CreatedAt, got.CreatedAt)
		}
	}
	s.is(still.ID, auth.ErrSessionNotFound)
	s.pass(4)
	s.settle()
	s.is(session.ID, auth.ErrSessionNotFound)
}

func notBeyondIdentity(s *sessions) {
	id := ada()
	id.ExpiresAt = s.in(2)
	session := s.create(id)
	if !s.near(session.ExpiresAt, id.ExpiresAt) {
		s.Errorf("expires %v, the identity %v", session.ExpiresAt, id.ExpiresAt)
	}
	renewed := s.create(id)
	s.pass(1)
	s.touchNow(session.ID, renewed.ID)
	longer := id
	longer.ExpiresAt = s.in(100)
	if got, err := s.renew(renewed.ID, longer); err != nil || !s.near(got.ExpiresAt, s.in(4)) {
		s.Errorf("renewed: expires %v, %v", got.ExpiresAt, err)
	}
	s.pass(1)
	s.settle()
	s.is(session.ID, auth.ErrSessionNotFound)
	s.is(renewed.ID, nil)
}

func createRefuses(s *sessions) {
	over := ada()
	over.ExpiresAt = time.Now().Add(-s.slack)
	if _, err := s.tryCreate(over); !errors.Is(err, auth.ErrExpired) {
		s.Errorf("an identity that has expired: %v", err)
	}
	for _, user := range []string{"", "a b", "a\nb", "a{b}", "a*"} {
		if _, err := s.tryCreate(identity(user, "")); !errors.Is(err, auth.ErrUnauthenticated) {
			s.Errorf("the user %q: %v", user, err)
		}
	}
	s.lists("ada")
}
