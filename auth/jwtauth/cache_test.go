package jwtauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
)

// counting counts how often a token is looked into, by its Identify function.
func counting(t *testing.T, c *clock, size int) (*Authenticator, *atomic.Int32) {
	var n atomic.Int32
	return newAuth(t, WithClock(c.now), WithCache(size), WithIssuer(Issuer{
		Name: issName, Audiences: []string{audName}, Keys: []Key{HMAC("", secret)},
		Identify: func(_ context.Context, _ map[string]any, id auth.Identity) (auth.Identity, error) {
			n.Add(1)
			return id, nil
		},
	})), &n
}

func hsToken(i int) string {
	return forge(m{"alg": "HS256"}, good(m{"n": i}), secret)
}

func TestCache(t *testing.T) {
	c := newClock()
	a, n := counting(t, c, 2)
	check := func(token string, looks int32) {
		t.Helper()
		if id, err := try(t, a, token); err != nil || id.ID != "ada" {
			t.Fatal(err)
		}
		if n.Load() != looks {
			t.Errorf("%d looks, want %d", n.Load(), looks)
		}
	}
	check(hsToken(1), 1)
	check(hsToken(1), 1)
	check(hsToken(2), 2)
	check(hsToken(1), 2)
	check(hsToken(3), 3) // takes the place of 2, which was used less lately
	check(hsToken(1), 3)
	check(hsToken(2), 4)
	if len(a.cache.lookup) != 2 || a.cache.order.Len() != 2 {
		t.Errorf("%d tokens in a cache of 2", len(a.cache.lookup))
	}

	// A token that differs anywhere is another one.
	token := hsToken(1)
	if _, err := try(t, a, token[:len(token)-1]+"A"); err == nil && token[len(token)-1] != 'A' {
		t.Error("another signature is in the cache")
	}

	c.advance(time.Hour)
	if _, err := try(t, a, hsToken(2)); !errors.Is(err, auth.ErrExpired) {
		t.Error(err)
	}
	if len(a.cache.lookup) != 1 {
		t.Errorf("an expired token stays: %d", len(a.cache.lookup))
	}
}

func TestCacheKeepsNoRefusals(t *testing.T) {
	c := newClock()
	a, _ := counting(t, c, 16)
	for i := range 100 {
		_, _ = try(t, a, forge(m{"alg": "HS256"}, good(m{"n": i, "aud": "x"}), secret))
		_, _ = try(t, a, forge(m{"alg": "HS256"}, good(m{"n": i}), []byte("another secret of 32 bytes......")))
	}
	if len(a.cache.lookup) != 0 {
		t.Errorf("%d refused tokens in the cache", len(a.cache.lookup))
	}
	// A token that is not valid yet is, later.
	token := forge(m{"alg": "HS256"}, good(m{"nbf": start.Add(time.Minute).Unix()}), secret)
	if _, err := try(t, a, token); err == nil {
		t.Error("too early")
	}
	c.advance(time.Minute)
	if _, err := try(t, a, token); err != nil {
		t.Error(err)
	}
}

func TestCacheOff(t *testing.T) {
	a, n := counting(t, newClock(), 0)
	for range 3 {
		if _, err := try(t, a, hsToken(1)); err != nil {
			t.Fatal(err)
		}
	}
	if n.Load() != 3 {
		t.Errorf("%d looks", n.Load())
	}
}

func TestCacheHoldsNoToken(t *testing.T) {
	a, _ := counting(t, newClock(), 4)
	token := hsToken(1)
	if _, err := try(t, a, token); err != nil {
		t.Fatal(err)
	}
	if _, ok := a.cache.lookup[sha256.Sum256([]byte(token))]; !ok {
		t.Error("the key is not the digest")
	}
}

func TestCacheConcurrently(t *testing.T) {
	a, _ := counting(t, newClock(), 8)
	tokens := make([]string, 32)
	for i := range tokens {
		tokens[i] = forge(m{"alg": "HS256"}, good(m{"sub": fmt.Sprint("u", i)}), secret)
	}
	var running sync.WaitGroup
	for g := range 8 {
		running.Go(func() {
			for i := range 400 {
				n := (i*7 + g) % len(tokens)
				id, err := a.Authenticate(context.Background(), auth.Credentials{Token: tokens[n]})
				if err != nil || id.ID != fmt.Sprint("u", n) {
					t.Errorf("%d: %q, %v", n, id.ID, err)
					return
				}
			}
		})
	}
	running.Wait()
	if len(a.cache.lookup) != 8 || a.cache.order.Len() != 8 {
		t.Errorf("%d tokens in a cache of 8", len(a.cache.lookup))
	}
}
