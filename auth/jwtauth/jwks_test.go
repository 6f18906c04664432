package jwtauth

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/auth"
)

// idp is an identity provider on a TLS socket that counts what is fetched.
type idp struct {
	*httptest.Server
	fetches atomic.Int32
	mu      sync.Mutex
	serve   http.HandlerFunc
}

func newIDP(t *testing.T, serve http.HandlerFunc) *idp {
	p := &idp{serve: serve}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.fetches.Add(1)
		p.mu.Lock()
		serve := p.serve
		p.mu.Unlock()
		serve(w, r)
	}))
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.StartTLS()
	t.Cleanup(p.Close)
	return p
}

func (p *idp) set(serve http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serve = serve
}

func text(s string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, s) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// client trusts the provider's certificate and keeps no connection.
func (p *idp) client() *http.Client {
	tr := p.Client().Transport.(*http.Transport).Clone()
	tr.DisableKeepAlives = true
	return &http.Client{Transport: tr}
}

func (p *idp) auth(t *testing.T, c *clock, opts ...Option) *Authenticator {
	return newAuth(t, append([]Option{
		WithClock(c.now), WithHTTPClient(p.client()),
		WithIssuer(Issuer{Name: issName, Audiences: []string{audName}, JWKS: p.URL + "/jwks"}),
	}, opts...)...)
}

func (p *idp) fetched(t *testing.T, want int32) {
	t.Helper()
	if n := p.fetches.Load(); n != want {
		t.Errorf("%d fetches, want %d", n, want)
	}
}

func ecToken(kid string) string {
	return forge(m{"alg": "ES256", "kid": kid}, good(), ecKey())
}

func edToken(kid string) string {
	return forge(m{"alg": "EdDSA", "kid": kid}, good(), edKey())
}

func TestJWKSRotation(t *testing.T) {
	c := newClock()
	p := newIDP(t, text(jwksOf(webKeyOf(ecKey(), m{"kid": "old", "use": "sig", "alg": "ES256"}))))
	a := p.auth(t, c)
	if _, err := try(t, a, ecToken("old")); err != nil {
		t.Fatal(err)
	}
	p.fetched(t, 1)

	// The issuer brings in a new key and signs with it at once.
	p.set(text(jwksOf(webKeyOf(ecKey(), m{"kid": "old"}), webKeyOf(edKey(), m{"kid": "new"}))))
	if _, err := try(t, a, edToken("new")); err != nil {
		t.Error("the new key was not fetched:", err)
	}
	p.fetched(t, 2)
	if _, err := try(t, a, ecToken("old")); err != nil {
		t.Error("the old key is gone too early:", err)
	}

	// The old key is taken out. Its tokens end with the set that had it, also those in the cache.
	p.set(text(jwksOf(webKeyOf(edKey(), m{"kid": "new"}))))
	c.advance(2 * time.Minute)
	if _, err := try(t, a, ecToken("unknown")); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Error(err)
	}
	p.fetched(t, 3)
	if _, err := try(t, a, ecToken("old")); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Error("a key that the issuer took out is still good:", err)
	}
	p.fetched(t, 3)
}

// TestJWKSCacheFollowsRotation presents one and the same token before and after its key goes.
func TestJWKSCacheFollowsRotation(t *testing.T) {
	c := newClock()
	p := newIDP(t, text(jwksOf(webKeyOf(ecKey(), m{"kid": "old"}))))
	a := p.auth(t, c)
	token := ecToken("old")
	for range 3 {
		if _, err := try(t, a, token); err != nil {
			t.Fatal(err)
		}
	}
	p.set(text(jwksOf(webKeyOf(edKey(), m{"kid": "new"}))))
	if _, err := try(t, a, edToken("new")); err != nil {
		t.Fatal(err)
	}
	if _, err := try(t, a, token); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Error("the cache outlives the key:", err)
	}
}

