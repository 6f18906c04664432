package authtest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/auth"
)

func revocationCases() []testCase[*sessions] {
	return []testCase[*sessions]{
		{
			"revoke a session",
			"Who sees a session that is not theirs ends it. The connection is told so, its token does not get back in, " +
				"and the user's other devices stay.",
			revokeSession,
		},
		{
			"revoke a session without a token ID",
			"A credential that cannot be told from others cannot be refused alone; refusing all of the user would be a ban.",
			revokeSessionWithoutToken,
		},
		{
			"a revoked session stays known",
			"A node may ask late. Until the session would have expired it must hear that it was revoked, and not that " +
				"there is none, after which it would begin another.",
			revokedStaysKnown,
		},
		{
			"revoke a token",
			"A token that was stolen is refused whether it is in use or not, and no other one is.",
			revokeToken,
		},
		{
			"revoke what was issued before",
			"After a change of password everything older is refused, what says nothing of its age counts as older, and " +
				"what is issued from then on is good.",
			revokeBefore,
		},
		{
			"remembered until",
			"A revocation holds for as long as the credential would have, not for as long as a session does.",
			rememberedUntil,
		},
		{
			"revocations add up",
			"A second revocation must not weaken the first.",
			revocationsAddUp,
		},
		{
			"revocations that say nothing",
			"A mistake in the host's code must not look like a revocation that worked, or revoke more than it says.",
			revocationsInvalid,
		},
		{
			"revoke races create",
			"A client that reconnects in the moment of its revocation is either refused or ended. Checking first and " +
				"creating then leaves a gap.",
			revokeRacesCreate,
		},
	}
}

func revokeSession(s *sessions) {
	session, same, other := s.create(identity("ada", "t1")), s.create(identity("ada", "t1")), s.create(identity("ada", "t2"))
	for range 2 { // the second time changes nothing and is no error
		if err := s.revokeSession(session.ID); err != nil {
			s.Fatalf("RevokeSession: %v", err)
		}
		s.is(session.ID, auth.ErrRevoked)
		if ended := s.touch(auth.Activity{ID: session.ID, At: time.Now()}); !errors.Is(ended[session.ID], auth.ErrRevoked) {
			s.Errorf("Touch: %v", ended)
		}
		if _, err := s.renew(session.ID, identity("ada", "t3")); !errors.Is(err, auth.ErrRevoked) {
			s.Errorf("Renew: %v", err)
		}
		s.release(session.ID, s.unit)
		s.is(session.ID, auth.ErrRevoked)
	}
	s.is(other.ID, nil)
	s.refuses(identity("ada", "t1"), true)
	s.refuses(identity("ada", "t2"), false)
	s.refuses(identity("ada", ""), false)
	s.refuses(identity("bob", "t1"), false)
	// The other session of that token has a credential that is no longer good.
	s.is(same.ID, auth.ErrRevoked)
	s.lists("ada", other.ID)
}

func revokeSessionWithoutToken(s *sessions) {
	session, other := s.create(ada()), s.create(ada())
	if err := s.revokeSession(session.ID); err != nil {
		s.Fatalf("RevokeSession: %v", err)
	}
	s.is(session.ID, auth.ErrRevoked)
	s.is(other.ID, nil)
	s.lists("ada", other.ID)
	s.refuses(ada(), false)
	s.refuses(identity("ada", "t"), false)
}

func revokedStaysKnown(s *sessions) {
	session := s.create(ada())
	if err := s.revokeSession(session.ID); err != nil {
		s.Fatal(err)
	}
	time.Sleep(s.ttl() - s.slack)
	s.is(session.ID, auth.ErrRevoked)
	time.Sleep(2 * s.slack)
	s.is(session.ID, auth.ErrSessionNotFound)
}

func revokeToken(s *sessions) {
	session, other, bob := s.create(identity("ada", "t1")), s.create(identity("ada", "t2")), s.create(identity("bob", "t1"))
	s.revoke(auth.Revocation{User: "ada", TokenID: "t1", Until: s.in(10)})
	s.revoke(auth.Revocation{User: "ada", TokenID: "unseen", Until: s.in(10)})
	s.is(session.ID, auth.ErrRevoked)
	s.is(other.ID, nil)
	s.is(bob.ID, nil)
	s.lists("ada", other.ID)
	s.lists("bob", bob.ID)
	for token, revoked := range map[string]bool{"t1": true, "unseen": true, "t2": false, "t": false, "t11": false, "T1": false, "": false} {
		s.refuses(identity("ada", token), revoked)
	}
	s.refuses(identity("bob", "t1"), false)
}

func revokeBefore(s *sessions) {
	cut := s.in(-1).Truncate(time.Millisecond)
	issued := func(user string, at time.Time) auth.Identity {
		return auth.Identity{ID: user, TokenID: fmt.Sprint(at.UnixMilli()), IssuedAt: at}
	}
	ids := []struct {
		id      auth.Identity
		revoked bool
	}{
		{issued("ada", cut.Add(-time.Hour)), true},
		{issued("ada", cut.Add(-time.Millisecond)), true},
		{issued("ada", cut), false},
		{issued("ada", cut.Add(time.Millisecond)), false},
		{auth.Identity{ID: "ada"}, true},
		{issued("bob", cut.Add(-time.Hour)), false},
		{auth.Identity{ID: "bob"}, false},
	}
	var sessions []auth.Session
	for _, tt := range ids {
		sessions = append(sessions, s.create(tt.id))
	}
	s.revoke(auth.Revocation{User: "ada", IssuedBefore: cut, Until: s.in(10)})
	for i, tt := range ids {
		if tt.revoked {
			s.is(sessions[i].ID, auth.ErrRevoked)
			if _, err := s.renew(sessions[2].ID, tt.id); !errors.Is(err, auth.ErrRevoked) {
				s.Errorf("renewed with a credential issued %v, revoked before %v: %v", tt.id.IssuedAt, cut, err)
			}
		} else {
			s.is(sessions[i].ID, nil)
		}
		s.refuses(tt.id, tt.revoked)
	}
	s.lists("ada", sessions[2].ID, sessions[3].ID)
	s.lists("bob", sessions[5].ID, sessions[6].ID)
}

