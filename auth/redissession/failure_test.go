package redissession_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/auth/redissession"
	"github.com/wardroom/wardroom/internal/redistest"
)

// patience is how long a store may take to work again, on a machine that has other things to do.
const patience = 10 * time.Second

func user(id string) auth.Identity {
	return auth.Identity{ID: id, TokenID: id + "'s token", IssuedAt: time.Now().Add(-time.Minute)}
}

func create(t testing.TB, s *redissession.Sessions, id auth.Identity) auth.Session {
	t.Helper()
	session, err := s.Create(context.Background(), auth.Session{Identity: id, Node: "n", Connection: "c"})
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	return session
}

func ticket(id string) auth.Ticket {
	return auth.Ticket{Identity: user(id), ExpiresAt: time.Now().Add(time.Minute)}
}

// calls are all methods of both stores, about one session.
func calls(sessions *redissession.Sessions, tickets *redissession.Tickets, id string) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Create": func(ctx context.Context) error {
			_, err := sessions.Create(ctx, auth.Session{Identity: user("eve")})
			return err
		},
		"Get":  func(ctx context.Context) error { _, err := sessions.Get(ctx, id); return err },
		"List": func(ctx context.Context) error { _, err := sessions.List(ctx, "ada", 10); return err },
		"Touch": func(ctx context.Context) error {
			_, err := sessions.Touch(ctx, []auth.Activity{{ID: id, At: time.Now()}})
			return err
		},
		"Renew":   func(ctx context.Context) error { _, err := sessions.Renew(ctx, id, user("ada")); return err },
		"Release": func(ctx context.Context) error { return sessions.Release(ctx, id, time.Hour) },
		"Delete":  func(ctx context.Context) error { return sessions.Delete(ctx, id) },
		"RevokeSession": func(ctx context.Context) error {
			return sessions.RevokeSession(ctx, id)
		},
		"Revoke": func(ctx context.Context) error {
			return sessions.Revoke(ctx, auth.Revocation{User: "bob", TokenID: "t", Until: time.Now().Add(time.Hour)})
		},
		"Revoked": func(ctx context.Context) error { _, err := sessions.Revoked(ctx, user("ada")); return err },
		"Put":     func(ctx context.Context) error { return tickets.Put(ctx, "k", ticket("ada")) },
		"Take":    func(ctx context.Context) error { _, err := tickets.Take(ctx, "k"); return err },
	}
}