func TestThreatUnknownKeyStorm(t *testing.T) {
	c := newClock()
	p := newIDP(t, text(jwksOf(webKeyOf(ecKey(), m{"kid": "k"}))))
	a := p.auth(t, c)
	if _, err := try(t, a, ecToken("k")); err != nil {
		t.Fatal(err)
	}
	p.fetched(t, 1)

	var storm sync.WaitGroup
	for i := range 200 {
		storm.Go(func() {
			// Half of them all different, half the same, with good claims and a signature by nobody.
			kid := "same"
			if i%2 == 0 {
				kid = fmt.Sprint("kid-", i)
			}
			if _, err := a.Authenticate(context.Background(), auth.Credentials{Token: edToken(kid)}); !errors.Is(err, auth.ErrUnauthenticated) {
				t.Error(err)
			}
		})
	}
	storm.Wait()
	p.fetched(t, 2)

	// For a minute there is no other fetch, whatever comes.
	c.advance(59 * time.Second)
	for i := range 20 {
		if _, err := try(t, a, edToken(fmt.Sprint("later-", i))); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Error(err)
		}
	}
	p.fetched(t, 2)

	c.advance(time.Second)
	for i := range 20 {
		if _, err := try(t, a, edToken(fmt.Sprint("later-", i))); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Error(err)
		}
	}
	p.fetched(t, 3)

	// Good tokens never noticed.
	if _, err := try(t, a, ecToken("k")); err != nil {
		t.Error(err)
	}
	p.fetched(t, 3)
}

// One client that comes back every minute with the same unknown key does not cost a fetch every minute.
func TestJWKSNegativeCache(t *testing.T) {
	c := newClock()
	p := newIDP(t, text(jwksOf(webKeyOf(ecKey(), m{"kid": "k"}))))
	a := p.auth(t, c)
	for range 60 {
		if _, err := try(t, a, edToken("gone")); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Fatal(err)
		}
		c.advance(61 * time.Second)
	}
	// The first one, then after 1, 2, 4, 8, 16, 16 and 16 minutes of the hour at the latest.
	if n := p.fetches.Load(); n < 4 || n > 9 {
		t.Errorf("%d fetches in an hour", n)
	}
}

func TestJWKSNegativeCacheIsBounded(t *testing.T) {
	c := newClock()
	r := &remote{now: c.now, absent: make(map[string]absence)}
	for i := range 3 * maxAbsent {
		r.missed(fmt.Sprint(i))
	}
	if n := len(r.absent); n != maxAbsent {
		t.Errorf("%d kids are remembered", n)
	}
	c.advance(2 * time.Minute)
	r.missed("fresh")
	if _, ok := r.absent["fresh"]; !ok || len(r.absent) != 1 {
		t.Errorf("old ones were not given up: %d", len(r.absent))
	}
}

func TestThreatJWKSDown(t *testing.T) {
	p := newIDP(t, status(http.StatusInternalServerError))
	c := newClock()
	a := p.auth(t, c)
	// With no set at all it is not the client's fault.
	_, err := try(t, a, ecToken("k"))
	if !errors.Is(err, auth.ErrUnavailable) || errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("with no set: %v", err)
	}
	// A token that is bad in itself is refused without any keys.
	for _, bad := range []string{"x", forge(m{"alg": "none"}, good(), ecKey()), forge(m{"alg": "ES256", "kid": "k"}, good(m{"iss": "other"}), ecKey())} {
		if _, err := try(t, a, bad); errors.Is(err, auth.ErrUnavailable) || !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("bad token: %v", err)
		}
	}

	up := newIDP(t, text(jwksOf(webKeyOf(ecKey(), m{"kid": "k"}))))
	a = up.auth(t, c)
	if _, err := try(t, a, ecToken("k")); err != nil {
		t.Fatal(err)
	}
	for name, broken := range map[string]http.HandlerFunc{
		"status 500":     status(http.StatusInternalServerError),
		"status 404":     status(http.StatusNotFound),
		"status 204":     status(http.StatusNoContent),
		"wrong content":  text("<!doctype html><title>Sign in</title>"),
		"JSON but none":  text(`{"issuer":"x"}`),
		"a list":         text(`[]`),
		"empty":          text(""),
		"no keys":        text(`{"keys":[]}`),
		"only symmetric": text(jwksOf(webKeyOf(secret, m{"kid": "k", "alg": "HS256"}))),
		"status 500 with keys": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, jwksOf(webKeyOf(edKey(), m{"kid": "new"})))
		},
		"cut off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"keys":[`)
		},
		"dropped": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"huge": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, jwksOf(webKeyOf(edKey(), m{"kid": "new"}))+strings.Repeat(" ", maxJWKS))
		},
		"too many keys": func(w http.ResponseWriter, _ *http.Request) {
			keys := make([]m, maxJWKSKeys+1)
			for i := range keys {
				keys[i] = webKeyOf(edKey(), m{"kid": fmt.Sprint("new", i)})
			}
			_, _ = io.WriteString(w, jwksOf(keys...))
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := up.fetches.Load()
			up.set(broken)
			c.advance(time.Hour)
			late := m{"exp": start.Add(1000 * time.Hour).Unix()}
			if _, err := try(t, a, forge(m{"alg": "EdDSA", "kid": "new"}, good(late), edKey())); !errors.Is(err, auth.ErrUnauthenticated) {
				t.Errorf("an unknown key gives %v", err)
			}
			if up.fetches.Load() == before {
				t.Error("nothing was fetched, so nothing is shown")
			}
			if _, err := try(t, a, forge(m{"alg": "ES256", "kid": "k"}, good(late), ecKey())); err != nil {
				t.Errorf("the last good set does not serve: %v", err)
			}
		})
	}
}