func rememberedUntil(s *sessions) {
	s.revoke(auth.Revocation{User: "ada", TokenID: "t", Until: s.in(6)})
	s.revoke(auth.Revocation{User: "bob", IssuedBefore: time.Now(), Until: s.in(6)})
	s.revoke(auth.Revocation{User: "cyd", TokenID: "t"})
	s.revoke(auth.Revocation{User: "dot", TokenID: "t", Until: s.in(-1)})
	// A session's own revocation is remembered until its credential would have expired.
	eve := identity("eve", "t")
	eve.ExpiresAt = s.in(6)
	session := s.create(eve)
	if err := s.revokeSession(session.ID); err != nil {
		s.Fatal(err)
	}
	bob := identity("bob", "t")
	s.pass(5) // longer than any session lives
	s.refuses(identity("ada", "t"), true)
	s.refuses(bob, true)
	s.refuses(eve, true)
	s.pass(1)
	s.settle()
	s.refuses(identity("ada", "t"), false)
	s.refuses(bob, false)
	s.refuses(identity("cyd", "t"), true)
	s.refuses(identity("dot", "t"), false)
	if ok, err := s.store.Revoked(s.Context(), eve); err != nil || ok {
		s.Errorf("a credential that would have expired is still on the list: %v, %v", ok, err)
	}
}

func revocationsAddUp(s *sessions) {
	cut := s.in(-1)
	old := auth.Identity{ID: "ada", TokenID: "old", IssuedAt: cut.Add(-time.Millisecond * 5)}
	s.revoke(auth.Revocation{User: "ada", IssuedBefore: cut, Until: s.in(3)})
	s.revoke(auth.Revocation{User: "ada", IssuedBefore: s.in(-5), Until: s.in(1)})
	s.revoke(auth.Revocation{User: "ada", TokenID: "one", Until: s.in(3)})
	s.revoke(auth.Revocation{User: "ada", TokenID: "one", Until: s.in(1)})
	s.revoke(auth.Revocation{User: "ada", TokenID: "two", Until: s.in(1)})
	s.revoke(auth.Revocation{User: "ada", TokenID: "two", Until: s.in(3)})
	s.revoke(auth.Revocation{User: "ada", TokenID: "ever"})
	s.revoke(auth.Revocation{User: "ada", TokenID: "ever", Until: s.in(1)})
	s.revoke(auth.Revocation{User: "ada", TokenID: "from now on", Until: s.in(1)})
	s.revoke(auth.Revocation{User: "ada", TokenID: "from now on"})
	fresh := func(token string) auth.Identity { return auth.Identity{ID: "ada", TokenID: token, IssuedAt: s.in(0)} }
	s.refuses(old, true)
	s.pass(2)
	s.refuses(old, true)
	for token, revoked := range map[string]bool{"one": true, "two": true, "ever": true, "three": false} {
		s.refuses(fresh(token), revoked)
	}
	s.pass(1)
	s.settle()
	for token, revoked := range map[string]bool{"one": false, "two": false, "ever": true, "from now on": true} {
		s.refuses(fresh(token), revoked)
	}
}

func revocationsInvalid(s *sessions) {
	session := s.create(identity("ada", ""))
	for _, r := range []auth.Revocation{
		{},
		{User: "ada"},
		{User: "ada", Until: s.in(1)},
		{TokenID: "t"},
		{IssuedBefore: s.in(1)},
		{User: "a b", TokenID: "t"},
		{User: "ada", TokenID: "t", IssuedBefore: s.in(1)},
	} {
		if err := s.tryRevoke(r); err == nil {
			s.Errorf("Revoke took %+v", r)
		}
	}
	s.is(session.ID, nil)
	s.refuses(ada(), false)
}

func revokeRacesCreate(s *sessions) {
	for round := range 20 {
		user := fmt.Sprint("user-", round)
		old := auth.Identity{ID: user, IssuedAt: time.Now().Add(-time.Hour)}
		var running sync.WaitGroup
		var revoked atomic.Bool
		var tries atomic.Int32
		underWay := make(chan struct{})
		for range 4 {
			running.Go(func() {
				for range 200 {
					after := revoked.Load()
					_, err := s.tryCreate(old)
					if tries.Add(1) == int32(round+1) {
						close(underWay)
					}
					if err != nil {
						if !errors.Is(err, auth.ErrRevoked) {
							s.Errorf("Create: %v", err)
						}
						return
					}
					if after {
						s.Error("Create succeeded after Revoke had returned")
						return
					}
				}
			})
		}
		over := make(chan struct{})
		go func() {
			defer close(over)
			running.Wait()
		}()
		select {
		case <-underWay:
		case <-over: // a store that fails each time
		}
		s.revoke(auth.Revocation{User: user, IssuedBefore: time.Now(), Until: s.in(10)})
		revoked.Store(true)
		<-over
		if left := s.list(user, 1000); len(left) != 0 {
			s.Errorf("%d sessions of a revoked credential are left", len(left))
		}
	}
}