// eventually calls until it works, for a client needs a moment to connect again.
func eventually(t *testing.T, what string, call func() error) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := call()
		if err == nil {
			return
		}
		if !errors.Is(err, auth.ErrUnavailable) || time.Now().After(end) {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// answer is the error of a call that Redis has answered: after a restart the
// first call on each connection may be the one that notices it.
func answer(t *testing.T, what string, call func() error) (err error) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if err = call(); !errors.Is(err, auth.ErrUnavailable) {
			return err
		}
		if time.Now().After(end) {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// refuseAll checks that every method fails in time and says so.
func refuseAll(t *testing.T, why string, all map[string]func(context.Context) error) {
	t.Helper()
	for name, call := range all {
		begun := time.Now()
		if err := call(context.Background()); !errors.Is(err, auth.ErrUnavailable) || errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("%s, %s: %v", why, name, err)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Errorf("%s, %s took %v", why, name, took)
		}
	}
}

// A server that hangs costs a call its 250 ms and no more, and is used again when it goes on.
func TestPaused(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client()
	sessions, tickets := redissession.NewSessions(client), redissession.NewTickets(client)
	ada, bob := create(t, sessions, user("ada")), create(t, sessions, user("cyd"))
	server.Pause()
	refuseAll(t, "paused", calls(sessions, tickets, ada.ID))
	server.Resume()
	eventually(t, "Get", func() error { _, err := sessions.Get(t.Context(), bob.ID); return err })
	eventually(t, "Create", func() error {
		_, err := sessions.Create(t.Context(), auth.Session{Identity: user("dot")})
		return err
	})
}

// With a log that is written at once, a killed server has lost nothing that was acknowledged.
func TestKilled(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	client := server.Client()
	sessions, tickets := redissession.NewSessions(client), redissession.NewTickets(client)
	kept, revoked := create(t, sessions, user("ada")), create(t, sessions, user("bob"))
	if err := sessions.RevokeSession(t.Context(), revoked.ID); err != nil {
		t.Fatal(err)
	}
	if err := tickets.Put(t.Context(), "kept", ticket("ada")); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	refuseAll(t, "killed", calls(sessions, tickets, kept.ID))
	server.Restart()
	eventually(t, "Get", func() error { _, err := sessions.Get(t.Context(), kept.ID); return err })
	if err := answer(t, "Get", func() error { _, err := sessions.Get(t.Context(), revoked.ID); return err }); !errors.Is(err, auth.ErrRevoked) {
		t.Errorf("a revoked session after a restart: %v", err)
	}
	if err := answer(t, "Create", func() error {
		_, err := sessions.Create(t.Context(), auth.Session{Identity: user("bob")})
		return err
	}); !errors.Is(err, auth.ErrRevoked) {
		t.Errorf("a revoked token after a restart: %v", err)
	}
	var got auth.Ticket
	if err := answer(t, "Take", func() (err error) { got, err = tickets.Take(t.Context(), "kept"); return err }); err != nil || got.Identity.ID != "ada" {
		t.Errorf("a ticket after a restart: %v, %v", got.Identity, err)
	}
}

// A server that starts without its data says that the sessions are gone, not that they were revoked.
func TestKilledWithoutPersistence(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	sessions := redissession.NewSessions(server.Client())
	lost := create(t, sessions, user("ada"))
	server.Kill()
	server.Restart()
	var ended []auth.Ended
	eventually(t, "Touch", func() (err error) {
		ended, err = sessions.Touch(t.Context(), []auth.Activity{{ID: lost.ID, At: time.Now()}})
		return err
	})
	if len(ended) != 1 || !errors.Is(ended[0].Err, auth.ErrSessionNotFound) || ended[0].ID != lost.ID {
		t.Errorf("Touch: %v", ended)
	}
	// It may be the first call on a connection that has not noticed yet.
	eventually(t, "Create", func() error {
		_, err := sessions.Create(t.Context(), auth.Session{Identity: user("ada"), Node: "n", Connection: "c"})
		return err
	})
}

// A server that was emptied under way is used on as if it were new.
func TestFlushed(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client()
	sessions, tickets := redissession.NewSessions(client, redissession.WithTimeout(patience)), redissession.NewTickets(client, redissession.WithTimeout(patience))
	lost := create(t, sessions, user("ada"))
	if err := tickets.Put(t.Context(), "lost", ticket("ada")); err != nil {
		t.Fatal(err)
	}
	server.Do("FLUSHALL")
	if _, err := sessions.Get(t.Context(), lost.ID); !errors.Is(err, auth.ErrSessionNotFound) {
		t.Errorf("Get: %v", err)
	}
	ended, err := sessions.Touch(t.Context(), []auth.Activity{{ID: lost.ID, At: time.Now()}})
	if err != nil || len(ended) != 1 || !errors.Is(ended[0].Err, auth.ErrSessionNotFound) {
		t.Errorf("Touch: %v, %v", ended, err)
	}
	if list, err := sessions.List(t.Context(), "ada", 10); err != nil || len(list) != 0 {
		t.Errorf("List: %v, %v", list, err)
	}
	if _, err := tickets.Take(t.Context(), "lost"); !errors.Is(err, auth.ErrTicketNotFound) {
		t.Errorf("Take: %v", err)
	}
	again := create(t, sessions, user("ada"))
	if _, err := sessions.Get(t.Context(), again.ID); err != nil {
		t.Errorf("Get of a new session: %v", err)
	}
}

// A server that has forgotten the scripts is sent them again, by every method.
func TestScriptsForgotten(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client()
	sessions, tickets := redissession.NewSessions(client, redissession.WithTimeout(patience)), redissession.NewTickets(client, redissession.WithTimeout(patience))
	for name := range calls(nil, nil, "") {
		session := create(t, sessions, auth.Identity{ID: "ada"})
		if err := tickets.Put(t.Context(), "k", ticket("ada")); err != nil {
			t.Fatal(err)
		}
		server.Do("SCRIPT", "FLUSH")
		if err := calls(sessions, tickets, session.ID)[name](t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	// Of a pipeline too, with the answers in their places.
	var batch []auth.Activity
	for i := range 20 {
		batch = append(batch, auth.Activity{ID: create(t, sessions, auth.Identity{ID: fmt.Sprint("u", i)}).ID, At: time.Now()})
	}
	if err := sessions.RevokeSession(t.Context(), batch[7].ID); err != nil {
		t.Fatal(err)
	}
	server.Do("SCRIPT", "FLUSH")
	ended, err := sessions.Touch(t.Context(), batch)
	if err != nil || len(ended) != 1 || ended[0].ID != batch[7].ID || !errors.Is(ended[0].Err, auth.ErrRevoked) {
		t.Errorf("Touch: %v, %v", ended, err)
	}
}

// A server that is full takes nothing more, and still lets somebody be revoked.
func TestOutOfMemory(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client()
	sessions, tickets := redissession.NewSessions(client, redissession.WithTimeout(patience)), redissession.NewTickets(client, redissession.WithTimeout(patience))
	session := create(t, sessions, user("ada"))
	server.Do("CONFIG", "SET", "maxmemory", "1")
	if _, err := sessions.Create(t.Context(), auth.Session{Identity: user("bob")}); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("Create: %v", err)
	}
	if err := tickets.Put(t.Context(), "k", ticket("bob")); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("Put: %v", err)
	}
	if err := sessions.RevokeSession(t.Context(), session.ID); err != nil {
		t.Errorf("RevokeSession: %v", err)
	}
	if _, err := sessions.Get(t.Context(), session.ID); !errors.Is(err, auth.ErrRevoked) {
		t.Errorf("Get: %v", err)
	}
}

// Keys that somebody else has written are an error of the store, and let nobody in.
func TestForeignData(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	sessions := redissession.NewSessions(server.Client(), redissession.WithTimeout(patience))
	session := create(t, sessions, user("ada"))
	key := func(user, part string) string { return "wardroom:{u:" + redissession.Tag(user) + "}:" + part }

	server.Do("HSET", key("ada", "sessions"), session.ID+":identity", `{"id":`)
	if got, err := sessions.Get(t.Context(), session.ID); !errors.Is(err, auth.ErrUnavailable) || got.ID != "" {
		t.Errorf("an identity that is no JSON: %v, %v", got, err)
	}
	server.Do("SET", key("bob", "tokens"), "x")
	if _, err := sessions.Create(t.Context(), auth.Session{Identity: user("bob")}); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("a key of another type: %v", err)
	}
	// What was evicted is not there, and does not come back in part.
	server.Do("DEL", key("ada", "sessions"))
	if _, err := sessions.Get(t.Context(), session.ID); !errors.Is(err, auth.ErrSessionNotFound) {
		t.Errorf("a session without its data: %v", err)
	}
	if list, err := sessions.List(t.Context(), "ada", 10); err != nil || len(list) != 0 {
		t.Errorf("List: %v, %v", list, err)
	}
}