func TestThreatJWKSHugeFirst(t *testing.T) {
	var sent atomic.Int64
	p := newIDP(t, func(w http.ResponseWriter, _ *http.Request) {
		chunk := bytes.Repeat([]byte(" "), 64<<10)
		for range 1024 {
			n, err := w.Write(chunk)
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	})
	a := p.auth(t, newClock())
	if _, err := try(t, a, ecToken("k")); !errors.Is(err, auth.ErrUnavailable) {
		t.Error(err)
	}
	if n := sent.Load(); n > 16<<20 {
		t.Errorf("%d bytes of an endless answer went out", n)
	}
}

func TestThreatJWKSSlow(t *testing.T) {
	release := make(chan struct{})
	p := newIDP(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	a := p.auth(t, newClock(), WithFetchTimeout(100*time.Millisecond))

	// The client's own deadline counts.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := a.Authenticate(ctx, auth.Credentials{Token: ecToken("k")})
	if !errors.Is(err, auth.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	// And the fetch has one of its own.
	begin := time.Now()
	if _, err := try(t, a, ecToken("k")); !errors.Is(err, auth.ErrUnavailable) {
		t.Error(err)
	}
	if d := time.Since(begin); d > 3*time.Second {
		t.Errorf("waited %v", d)
	}
}

func TestThreatJWKSKeysDropped(t *testing.T) {
	small := must(rsa.GenerateKey(rand.Reader, 1024)) //nolint:gosec // it is to be refused
	var logged bytes.Buffer
	p := newIDP(t, text(jwksOf(
		webKeyOf(ecKey(), m{"kid": "good"}),
		webKeyOf(secret, m{"kid": "symmetric"}),
		webKeyOf(secret, m{"kid": "symmetric-es", "alg": "ES256"}),
		webKeyOf(edKey(), m{"kid": "twice"}),
		webKeyOf(ecKey(), m{"kid": "twice"}),
		webKeyOf(ecKey(), m{"kid": "private", "d": b64.EncodeToString(make([]byte, 32))}),
		webKeyOf(ecKey(), m{"kid": "encryption", "use": "enc"}),
		webKeyOf(ecKey(), m{"kid": "signing", "key_ops": []string{"sign"}}),
		webKeyOf(ecKey(), m{"kid": "other-alg", "alg": "RS256"}),
		webKeyOf(ecKey(), m{"kid": "ecdh", "alg": "ECDH-ES"}),
		webKeyOf(small, m{"kid": "small"}),
		webKeyOf(rsaKey(), m{"kid": "even", "e": "BA"}),
		webKeyOf(ecKey(), m{"kid": "off-curve", "x": b64.EncodeToString(make([]byte, 32))}),
		webKeyOf(ecKey(), m{"kid": "unknown-type", "kty": "LWE"}),
		webKeyOf(ecKey(), m{"kid": "unknown-curve", "crv": "P-999"}),
		webKeyOf(ecKey(), m{"kid": "secp256k1", "crv": "secp256k1"}),
		webKeyOf(edKey(), m{"kid": "x25519", "crv": "X25519"}),
		webKeyOf(ecKey(), m{"kid": 7}),
		webKeyOf(ecKey(), m{"kid": strings.Repeat("k", 300)}),
		m{},
	)))
	a := p.auth(t, newClock(), WithLogger(slog.New(slog.NewTextHandler(&logged, nil))))
	if _, err := try(t, a, ecToken("good")); err != nil {
		t.Fatal("one bad key spoils the set:", err)
	}
	for kid, token := range map[string]string{
		"symmetric":     forge(m{"alg": "HS256", "kid": "symmetric"}, good(), secret),
		"symmetric-es":  forge(m{"alg": "HS256", "kid": "symmetric-es"}, good(), secret),
		"twice, first":  edToken("twice"),
		"twice, second": ecToken("twice"),
		"private":       ecToken("private"),
		"encryption":    ecToken("encryption"),
		"signing":       ecToken("signing"),
		"other-alg":     ecToken("other-alg"),
		"ecdh":          ecToken("ecdh"),
		"small":         forge(m{"alg": "RS256", "kid": "small"}, good(), small),
		"secp256k1":     ecToken("secp256k1"),
		"7":             ecToken("7"),
		"good as RSA":   forge(m{"alg": "RS256", "kid": "good"}, good(), rsaKey()),
		"good as HS":    forge(m{"alg": "HS256", "kid": "good"}, good(), secret),
	} {
		if _, err := try(t, a, token); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("%s: %v", kid, err)
		}
	}
	_ = a.Close()
	if s := logged.String(); strings.Count(s, "jwks changed") != 1 || !strings.Contains(s, "symmetric") || strings.Contains(s, b64.EncodeToString(secret)) {
		t.Errorf("log: %s", s)
	}
}

func TestJWKSWithoutKeyIDs(t *testing.T) {
	p := newIDP(t, text(jwksOf(webKeyOf(ecKey(), nil), webKeyOf(edKey(), m{"kid": "ed"}))))
	a := p.auth(t, newClock())
	if _, err := try(t, a, forge(m{"alg": "ES256"}, good(), ecKey())); err != nil {
		t.Error("token and key without an ID:", err)
	}
	if _, err := try(t, a, forge(m{"alg": "EdDSA"}, good(), edKey())); err != nil {
		t.Error("token without an ID, one key fits:", err)
	}
	if _, err := try(t, a, ecToken("x")); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Error("token with an ID that the set does not have:", err)
	}

	// Where many keys fit, a token must say which.
	var keys []m
	for i := range maxAnonymous + 1 {
		keys = append(keys, webKeyOf(ecKey(), m{"kid": fmt.Sprint(i)}))
	}
	p.set(text(jwksOf(keys...)))
	a = p.auth(t, newClock())
	if _, err := try(t, a, forge(m{"alg": "ES256"}, good(), ecKey())); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Error("many keys were tried:", err)
	}
	if _, err := try(t, a, ecToken("3")); err != nil {
		t.Error(err)
	}
}

