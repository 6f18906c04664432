package redissession_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/auth/redissession"
	"github.com/wardroom/wardroom/internal/redistest"
)

// keys returns all keys of a small server.
func keys(t *testing.T, c rueidis.Client) []string {
	t.Helper()
	entry, err := c.Do(t.Context(), c.B().Scan().Cursor(0).Count(10_000).Build()).AsScanEntry()
	if err != nil || entry.Cursor != 0 {
		t.Fatalf("SCAN: cursor %d, %v", entry.Cursor, err)
	}
	return entry.Elements
}

// Every key that is left behind expires, no later than what it holds, and then nothing is left.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client()
	const ttl = 2 * time.Second
	sessions := redissession.NewSessions(client, redissession.WithSessionTTL(ttl), redissession.WithTimeout(patience))
	tickets := redissession.NewTickets(client, redissession.WithTimeout(patience))
	until := time.Now().Add(ttl)
	for i := range 5 {
		id := user(fmt.Sprint("u", i))
		id.ExpiresAt = until
		ids := []string{create(t, sessions, id).ID, create(t, sessions, id).ID, create(t, sessions, id).ID}
		id.TokenID = ""
		ids = append(ids, create(t, sessions, id).ID)
		_, err := sessions.Touch(t.Context(), []auth.Activity{{ID: ids[0], At: time.Now(), Rooms: []string{"a"}}, {ID: ids[3], At: time.Now()}})
		if err := errors.Join(
			err,
			sessions.Release(t.Context(), ids[1], time.Second),
			sessions.Revoke(t.Context(), auth.Revocation{User: id.ID, TokenID: "another", Until: until}),
			sessions.Revoke(t.Context(), auth.Revocation{User: id.ID, IssuedBefore: time.Now().Add(-time.Hour), Until: until}),
			sessions.RevokeSession(t.Context(), ids[2]),
			tickets.Put(t.Context(), fmt.Sprint("k", i), auth.Ticket{Identity: id, ExpiresAt: until}),
		); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(keys(t, client)); n != 5*7 {
		t.Errorf("%d keys, want 7 of each user", n)
	}
	for _, key := range keys(t, client) {
		left, err := client.Do(t.Context(), client.B().Pttl().Key(key).Build()).AsInt64()
		if err != nil || left <= 0 || left > ttl.Milliseconds()+1 {
			t.Errorf("%s expires in %d ms, %v", key, left, err)
		}
	}
	time.Sleep(ttl)
	for end := time.Now().Add(patience); len(keys(t, client)) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("keys are left: %q", keys(t, client))
		}
	}
}