// A call whose context is over does nothing.
func TestContextIsOver(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client()
	sessions, tickets := redissession.NewSessions(client), redissession.NewTickets(client)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range calls(sessions, tickets, strings.Repeat("A", 58)) {
		if err := call(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := server.Do("DBSIZE"); n != "0" {
		t.Errorf("keys are left: %s", n)
	}
}

// What cannot be written as JSON is refused, and does not reach Redis in part.
func TestNotJSON(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client()
	sessions, tickets := redissession.NewSessions(client), redissession.NewTickets(client)
	bad := auth.Identity{ID: "ada", Claims: map[string]any{"f": func() {}}}
	if _, err := sessions.Create(t.Context(), auth.Session{Identity: bad}); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("Create: %v", err)
	}
	if err := tickets.Put(t.Context(), "k", auth.Ticket{Identity: bad, ExpiresAt: time.Now().Add(time.Minute)}); !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("Put: %v", err)
	}
}

// While Redis is known to be away nobody waits for it, and it is found to be back.
func TestAway(t *testing.T) {
	server := redistest.Start(t)
	const timeout = 300 * time.Millisecond
	sessions := redissession.NewSessions(server.Client(), redissession.WithTimeout(timeout))
	tickets := redissession.NewTickets(server.Client(), redissession.WithTimeout(timeout))
	ofSessions := calls(sessions, tickets, create(t, sessions, user("ada")).ID)
	ofTickets := make(map[string]func(context.Context) error)
	for _, name := range []string{"Put", "Take"} {
		ofTickets[name] = ofSessions[name]
		delete(ofSessions, name)
	}
	server.Pause()
	for _, all := range []map[string]func(context.Context) error{ofSessions, ofTickets} {
		for range 2 { // until it is known
			refuseAll(t, "paused", all)
		}
		began := time.Now()
		const rounds = 10
		for range rounds {
			refuseAll(t, "paused", all)
		}
		if took := time.Since(began); took > rounds*time.Duration(len(all))*timeout/2 {
			t.Errorf("%d calls took %v", rounds*len(all), took)
		}
	}
	server.Resume()
	eventually(t, "Get", func() error { return ofSessions["Get"](t.Context()) })
	eventually(t, "Put", func() error { return ofTickets["Put"](t.Context()) })
}