func TestJWKSRedirects(t *testing.T) {
	other := newIDP(t, text(jwksOf(webKeyOf(ecKey(), m{"kid": "k"}))))
	p := newIDP(t, nil)
	p.set(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/jwks":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		default:
			text(jwksOf(webKeyOf(ecKey(), m{"kid": "k"})))(w, r)
		}
	})
	if _, err := try(t, p.auth(t, newClock()), ecToken("k")); err != nil {
		t.Error("a redirect on the same host:", err)
	}
	for name, serve := range map[string]http.HandlerFunc{
		"other host": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) },
		"plain http": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://"+r.Host+"/x", http.StatusFound)
		},
		"in circles": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
	} {
		p.set(serve)
		before := p.fetches.Load()
		if _, err := try(t, p.auth(t, newClock()), ecToken("k")); !errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
		if n := p.fetches.Load() - before; n > 5 {
			t.Errorf("%s: %d requests", name, n)
		}
	}
	other.fetched(t, 0)

	// The same host over http is another port as a rule, but need not be.
	f := newFetcher("https://id.example/jwks", nil, time.Second)
	from := httptest.NewRequest(http.MethodGet, "https://id.example/jwks", nil)
	for to, ok := range map[string]bool{"https://id.example/x": true, "http://id.example/x": false, "https://id.example:444/x": false} {
		if err := f.client.CheckRedirect(httptest.NewRequest(http.MethodGet, to, nil), []*http.Request{from}); (err == nil) != ok {
			t.Errorf("redirect to %s: %v", to, err)
		}
	}
}

