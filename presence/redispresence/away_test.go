package redispresence_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/presence/redispresence"
)

// While Redis is known to be away nobody waits for it, and it is found to be
// back.
func TestAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	const timeout = 500 * time.Millisecond
	s := redispresence.New(server.Client(), redispresence.WithTimeout(timeout))
	scope, op := presence.Scope{Room: "r"}, uint64(0)
	calls := map[string]func(context.Context) error{
		"Beat":    func(ctx context.Context) error { _, err := s.Beat(ctx, "a", time.Minute); return err },
		"Orphans": func(ctx context.Context) error { _, err := s.Orphans(ctx, "a", 1); return err },
		"Get":     func(ctx context.Context) error { _, err := s.Get(ctx, scope, "ada"); return err },
		"List":    func(ctx context.Context) error { _, _, err := s.List(ctx, scope, "", 1); return err },
		"Update": func(ctx context.Context) error {
			op++
			_, err := s.Update(ctx, presence.Batch{Scope: scope, Node: "a", Op: op, At: time.Now(), Changes: []presence.Change{
				{Action: presence.RemoveUser, Entry: presence.Entry{User: "ada"}},
			}})
			return err
		},
	}
	refused := func() {
		t.Helper()
		for name, call := range calls {
			if err := call(t.Context()); !errors.Is(err, redispresence.ErrUnavailable) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if err := calls["Beat"](t.Context()); err != nil { // the lease that the others are made under
		t.Fatal(err)
	}
	for name, call := range calls {
		if err := call(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	server.Pause()
	refused() // until it is known
	const rounds = 10
	began := time.Now()
	for range rounds {
		refused()
	}
	if took := time.Since(began); took > rounds*time.Duration(len(calls))*150*time.Millisecond {
		t.Errorf("%d calls took %v", rounds*len(calls), took)
	}
	server.Resume()
	for name, call := range calls {
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			err := call(t.Context())
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}
