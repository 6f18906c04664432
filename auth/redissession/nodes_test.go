package redissession_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/auth/redissession"
	"github.com/wardroom/wardroom/internal/redistest"
)

// What one node does, the others see at once; what has another prefix they never see.
func TestNodesShare(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	one := redissession.NewSessions(server.Client(), redissession.WithTimeout(patience))
	two := redissession.NewSessions(server.Client(), redissession.WithTimeout(patience))
	other := redissession.NewSessions(server.Client(), redissession.WithTimeout(patience), redissession.WithPrefix("other:"))
	session := create(t, one, user("ada"))
	if got, err := two.Get(t.Context(), session.ID); err != nil || got.Identity.ID != "ada" {
		t.Errorf("the other node: %v, %v", got, err)
	}
	if _, err := other.Get(t.Context(), session.ID); !errors.Is(err, auth.ErrSessionNotFound) {
		t.Errorf("another prefix: %v", err)
	}
	if err := two.Revoke(t.Context(), auth.Revocation{User: "ada", IssuedBefore: time.Now(), Until: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	ended, err := one.Touch(t.Context(), []auth.Activity{{ID: session.ID, At: time.Now()}})
	if err != nil || len(ended) != 1 || !errors.Is(ended[0].Err, auth.ErrRevoked) {
		t.Errorf("Touch of the node that did not revoke: %v, %v", ended, err)
	}
	if _, err := one.Create(t.Context(), auth.Session{Identity: user("ada")}); !errors.Is(err, auth.ErrRevoked) {
		t.Errorf("Create at the node that did not revoke: %v", err)
	}
	create(t, other, user("ada"))
}

// A Cluster refuses a script whose keys are in several slots, or that uses keys it did not name in another slot.
func TestCluster(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--cluster-enabled", "yes")
	server.Do("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	for end := time.Now().Add(patience); !strings.Contains(server.Do("CLUSTER", "INFO"), "cluster_state:ok"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the cluster does not come up")
		}
	}
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if client.Mode() != rueidis.ClientModeCluster {
		t.Fatalf("the client is for %q", client.Mode())
	}
	sessions := redissession.NewSessions(client, redissession.WithTimeout(patience))
	tickets := redissession.NewTickets(client, redissession.WithTimeout(patience))
	for i := range 20 {
		for name := range calls(nil, nil, "") {
			session := create(t, sessions, auth.Identity{ID: fmt.Sprint(name, i)})
			if err := tickets.Put(t.Context(), "k", ticket("ada")); err != nil {
				t.Fatal(err)
			}
			if name == "Renew" { // of another user
				continue
			}
			if err := calls(sessions, tickets, session.ID)[name](t.Context()); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	var batch []auth.Activity
	for i := range 300 {
		batch = append(batch, auth.Activity{ID: create(t, sessions, auth.Identity{ID: fmt.Sprint("many", i)}).ID, At: time.Now()})
	}
	if ended, err := sessions.Touch(t.Context(), batch); err != nil || len(ended) != 0 {
		t.Errorf("Touch: %v, %v", ended, err)
	}
}

// counting counts round trips.
type counting struct {
	rueidis.Client
	trips atomic.Int64
}

func (c *counting) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	c.trips.Add(1)
	return c.Client.Do(ctx, cmd)
}

func (c *counting) DoMulti(ctx context.Context, multi ...rueidis.Completed) []rueidis.RedisResult {
	c.trips.Add(1)
	return c.Client.DoMulti(ctx, multi...)
}

// Every call is one round trip, that of Touch for many users too.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	client := &counting{Client: redistest.Start(t).Client()}
	sessions := redissession.NewSessions(client, redissession.WithTimeout(patience))
	tickets := redissession.NewTickets(client, redissession.WithTimeout(patience))
	for round := range 2 { // in the first Redis learns the scripts
		for name := range calls(nil, nil, "") {
			session := create(t, sessions, auth.Identity{ID: "ada"})
			if err := tickets.Put(t.Context(), "k", ticket("bob")); err != nil {
				t.Fatal(err)
			}
			before := client.trips.Load()
			if err := calls(sessions, tickets, session.ID)[name](t.Context()); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if n := client.trips.Load() - before; round > 0 && n != 1 {
				t.Errorf("%s took %d round trips", name, n)
			}
		}
	}
	var batch []auth.Activity
	for i := range 500 {
		for range 2 {
			batch = append(batch, auth.Activity{ID: create(t, sessions, auth.Identity{ID: fmt.Sprint("u", i)}).ID, At: time.Now()})
		}
	}
	before := client.trips.Load()
	if ended, err := sessions.Touch(t.Context(), batch); err != nil || len(ended) != 0 {
		t.Fatal(ended, err)
	}
	if n := client.trips.Load() - before; n != 1 {
		t.Errorf("Touch of 1,000 sessions of 500 users took %d round trips", n)
	}

	// More than fit into one script and one round trip: still each is answered for.
	var unknown []auth.Activity
	for i := range 1500 {
		unknown = append(unknown, auth.Activity{ID: strings.Repeat("A", 26) + redissession.Tag(fmt.Sprint("nobody", i))})
	}
	for range 250 {
		unknown = append(unknown, auth.Activity{ID: strings.Repeat("A", 26) + redissession.Tag("nobody")})
	}
	before = client.trips.Load()
	ended, err := sessions.Touch(t.Context(), append(unknown, batch...))
	if err != nil || len(ended) != len(unknown) {
		t.Errorf("%d of %d have ended, %v", len(ended), len(unknown), err)
	}
	if n := client.trips.Load() - before; n != 3 {
		t.Errorf("Touch for 2,001 users took %d round trips", n)
	}
}

func BenchmarkSessions(b *testing.B) {
	client := redistest.Start(b).Client()
	sessions := redissession.NewSessions(client, redissession.WithTimeout(patience))
	ctx := b.Context()
	var batch []auth.Activity
	for i := range 1000 {
		batch = append(batch, auth.Activity{ID: create(b, sessions, user(fmt.Sprint("u", i))).ID})
	}
	b.Run("create and delete", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := sessions.Delete(ctx, create(b, sessions, user("ada")).ID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := sessions.Get(ctx, batch[0].ID); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("touch 1000 users", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for i := range batch {
				batch[i].At = time.Now()
			}
			if ended, err := sessions.Touch(ctx, batch); err != nil || len(ended) > 0 {
				b.Fatal(ended, err)
			}
		}
	})
}