// Everybody who comes with the new key while it is being fetched gets in by that one fetch.
func TestJWKSRotationUnderLoad(t *testing.T) {
	p := newIDP(t, text(jwksOf(webKeyOf(ecKey(), m{"kid": "old"}))))
	a := p.auth(t, newClock())
	if _, err := try(t, a, ecToken("old")); err != nil {
		t.Fatal(err)
	}
	arrived := make(chan struct{}, 50)
	p.set(func(w http.ResponseWriter, r *http.Request) {
		for range cap(arrived) {
			<-arrived
		}
		text(jwksOf(webKeyOf(edKey(), m{"kid": "new"})))(w, r)
	})
	var crowd sync.WaitGroup
	for i := range cap(arrived) {
		crowd.Go(func() {
			token := forge(m{"alg": "EdDSA", "kid": "new"}, good(m{"n": i}), edKey())
			arrived <- struct{}{}
			if _, err := a.Authenticate(context.Background(), auth.Credentials{Token: token}); err != nil {
				t.Error(err)
			}
		})
	}
	crowd.Wait()
	p.fetched(t, 2)
}

func TestJWKSUntrustedCertificate(t *testing.T) {
	p := newIDP(t, text(jwksOf(webKeyOf(ecKey(), m{"kid": "k"}))))
	a := newAuth(t, WithClock(newClock().now), WithIssuer(Issuer{Name: issName, Audiences: []string{audName}, JWKS: p.URL}))
	if _, err := try(t, a, ecToken("k")); !errors.Is(err, auth.ErrUnavailable) {
		t.Error(err)
	}
	p.fetched(t, 0)
}

// scripted answers fetches in a synctest bubble, where there are no sockets.
type scripted struct {
	fetches atomic.Int32
	answer  func(n int32) (string, error)
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := s.answer(s.fetches.Add(1))
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func (s *scripted) auth(t *testing.T, opts ...Option) *Authenticator {
	return newAuth(t, append([]Option{
		WithHTTPClient(&http.Client{Transport: s}),
		WithIssuer(Issuer{Name: issName, Audiences: []string{audName}, JWKS: "https://id.example/jwks"}),
	}, opts...)...)
}

func ecTokenNow(kid string) string {
	return forge(m{"alg": "ES256", "kid": kid}, good(m{"exp": time.Now().Add(24 * time.Hour).Unix()}), ecKey())
}

func TestThreatJWKSFirstFetchRetriedSoon(t *testing.T) {
	good := jwksOf(webKeyOf(ecKey(), m{"kid": "k"}))
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		s := &scripted{answer: func(int32) (string, error) {
			if !up.Load() {
				return "", errors.New("down")
			}
			return good, nil
		}}
		a := s.auth(t)
		token := ecTokenNow("k")
		synctest.Wait()
		if _, err := try(t, a, token); !errors.Is(err, auth.ErrUnavailable) {
			t.Error(err)
		}
		// A crowd that comes while it is down does not make it fetch any sooner.
		for range 100 {
			_, _ = try(t, a, token)
		}
		if n := s.fetches.Load(); n != 1 {
			t.Errorf("%d fetches at once", n)
		}
		time.Sleep(1200 * time.Millisecond)
		if n := s.fetches.Load(); n != 2 {
			t.Errorf("%d fetches after a second", n)
		}
		// 1 + 2 + 4 + 8 + 16 + 32 s, then each minute.
		time.Sleep(time.Hour)
		if n := s.fetches.Load(); n < 60 || n > 75 {
			t.Errorf("%d fetches in an hour of being down", n)
		}
		up.Store(true)
		time.Sleep(70 * time.Second)
		if _, err := try(t, a, token); err != nil {
			t.Error("it came back and nobody noticed:", err)
		}
	})
}

