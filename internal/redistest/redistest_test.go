package redistest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/goleak"

	"github.com/wardroom/wardroom/internal/redistest"
)

// What rueidis puts off for some seconds it does not wait for when it is closed.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"))
}

func TestServer(t *testing.T) {
	t.Parallel()
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

func put(t *testing.T, c rueidis.Client, key, value string) {
	t.Helper()
	if err := c.Do(t.Context(), c.B().Set().Key(key).Value(value).Build()).Error(); err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, c rueidis.Client, key, value string) {
	t.Helper()
	var got string
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		got, err = c.Do(ctx, c.B().Get().Key(key).Build()).ToString()
		cancel()
		if err == nil && got == value {
			return
		}
	}
	t.Errorf("%s is %q, %v", key, got, err)
}

func TestCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	c := cluster.Client()
	keys := []string{"a", "b", "c", "d", "e", "f"}
	for _, k := range keys {
		put(t, c, k, k)
	}
	slot := cluster.Slot("a")
	from := cluster.Primary(slot)
	cluster.Failover(slot)
	if cluster.Primary(slot) == from {
		t.Error("the primary is still the same")
	}
	has(t, c, "a", "a")
	to := cluster.Primary(cluster.Slot("b"))
	if to == cluster.Primary(slot) {
		t.Fatal("the test needs keys of two primaries")
	}
	cluster.Migrate(slot, to)
	if cluster.Primary(slot) != to {
		t.Error("the slot has not moved")
	}
	was := cluster.Primary(cluster.Slot("b"))
	was.Kill()
	cluster.Promoted(slot, was)
	for _, k := range keys {
		has(t, c, k, k)
	}
	cluster.Rejoin(was)
	for _, k := range keys {
		has(t, c, k, k)
	}
	if info := was.Do("INFO", "replication"); !strings.Contains(info, "role:slave") {
		t.Errorf("the one that was killed does not follow: %s", info)
	}
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t)
	c := s.Client()
	put(t, c, "a", "1")
	was := s.Primary()
	s.Failover()
	if s.Primary() == was {
		t.Error("the primary is still the same")
	}
	has(t, c, "a", "1")
	put(t, c, "a", "2")
	s.Replicated()
	was = s.Primary()
	was.Kill()
	s.Promoted(was)
	has(t, c, "a", "2")
}

// The environment says which server is started.
func TestServerOfChoice(t *testing.T) {
	redis, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed: make test installs it")
	}
	dir := t.TempDir()
	chosen, seen := filepath.Join(dir, "another-server"), filepath.Join(dir, "seen")
	script := fmt.Sprintf("#!/bin/sh\necho started >> %q\nexec %q \"$@\"\n", seen, redis)
	if err := os.WriteFile(chosen, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("REDIS_SERVER", chosen)
	s := redistest.Start(t)
	s.Kill()
	s.Restart()
	if got, err := os.ReadFile(seen); err != nil || strings.Count(string(got), "started\n") < 2 {
		t.Errorf("it was %q, %v", got, err)
	}
}
