package jwtauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
)

// Tokens are forged here with the standard library alone: a test that signs with jwx would share its mistakes.

type m = map[string]any

var b64 = base64.RawURLEncoding

// The keys of the tests are made once, since RSA takes its time.
var (
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	edKey  = sync.OnceValue(func() ed25519.PrivateKey {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return must(key, err)
	})
	secret = []byte("0123456789abcdef0123456789abcdef")
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func enc(v any) string {
	if s, ok := v.(string); ok {
		return b64.EncodeToString([]byte(s))
	}
	return b64.EncodeToString(must(json.Marshal(v)))
}

// forge makes a token of any header and claims (maps, or strings of raw JSON) with a signature by key as its type says,
// whatever alg says.
func forge(header, claims, key any) string {
	return forgeRaw(enc(header), enc(claims), key)
}

// forgeRaw is forge with both segments spelled by the caller.
func forgeRaw(header, claims string, key any) string {
	input := header + "." + claims
	return input + "." + b64.EncodeToString(signature(input, key))
}

func signature(input string, key any) []byte {
	digest := sha256.Sum256([]byte(input))
	switch key := key.(type) {
	case []byte:
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(input))
		return mac.Sum(nil)
	case *rsa.PrivateKey:
		return must(rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:]))
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		must(0, err)
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	case ed25519.PrivateKey:
		return ed25519.Sign(key, []byte(input))
	default:
		panic("no such key")
	}
}

// start is when the fake clocks of the tests begin.
var start = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

const (
	issName = "https://id.example"
	audName = "wardroom"
)

// good are claims that pass, with changes: nil removes a claim.
func good(changes ...m) m {
	claims := m{"iss": issName, "aud": audName, "sub": "ada", "exp": start.Add(time.Hour).Unix()}
	for _, c := range changes {
		for name, v := range c {
			if v == nil {
				delete(claims, name)
			} else {
				claims[name] = v
			}
		}
	}
	return claims
}

// clock is a fake clock.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: start} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = t
}

func (c *clock) advance(d time.Duration) { c.set(c.now().Add(d)) }

// newAuth closes the Authenticator when the test ends.
func newAuth(tb testing.TB, opts ...Option) *Authenticator {
	tb.Helper()
	a, err := New(opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = a.Close() })
	return a
}

// withKeys is an issuer with static keys and a clock that stands at start.
func withKeys(tb testing.TB, keys ...Key) *Authenticator {
	tb.Helper()
	return newAuth(tb, WithClock(newClock().now), WithIssuer(Issuer{Name: issName, Audiences: []string{audName}, Keys: keys}))
}

func try(tb testing.TB, a *Authenticator, token string) (auth.Identity, error) {
	tb.Helper()
	return a.Authenticate(tb.Context(), auth.Credentials{Token: token, Source: auth.SourceHeader})
}

// webKeyOf is the JWK of a public key, with further members.
func webKeyOf(key any, members m) m {
	jwk := m{}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		jwk = m{"kty": "RSA", "n": b64.EncodeToString(key.N.Bytes()), "e": b64.EncodeToString(big.NewInt(int64(key.E)).Bytes())}
	case *ecdsa.PrivateKey:
		point := must(key.PublicKey.ECDH()).Bytes()
		jwk = m{"kty": "EC", "crv": "P-256", "x": b64.EncodeToString(point[1:33]), "y": b64.EncodeToString(point[33:])}
	case ed25519.PrivateKey:
		jwk = m{"kty": "OKP", "crv": "Ed25519", "x": b64.EncodeToString(key.Public().(ed25519.PublicKey))}
	case []byte:
		jwk = m{"kty": "oct", "k": b64.EncodeToString(key)}
	}
	for name, v := range members {
		jwk[name] = v
	}
	return jwk
}

func jwksOf(keys ...m) string {
	return string(must(json.Marshal(m{"keys": keys})))
}