func TestJWKSRefresh(t *testing.T) {
	first, second := jwksOf(webKeyOf(ecKey(), m{"kid": "k"})), jwksOf(webKeyOf(edKey(), m{"kid": "k2"}))
	synctest.Test(t, func(t *testing.T) {
		var body atomic.Pointer[string]
		body.Store(&first)
		s := &scripted{answer: func(int32) (string, error) { return *body.Load(), nil }}
		a := s.auth(t, WithRefresh(10*time.Minute))
		token := ecTokenNow("k")
		if _, err := try(t, a, token); err != nil {
			t.Fatal(err)
		}
		kept := a.issuers[issName].remote.keys.Load()
		time.Sleep(time.Hour)
		if n := s.fetches.Load(); n < 6 || n > 8 {
			t.Errorf("%d fetches in an hour", n)
		}
		if a.issuers[issName].remote.keys.Load() != kept {
			t.Error("the same keys are another set, which empties the cache of tokens")
		}
		body.Store(&second)
		time.Sleep(12 * time.Minute)
		if _, err := try(t, a, token); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Error("the refresh did not take the key out:", err)
		}
	})
}

func TestJWKSRefreshFails(t *testing.T) {
	set := jwksOf(webKeyOf(ecKey(), m{"kid": "k"}))
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{answer: func(n int32) (string, error) {
			if n > 1 {
				return "", errors.New("down")
			}
			return set, nil
		}}
		a := s.auth(t)
		token := ecTokenNow("k")
		time.Sleep(12 * time.Hour)
		if _, err := try(t, a, token); err != nil {
			t.Error("the last good set was given up:", err)
		}
	})
}

func TestClose(t *testing.T) {
	set := jwksOf(webKeyOf(ecKey(), m{"kid": "k"}))
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{answer: func(int32) (string, error) { return set, nil }}
		a := s.auth(t)
		if _, err := try(t, a, ecTokenNow("k")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(24 * time.Hour)
		if n := s.fetches.Load(); n != 1 {
			t.Errorf("%d fetches, some after Close", n)
		}
		if _, err := try(t, a, ecTokenNow("k")); err != nil {
			t.Error("it no longer serves:", err)
		}
		// Nobody is left to fetch; this must not wait for it.
		if _, err := try(t, a, ecTokenNow("unknown")); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Error(err)
		}
	})
}

func TestCloseDuringTheFirstFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuth(t, WithHTTPClient(&http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			time.Sleep(time.Second) // a transport may take its time to give up
			return nil, r.Context().Err()
		})}), WithFetchTimeout(time.Minute), WithIssuer(Issuer{Name: issName, Audiences: []string{audName}, JWKS: "https://id.example/jwks"}))
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if _, err := a.Authenticate(context.Background(), auth.Credentials{Token: ecTokenNow("k")}); !errors.Is(err, auth.ErrUnavailable) {
				t.Error(err)
			}
		})
		synctest.Wait()
		begin := time.Now()
		_ = a.Close()
		if d := time.Since(begin); d != time.Second {
			t.Errorf("Close took %v, and the fetch ended after a second", d)
		}
		waiting.Wait()
	})
}

// The URL of a set may have a key in its query, and errors of net/http repeat URLs.
func TestJWKSLogHidesTheURL(t *testing.T) {
	const canary = "canary-4711"
	var logged bytes.Buffer
	a := newAuth(t, WithLogger(slog.New(slog.NewTextHandler(&logged, nil))),
		WithHTTPClient(&http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("refused") })}),
		WithIssuer(Issuer{Name: issName, Audiences: []string{audName}, JWKS: "https://id.example/jwks?key=" + canary}))
	_, _ = try(t, a, ecToken("k"))
	_ = a.Close()
	if s := logged.String(); strings.Contains(s, canary) || !strings.Contains(s, "refused") || !strings.Contains(s, issName) {
		t.Error(s)
	}
}
