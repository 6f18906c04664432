package redistest_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/wardroom/wardroom/internal/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServer(t *testing.T) {
	s := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	s.Do("SET", "k", "v")
	s.Kill()
	s.Restart()
	c := s.Client()
	get := func(timeout time.Duration) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		return c.Do(ctx, c.B().Get().Key("k").Build()).ToString()
	}
	if v, err := get(5 * time.Second); err != nil || v != "v" {
		t.Errorf("after a restart: %q, %v", v, err)
	}
	s.Pause()
	if _, err := get(50 * time.Millisecond); err == nil {
		t.Error("a paused server answers")
	}
	s.Resume()
	if v, err := get(5 * time.Second); err != nil || v != "v" {
		t.Errorf("after a pause: %q, %v", v, err)
	}
}
