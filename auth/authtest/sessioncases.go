package authtest

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/wardroom/wardroom/auth"
)

// sessionCases returns the suite.
func sessionCases() []testCase[*sessions] {
	return append([]testCase[*sessions]{
		{
			"new IDs",
			"The server mints the ID, with 128 random bits. An ID that a client chose, or can guess, could be put on " +
				"somebody else before they sign in (session fixation).",
			newIDs,
		},
		{
			"what was stored comes back",
			"Frames are authorised from the session. A field that is lost takes rights away or, as with an empty list " +
				"of capabilities that comes back as none, gives all.",
			roundTrip,
		},
		{
			"what is not there",
			"Connections end in races. Ending twice is no fault, and a session that is not there must not look alive.",
			notThere,
		},
		{
			"expires",
			"A session of a connection whose node has died must not stay for ever.",
			expires,
		},
		{
			"activity puts off the expiry",
			"The TTL slides: a connection that is in use keeps its session.",
			slides,
		},
		{
			"not beyond the identity",
			"Activity must not keep a session beyond the credential that it comes from.",
			notBeyondIdentity,
		},
		{
			"touch says what has ended",
			"A node that missed the announcement of a revocation hears of it here. It closes connections by it, so a " +
				"session that is merely unknown must not pass for revoked, and a living one for neither.",
			touchSays,
		},
		{
			"activity comes late",
			"Activity is sent in batches by nodes whose clocks differ. What comes late must not take back what is known, " +
				"and a clock that is ahead must not keep a session for longer.",
			touchLate,
		},
		{
			"touch and rooms",
			"A batch that says nothing about rooms leaves them, and one that says there are none clears them.",
			touchRooms,
		},
		{
			"renew",
			"A fresh token takes the place of the old one without a new connection.",
			renew,
		},
		{
			"renew refuses",
			"A renewal must not be the way past the checks of Create, or onto another user's session.",
			renewRefuses,
		},
		{
			"release",
			"A session ends with its connection, after a short grace.",
			release,
		},
		{
			"release is final",
			"A batch of activity that was on its way when the connection went must not bring the session back for a day.",
			releaseFinal,
		},
		{
			"delete",
			"A session that is deleted is gone at once, and no other one is.",
			deletes,
		},
		{
			"list",
			"Users are shown where they are signed in, and revoke what they do not know.",
			lists,
		},
		{
			"users do not mix",
			"IDs of users may contain separators. One that begins like another must not see or revoke its sessions.",
			usersDoNotMix,
		},
		{
			"create refuses",
			"A session is not begun for a credential that is over, or for nobody.",
			createRefuses,
		},
		{
			"copies",
			"Who holds a slice that the store has too can change a session without the store's knowing.",
			copies,
		},
		{
			"many at once",
			"Every node calls the store at any time.",
			manyAtOnce,
		},
	}, revocationCases()...)
}

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
		s.touchNow(session.ID)
		got := s.get(session.ID)
		if now := time.Now(); !s.near(got.LastSeen, now) || !s.near(got.ExpiresAt, now.Add(s.ttl())) {
			s.Errorf("touched at %v: last seen %v, expires %v", now, got.LastSeen, got.ExpiresAt)
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

func lists(s *sessions) {
	var want []string
	for range 5 {
		want = append(want, s.create(ada()).ID)
		time.Sleep(s.slack) // a store may round what it orders by
	}
	slices.Reverse(want)
	for _, limit := range []int{1, 3, 5, 100} {
		var got []string
		for _, session := range s.list("ada", limit) {
			got = append(got, session.ID)
		}
		if !slices.Equal(got, want[:min(limit, 5)]) {
			s.Errorf("with limit %d: %q, want %q", limit, got, want[:min(limit, 5)])
		}
	}
}

func usersDoNotMix(s *sessions) {
	users := []string{"a", "a:b", "a|b", "ab", "A", "a.", "a:"}
	ids := make(map[string]string)
	for _, user := range users {
		ids[user] = s.create(identity(user, "token")).ID
	}
	for _, user := range users {
		s.lists(user, ids[user])
	}
	s.revoke(auth.Revocation{User: "a", TokenID: "token", Until: s.in(10)})
	s.revoke(auth.Revocation{User: "a", IssuedBefore: s.in(1), Until: s.in(10)})
	for _, user := range users[1:] {
		s.is(ids[user], nil)
		s.refuses(identity(user, "token"), false)
		s.lists(user, ids[user])
	}
	s.is(ids["a"], auth.ErrRevoked)
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

func copies(s *sessions) {
	rooms := []string{"mine"}
	session, err := s.createSession(auth.Session{Identity: ada(), Rooms: rooms})
	if err != nil {
		s.Fatal(err)
	}
	check := func(after, want string) {
		s.Helper()
		for from, got := range map[string]auth.Session{"Get": s.get(session.ID), "List": s.list("ada", 1)[0]} {
			if !slices.Equal(got.Rooms, []string{want}) {
				s.Errorf("after a change to what %s: %s gives %q", after, from, got.Rooms)
			}
			got.Rooms[0] = from
		}
	}
	rooms[0] = "theirs"
	check("Create got", "mine")
	session.Rooms[0] = "theirs"
	check("Create gave", "mine")
	check("Get and List gave", "mine")
	rooms = []string{"touched"}
	s.touch(auth.Activity{ID: session.ID, At: time.Now(), Rooms: rooms})
	rooms[0] = "theirs"
	check("Touch got", "touched")
	renewed, err := s.renew(session.ID, ada())
	if err != nil {
		s.Fatal(err)
	}
	renewed.Rooms[0] = "theirs"
	check("Renew gave", "touched")
}

func manyAtOnce(s *sessions) {
	shared := s.create(identity("ada", "shared"))
	var running sync.WaitGroup
	var mu sync.Mutex // protects kept
	var kept []string
	for g := range 8 {
		running.Go(func() {
			user := fmt.Sprint("user-", g%4)
			for i := range 10 {
				session, err := s.tryCreate(identity(user, fmt.Sprint(g, "-", i)))
				if err != nil {
					s.Errorf("Create: %v", err)
					return
				}
				if ended := s.touch(auth.Activity{ID: session.ID, At: time.Now()}, auth.Activity{ID: shared.ID, At: time.Now()}); len(ended) != 0 {
					s.Errorf("Touch: %v", ended)
				}
				if _, err := s.renew(shared.ID, identity("ada", fmt.Sprint(g))); err != nil {
					s.Errorf("Renew: %v", err)
				}
				if i%2 == 0 {
					s.drop(session.ID)
					continue
				}
				mu.Lock()
				kept = append(kept, session.ID)
				mu.Unlock()
			}
		})
	}
	running.Wait()
	total := 0
	for u := range 4 {
		for _, session := range s.list(fmt.Sprint("user-", u), 100) {
			total++
			if !slices.Contains(kept, session.ID) {
				s.Errorf("session %s is listed and was deleted", session.ID)
			}
		}
	}
	if total != len(kept) {
		s.Errorf("%d sessions are listed, %d were kept", total, len(kept))
	}
	s.lists("ada", shared.ID)
}
