package redispresence_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/presence/redispresence"
)

// placesIn returns what Redis knows of which node may have entries where.
func placesIn(t *testing.T, client rueidis.Client) []string {
	t.Helper()
	const look = "return {redis.call('HLEN', KEYS[2]), redis.call('ZRANGE', KEYS[1], 0, -1)}"
	both, err := client.Do(t.Context(), client.B().Eval().Script(look).Numkeys(2).Key("wardroom:{n:}:places", "wardroom:{n:}:tokens").Build()).ToArray()
	if err != nil {
		t.Fatal(err)
	}
	tokens, _ := both[0].AsInt64()
	places, err := both[1].AsStrSlice()
	if err != nil || int(tokens) != len(places) {
		t.Fatalf("%d tokens for %d places, %v", tokens, len(places), err)
	}
	return places
}

func entryOf(user, connection string) presence.Entry {
	return presence.Entry{User: user, Connection: connection, Status: presence.Online, Since: time.Now()}
}

// TestNeverMissing has nodes write, leave, and clear each other away, all at
// the same time. An entry in a scope that its node has not claimed would stay
// for ever when the node dies.
func TestNeverMissing(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client()
	const nodes, scopes, users = 3, 2, 4
	scope := func(i int) presence.Scope { return presence.Scope{Room: fmt.Sprint("r", i)} }
	seed := rand.Uint64()
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	for round := range 25 {
		var wg sync.WaitGroup
		var op atomic.Uint64
		var stores [nodes]*redispresence.Store
		for i := range nodes {
			stores[i] = redispresence.New(client, redispresence.WithTimeout(5*time.Second))
		}
		if round%2 == 1 {
			stores[1] = stores[0] // two of one process, which knows what both have claimed
		}
		for i := range nodes {
			me := fmt.Sprintf("n%d.%d", i, round)
			rng := rand.New(rand.NewPCG(seed, uint64(round*nodes+i)))
			wg.Go(func() {
				var last [scopes]uint64
				for range 40 {
					s := rng.IntN(scopes)
					e := entryOf(fmt.Sprint("u", rng.IntN(users)), fmt.Sprint("c", i, rng.IntN(2)))
					ch := presence.Change{Action: presence.Put, Entry: e}
					switch rng.IntN(6) {
					case 0, 1:
						ch.Action = presence.Remove
					case 2:
						ch = presence.Change{Action: presence.RemoveNode, Entry: presence.Entry{Node: fmt.Sprintf("n%d.%d", rng.IntN(nodes), round)}, Limit: 1 + rng.IntN(5)}
					case 3:
						if _, err := stores[i].Beat(t.Context(), me, time.Hour); err != nil && !errors.Is(err, presence.ErrLapsed) {
							t.Errorf("beat: %v", err)
						}
					}
					b := presence.Batch{Scope: scope(s), Node: me, Op: op.Add(1), Prev: last[s], At: time.Now(), Changes: []presence.Change{ch}}
					switch _, err := stores[i].Update(t.Context(), b); {
					case errors.Is(err, presence.ErrLost):
						last[s] = 0
					case err != nil:
						t.Errorf("update: %v", err)
					default:
						last[s] = b.Op
					}
				}
			})
		}
		wg.Wait()
		known := placesIn(t, client)
		for i := range scopes {
			records, _, err := stores[0].List(t.Context(), scope(i), "", 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				for _, e := range r.Entries {
					if want := fmt.Sprintf("%d:%sr%s", len(e.Node), e.Node, scope(i).Room); !slices.Contains(known, want) {
						t.Fatalf("round %d: %s has an entry in %s and is not known to: %q", round, e.Node, scope(i).Room, known)
					}
				}
			}
		}
	}
}

// TestClearedInTheMiddle has a survivor clear a node away between its claim and
// its first entry.
func TestClearedInTheMiddle(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client()
	late := redispresence.New(client, redispresence.WithTimeout(5*time.Second))
	other := redispresence.New(client, redispresence.WithTimeout(5*time.Second))
	ctx, r := t.Context(), presence.Scope{Room: "r"}
	change := func(s *redispresence.Store, node string, op, prev uint64, ch presence.Change) {
		t.Helper()
		if _, err := s.Update(ctx, presence.Batch{Scope: r, Node: node, Op: op, Prev: prev, At: time.Now(), Changes: []presence.Change{ch}}); err != nil {
			t.Fatal(err)
		}
	}
	put := presence.Change{Action: presence.Put, Entry: entryOf("ada", "c")}
	clear := presence.Change{Action: presence.RemoveNode, Entry: presence.Entry{Node: "late"}, Limit: 5}
	change(late, "late", 1, 0, put)
	change(other, "other", 1, 0, clear)
	if got := placesIn(t, client); len(got) != 0 {
		t.Fatalf("after clearing away: %q", got)
	}
	// It has the token that the other one has released; Redis refuses it.
	clear.Entry.Node = "late"
	change(late, "late", 2, 0, presence.Change{Action: presence.Amend, Entry: entryOf("ada", "c")})
	change(late, "late", 3, 2, put)
	if got := placesIn(t, client); len(got) != 1 {
		t.Fatalf("after it wrote again: %q", got)
	}
}

// TestNothingStays shows that nothing is left of those who came and went, but
// for what is kept a minute for those whose answer got lost.
func TestNothingStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.node("a")
	client := w.server.Client()
	for i := range 700 {
		c := a.joins(fmt.Sprint("u", i), "", fmt.Sprint("r", i))
		// An error says that it is tried again.
		_ = c.Close(t.Context(), presence.ReasonLeft)
	}
	a.well()
	w.until("claims are released", func() bool { return len(placesIn(t, client)) == 0 })
	for _, key := range w.keys(client) {
		ttl, err := client.Do(t.Context(), client.B().Ttl().Key(key).Build()).AsInt64()
		if err != nil {
			t.Fatal(err)
		}
		if ttl < 0 && key != "wardroom:{n:}:leases" {
			t.Errorf("%s does not expire", key)
		}
	}
}

// TestFull shows that a full Redis takes nobody in, and lets everyone go.
func TestFull(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	store := redispresence.New(server.Client(), redispresence.WithTimeout(5*time.Second))
	r := presence.Scope{Room: "r"}
	update := func(op uint64, a presence.Action, user string) error {
		_, err := store.Update(t.Context(), presence.Batch{Scope: r, Node: "n", Op: op, Prev: op - 1, At: time.Now(), Changes: []presence.Change{{Action: a, Entry: entryOf(user, "c"+user)}}})
		return err
	}
	if err := update(1, presence.Put, "ada"); err != nil {
		t.Fatal(err)
	}
	server.Do("CONFIG", "SET", "maxmemory", "1")
	if err := update(2, presence.Put, "bob"); !errors.Is(err, redispresence.ErrUnavailable) {
		t.Fatalf("a full Redis takes somebody in: %v", err)
	}
	if rec, err := store.Get(t.Context(), r, "bob"); err != nil || len(rec.Entries) != 0 {
		t.Fatalf("half of it was done: %+v, %v", rec, err)
	}
	if err := update(2, presence.Remove, "ada"); err != nil {
		t.Fatalf("a full Redis lets nobody go: %v", err)
	}
	server.Do("CONFIG", "SET", "maxmemory", "0")
	if err := update(3, presence.Put, "bob"); err != nil {
		t.Fatal(err)
	}
}