// The expired sessions of a user who has one that lives are dropped by the calls that come after.
func TestSweptUnderWay(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client()
	short := redissession.NewSessions(client, redissession.WithSessionTTL(50*time.Millisecond), redissession.WithTimeout(patience))
	long := redissession.NewSessions(client, redissession.WithTimeout(patience))
	kept := create(t, long, user("ada"))
	for range 10 {
		create(t, short, user("ada"))
	}
	time.Sleep(100 * time.Millisecond)
	if _, err := long.Touch(t.Context(), []auth.Activity{{ID: kept.ID, At: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	fields, err := client.Do(t.Context(), client.B().Hlen().Key("wardroom:{u:"+redissession.Tag("ada")+"}:sessions").Build()).AsInt64()
	if err != nil || fields != 4 {
		t.Errorf("%d fields are left, %v, want the 4 of one session", fields, err)
	}
}

// A user has so many sessions, revoked ones among them, and no more; other users are not concerned.
func TestMaxSessions(t *testing.T) {
	t.Parallel()
	sessions := redissession.NewSessions(redistest.Start(t).Client(), redissession.WithMaxPerUser(3), redissession.WithTimeout(patience))
	ada := auth.Identity{ID: "ada"}
	ids := []string{create(t, sessions, ada).ID, create(t, sessions, ada).ID, create(t, sessions, ada).ID}
	full := func(when string) {
		t.Helper()
		if _, err := sessions.Create(t.Context(), auth.Session{Identity: ada}); !errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("%s: %v", when, err)
		}
	}
	full("one more")
	create(t, sessions, user("bob"))
	if err := sessions.RevokeSession(t.Context(), ids[0]); err != nil {
		t.Fatal(err)
	}
	full("with one of them revoked")
	if err := sessions.Delete(t.Context(), ids[1]); err != nil {
		t.Fatal(err)
	}
	create(t, sessions, ada)
	full("again")
	if err := sessions.Release(t.Context(), ids[2], 0); err != nil {
		t.Fatal(err)
	}
	create(t, sessions, ada)
}

// A list of revocations that is full says so and forgets none, and the sessions have ended all the same.
func TestMaxRevocations(t *testing.T) {
	t.Parallel()
	sessions := redissession.NewSessions(redistest.Start(t).Client(), redissession.WithMaxPerUser(3), redissession.WithTimeout(patience))
	token := func(name string) auth.Identity { return auth.Identity{ID: "ada", TokenID: name} }
	first, second := create(t, sessions, token("a")), create(t, sessions, token("b"))
	until := time.Now().Add(time.Second)
	revoke := func(name string) error {
		return sessions.Revoke(t.Context(), auth.Revocation{User: "ada", TokenID: name, Until: until})
	}
	if err := errors.Join(revoke("1"), revoke("2"), revoke("3"), revoke("2")); err != nil {
		t.Fatal(err)
	}
	if err := revoke("a"); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("Revoke: %v", err)
	}
	if err := sessions.RevokeSession(t.Context(), second.ID); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("RevokeSession: %v", err)
	}
	for _, id := range []string{first.ID, second.ID} {
		if _, err := sessions.Get(t.Context(), id); !errors.Is(err, auth.ErrRevoked) {
			t.Errorf("Get: %v", err)
		}
	}
	for _, name := range []string{"1", "2", "3"} {
		if revoked, err := sessions.Revoked(t.Context(), token(name)); err != nil || !revoked {
			t.Errorf("token %s: %v, %v", name, revoked, err)
		}
	}
	time.Sleep(time.Until(until) + 50*time.Millisecond)
	until = time.Now().Add(time.Minute)
	if err := revoke("a"); err != nil {
		t.Errorf("when the others have expired: %v", err)
	}
}

// Of a user the last 16 tickets are good, and giving up the others takes none from anybody else.
func TestMaxTickets(t *testing.T) {
	t.Parallel()
	tickets := redissession.NewTickets(redistest.Start(t).Client(), redissession.WithTimeout(patience))
	put := func(key, user string) {
		t.Helper()
		if err := tickets.Put(t.Context(), key, ticket(user)); err != nil {
			t.Fatal(err)
		}
	}
	put("first", "ada")
	put("theirs", "ada")
	put("theirs", "bob")
	for i := range 16 {
		put(fmt.Sprint("k ", i), "ada")
	}
	if _, err := tickets.Take(t.Context(), "first"); !errors.Is(err, auth.ErrTicketNotFound) {
		t.Errorf("the oldest of more than 16: %v", err)
	}
	if got, err := tickets.Take(t.Context(), "theirs"); err != nil || got.Identity.ID != "bob" {
		t.Errorf("a ticket of somebody else: %v, %v", got.Identity, err)
	}
	for i := range 16 {
		if got, err := tickets.Take(t.Context(), fmt.Sprint("k ", i)); err != nil || got.Identity.ID != "ada" {
			t.Errorf("ticket %d: %v, %v", i, got.Identity, err)
		}
	}
}

// The options refuse what cannot be meant.
func TestOptionsPanic(t *testing.T) {
	for name, option := range map[string]func(){
		"no TTL":      func() { redissession.WithSessionTTL(0) },
		"no sessions": func() { redissession.WithMaxPerUser(0) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			option()
		}()
	}
}
