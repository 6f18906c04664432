package redislimit_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/limit/limittest"
	"github.com/wardroom/wardroom/limit/redislimit"
)

func TestCounterConforms(t *testing.T) {
	client := redistest.Start(t).Client()
	var n atomic.Int64
	limittest.TestCounter(t, func(*testing.T) limit.Counter {
		return redislimit.NewCounter(client, redislimit.WithPrefix(fmt.Sprintf("c%d:", n.Add(1))), redislimit.WithTimeout(5*time.Second))
	}, limittest.Options{RealTime: true})
}

// Without Redis a call fails in time and says so, and a full one counts nothing
// more; nothing is left when everything has expired.
func TestCounterUnavailable(t *testing.T) {
	server := redistest.Start(t)
	c := redislimit.NewCounter(server.Client(), redislimit.WithTimeout(500*time.Millisecond))
	if ok, err := c.Take(t.Context(), "k", "1", 1, 300*time.Millisecond); !ok || err != nil {
		t.Fatal(ok, err)
	}
	server.Do("CONFIG", "SET", "maxmemory", "1")
	if ok, err := c.Take(t.Context(), "full", "1", 1, time.Hour); ok || err == nil {
		t.Errorf("full: %v, %v", ok, err)
	}
	server.Do("CONFIG", "SET", "maxmemory", "0")
	for end := time.Now().Add(10 * time.Second); server.Do("KEYS", "*") != "[]"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("keys are left: %s", server.Do("KEYS", "*"))
		}
	}
	server.Pause()
	defer server.Resume()
	for what, call := range map[string]func() error{
		"Take":  func() error { _, err := c.Take(t.Context(), "k", "1", 1, time.Hour); return err },
		"Renew": func() error { return c.Renew(t.Context(), []limit.Lease{{Key: "k", ID: "1"}}, time.Hour) },
		"Drop":  func() error { return c.Drop(t.Context(), "k", "1") },
	} {
		if err := call(); !errors.Is(err, redislimit.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
