package jwtauth

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
)

func TestAlgorithmsAccepted(t *testing.T) {
	for _, tt := range []struct {
		alg      string
		key      any
		verifier Key
	}{
		{"HS256", secret, HMAC("", secret)},
		{"RS256", rsaKey(), PublicKey("", rsaKey().Public())},
		{"ES256", ecKey(), PublicKey("", ecKey().Public())},
		{"EdDSA", edKey(), PublicKey("", edKey().Public())},
		{"Ed25519", edKey(), PublicKey("", edKey().Public())},
	} {
		t.Run(tt.alg, func(t *testing.T) {
			a := withKeys(t, tt.verifier)
			id, err := try(t, a, forge(m{"alg": tt.alg, "typ": "JWT"}, good(), tt.key))
			if err != nil || id.ID != "ada" {
				t.Fatalf("%q, %v", id.ID, err)
			}
			// One bit of the signature more.
			token := forge(m{"alg": tt.alg}, good(), tt.key)
			dot := strings.LastIndexByte(token, '.')
			sig := must(b64.DecodeString(token[dot+1:]))
			sig[len(sig)/2] ^= 1
			if _, err := try(t, a, token[:dot+1]+b64.EncodeToString(sig)); !errors.Is(err, auth.ErrUnauthenticated) {
				t.Errorf("a changed signature gives %v", err)
			}
			// Other claims under the signature.
			other := forge(m{"alg": tt.alg}, good(m{"sub": "eve"}), tt.key)
			if _, err := try(t, a, other[:strings.LastIndexByte(other, '.')]+token[dot:]); !errors.Is(err, auth.ErrUnauthenticated) {
				t.Errorf("changed claims give %v", err)
			}
		})
	}
}

// noFetch fails the test when anything is fetched.
func noFetch(t *testing.T) (*http.Client, *atomic.Int32) {
	var n atomic.Int32
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		n.Add(1)
		return nil, errors.New("nothing may be fetched")
	})}, &n
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestThreatForgedTokens is the first row of THREATS.md, "Authentication", and the second.
func TestThreatForgedTokens(t *testing.T) {
	rsaPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(rsaKey().Public()))})
	rs := m{"alg": "RS256", "kid": "rsa"}
	with := func(changes m) m {
		h := m{}
		for _, c := range []m{rs, changes} {
			for k, v := range c {
				h[k] = v
			}
		}
		return h
	}
	token := forge(rs, good(), rsaKey())
	parts := strings.Split(token, ".")
	header, payload, sig := parts[0], parts[1], parts[2]

	for name, token := range map[string]string{
		"empty":                          "",
		"no dots":                        "abc",
		"two segments":                   header + "." + payload,
		"none without signature":         enc(m{"alg": "none"}) + "." + payload + ".",
		"none with signature":            forge(m{"alg": "none"}, good(), rsaKey()),
		"None":                           forge(m{"alg": "None"}, good(), rsaKey()),
		"NONE with kid":                  forge(m{"alg": "NONE", "kid": "rsa"}, good(), rsaKey()),
		"signature left out":             header + "." + payload + ".",
		"alg empty":                      forge(with(m{"alg": ""}), good(), rsaKey()),
		"alg missing":                    forge(m{"kid": "rsa"}, good(), rsaKey()),
		"alg null":                       forge(with(m{"alg": nil}), good(), rsaKey()),
		"alg a number":                   forge(with(m{"alg": 1}), good(), rsaKey()),
		"alg a list":                     forge(with(m{"alg": []string{"RS256"}}), good(), rsaKey()),
		"alg in lower case":              forge(with(m{"alg": "rs256"}), good(), rsaKey()),
		"alg unknown":                    forge(with(m{"alg": "XX256"}), good(), rsaKey()),
		"ES256K":                         forge(with(m{"alg": "ES256K"}), good(), rsaKey()),
		"alg of an encryption":           forge(with(m{"alg": "RSA-OAEP"}), good(), rsaKey()),
		"HS by the PEM of the RSA key":   forge(with(m{"alg": "HS256"}), good(), rsaPEM),
		"HS by the DER of the RSA key":   forge(with(m{"alg": "HS256"}), good(), must(x509.MarshalPKIXPublicKey(rsaKey().Public()))),
		"HS without kid by the RSA PEM":  forge(m{"alg": "HS256"}, good(), rsaPEM),
		"HS by an empty key":             forge(with(m{"alg": "HS256"}), good(), []byte{}),
		"alg of another key type":        forge(with(m{"alg": "ES256"}), good(), ecKey()),
		"kid of another key":             forge(m{"alg": "RS256", "kid": "ec"}, good(), rsaKey()),
		"kid with a path":                forge(with(m{"kid": "../../../../dev/null"}), good(), []byte{}),
		"kid with SQL":                   forge(with(m{"kid": "x' UNION SELECT 'secret"}), good(), []byte("secret")),
		"kid with a URL":                 forge(with(m{"kid": "https://evil.example/key"}), good(), ecKey()),
		"kid empty":                      forge(with(m{"kid": ""}), good(), rsaKey()),
		"kid a number":                   forge(with(m{"kid": 1}), good(), rsaKey()),
		"kid too long":                   forge(with(m{"kid": strings.Repeat("k", 257)}), good(), rsaKey()),
		"jku":                            forge(with(m{"jku": "https://evil.example/jwks"}), good(), ecKey()),
		"jku, signed by us":              forge(with(m{"jku": "https://evil.example/jwks"}), good(), rsaKey()),
		"x5u":                            forge(with(m{"x5u": "https://evil.example/cert"}), good(), rsaKey()),
		"x5c":                            forge(with(m{"x5c": []string{"MIIB"}}), good(), rsaKey()),
		"x5t":                            forge(with(m{"x5t": "abc"}), good(), rsaKey()),
		"jwk":                            forge(m{"alg": "ES256", "jwk": webKeyOf(ecKey(), nil)}, good(), ecKey()),
		"crit of something unknown":      forge(with(m{"crit": []string{"exp"}, "exp": 1}), good(), rsaKey()),
		"crit empty":                     forge(with(m{"crit": []string{}}), good(), rsaKey()),
		"b64 false":                      forge(with(m{"b64": false, "crit": []string{"b64"}}), good(), rsaKey()),
		"b64 true":                       forge(with(m{"b64": true}), good(), rsaKey()),
		"zip":                            forge(with(m{"zip": "DEF"}), good(), rsaKey()),
		"cty":                            forge(with(m{"cty": "JWT"}), good(), rsaKey()),
		"unknown header":                 forge(with(m{"foo": "bar"}), good(), rsaKey()),
		"header in another case":         forge(with(m{"Alg": "RS256"}), good(), rsaKey()),
		"typ of something else":          forge(with(m{"typ": "dpop+jwt"}), good(), rsaKey()),
		"typ a number":                   forge(with(m{"typ": 1}), good(), rsaKey()),
		"duplicate alg":                  forge(`{"alg":"RS256","alg":"none","kid":"rsa"}`, good(), rsaKey()),
		"duplicate claim":                forge(rs, `{"iss":"`+issName+`","aud":"wardroom","exp":4102444800,"sub":"ada","sub":"eve"}`, rsaKey()),
		"header a list":                  forge(`["RS256"]`, good(), rsaKey()),
		"header null":                    forge(`null`, good(), rsaKey()),
		"header with a tail":             forge(`{"alg":"RS256","kid":"rsa"} {}`, good(), rsaKey()),
		"header too long":                forge(`{"alg":"RS256","kid":"rsa"`+strings.Repeat(" ", 2000)+`}`, good(), rsaKey()),
		"invalid UTF-8 in the claims":    forge(rs, "{\"iss\":\""+issName+"\",\"aud\":\"wardroom\",\"exp\":4102444800,\"sub\":\"ada\",\"x\":\"\xff\"}", rsaKey()),
		"claims null":                    forge(rs, `null`, rsaKey()),
		"claims a string":                forge(rs, `"ada"`, rsaKey()),
		"claims with a tail":             forge(rs, string(must(json.Marshal(good())))+"x", rsaKey()),
		"JSON serialisation, flattened":  `{"payload":"` + payload + `","protected":"` + header + `","signature":"` + sig + `"}`,
		"JSON serialisation, general":    `{"payload":"` + payload + `","signatures":[{"protected":"` + header + `","signature":"` + sig + `"}]}`,
		"JWE, compact":                   enc(m{"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": "rsa"}) + ".a2V5.aXY.Y2lwaGVy.dGFn",
		"JWE, direct":                    enc(m{"alg": "dir", "enc": "A256GCM"}) + "..aXY.Y2lwaGVy.dGFn",
		"JWE header on three segments":   enc(m{"alg": "dir", "enc": "A256GCM"}) + "." + payload + "." + sig,
		"detached payload":               header + ".." + sig,
		"four segments":                  token + "." + sig,
		"padding":                        header + "=." + payload + "." + sig,
		"standard base64":                header + "." + payload + "." + strings.NewReplacer("-", "+", "_", "/").Replace(sig) + "+",
		"line break in the claims":       forgeRaw(header, payload[:8]+"\n"+payload[8:], rsaKey()),
		"line break in the signature":    header + "." + payload + "." + sig[:8] + "\n" + sig[8:],
		"space in front":                 " " + token,
		"another spelling of the claims": forgeRaw(header, spelledOtherwise(enc(good(m{"x": ""})), enc(good(m{"x": "1"}))), rsaKey()),
		"another spelling, signature":    header + "." + payload + "." + spelledOtherwise(sig),
		"Bearer in the token":            "Bearer " + token,
	} {
		t.Run(name, func(t *testing.T) {
			client, fetches := noFetch(t)
			a := newAuth(t, WithClock(newClock().now), WithHTTPClient(client), WithIssuer(Issuer{
				Name: issName, Audiences: []string{audName},
				Keys: []Key{PublicKey("rsa", rsaKey().Public()), PublicKey("ec", ecKey().Public()), HMAC("hmac", secret)},
			}))
			id, err := try(t, a, token)
			if !errors.Is(err, auth.ErrUnauthenticated) || errors.Is(err, auth.ErrUnavailable) || id.ID != "" {
				t.Errorf("got %q, %v", id.ID, err)
			}
			if n := fetches.Load(); n != 0 {
				t.Errorf("%d fetches", n)
			}
		})
	}
	// What all of these start from is good.
	if _, err := try(t, withKeys(t, PublicKey("rsa", rsaKey().Public())), token); err != nil {
		t.Error(err)
	}
}

// spelledOtherwise changes bits of the last character that decode to nothing, of the first text that has such bits.
func spelledOtherwise(list ...string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, s := range list {
		if len(s)%4 != 0 {
			i := strings.IndexByte(alphabet, s[len(s)-1])
			return s[:len(s)-1] + string(alphabet[i|1])
		}
	}
	panic("none has such bits")
}

func TestThreatAlgorithmOutsideTheList(t *testing.T) {
	key := PublicKey("", rsaKey().Public())
	a := newAuth(t, WithClock(newClock().now), WithIssuer(Issuer{
		Name: issName, Audiences: []string{audName}, Keys: []Key{key}, Algorithms: []string{"PS256"},
	}))
	if _, err := try(t, a, forge(m{"alg": "RS256"}, good(), rsaKey())); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("RS256 where only PS256 is accepted gives %v", err)
	}
	a = newAuth(t, WithClock(newClock().now), WithIssuer(Issuer{
		Name: issName, Audiences: []string{audName}, Keys: []Key{PublicKey("k", rsaKey().Public())}, Algorithms: []string{"PS256"},
	}))
	if _, err := try(t, a, forge(m{"alg": "RS256", "kid": "k"}, good(), rsaKey())); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("RS256 by its kid where only PS256 is accepted gives %v", err)
	}
	// A secret that is long enough for HS512 is still for HS256 alone, unless the host says more.
	long := []byte(strings.Repeat("k", 64))
	a = withKeys(t, HMAC("", long))
	if _, err := try(t, a, forge(m{"alg": "HS512"}, good(), long)); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("HS512 by default gives %v", err)
	}
}

func TestThreatTokenTooLong(t *testing.T) {
	a := withKeys(t, HMAC("", secret))
	pad := func(n int) string {
		return forge(m{"alg": "HS256"}, good(m{"pad": strings.Repeat("x", n)}), secret)
	}
	n := 0
	for len(pad(n+1)) <= auth.MaxToken {
		n++
		if len(pad(n)) < auth.MaxToken-100 {
			n += 50
		}
	}
	if _, err := try(t, a, pad(n)); err != nil {
		t.Errorf("a token of %d bytes: %v", len(pad(n)), err)
	}
	if _, err := try(t, a, pad(n+2)); !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("a token of %d bytes: %v", len(pad(n+2)), err)
	}
	// It is the length that is refused, before anything is parsed: the same text for what is no token at all.
	for _, junk := range []string{strings.Repeat("a", auth.MaxToken+1), strings.Repeat(".", 1<<20)} {
		if _, err := try(t, a, junk); err == nil || !strings.Contains(err.Error(), "too long") {
			t.Errorf("%d bytes: %v", len(junk), err)
		}
	}
	if allocs := testing.AllocsPerRun(10, func() {
		if _, err := parseCompact(strings.Repeat("a.", 1), nil); err == nil {
			t.Fatal("accepted")
		}
	}); allocs > 10 {
		t.Errorf("%v allocations for a token that is none", allocs)
	}
}

// TestThreatClaims has every claim wrong in turn.
func TestThreatClaims(t *testing.T) {
	a := withKeys(t, HMAC("", secret))
	for _, tt := range []struct {
		name    string
		claims  any
		expired bool
	}{
		{"exp missing", good(m{"exp": nil}), false},
		{"exp past", good(m{"exp": start.Add(-time.Hour).Unix()}), true},
		{"exp a string", good(m{"exp": fmt.Sprint(start.Add(time.Hour).Unix())}), false},
		{"exp negative", good(m{"exp": -1}), false},
		{"exp zero", good(m{"exp": 0}), true},
		{"exp huge", good(m{"exp": 1e300}), false},
		{"exp a list", good(m{"exp": []int{1}}), false},
		{"exp null", `{"iss":"` + issName + `","aud":"wardroom","sub":"ada","exp":null}`, false},
		{"nbf to come", good(m{"nbf": start.Add(time.Hour).Unix()}), false},
		{"nbf a string", good(m{"nbf": "1"}), false},
		{"iat to come", good(m{"iat": start.Add(time.Hour).Unix()}), false},
		{"iat a string", good(m{"iat": "1"}), false},
		{"iss missing", good(m{"iss": nil}), false},
		{"iss wrong", good(m{"iss": "https://evil.example"}), false},
		{"iss with a slash more", good(m{"iss": issName + "/"}), false},
		{"iss a list", good(m{"iss": []string{issName}}), false},
		{"aud missing", good(m{"aud": nil}), false},
		{"aud wrong", good(m{"aud": "other"}), false},
		{"aud of others", good(m{"aud": []string{"a", "b"}}), false},
		{"aud empty", good(m{"aud": []string{}}), false},
		{"aud with a number", good(m{"aud": []any{audName, 1}}), false},
		{"aud that begins alike", good(m{"aud": audName + "2"}), false},
		{"sub missing", good(m{"sub": nil}), false},
		{"sub empty", good(m{"sub": ""}), false},
		{"sub a number", good(m{"sub": 7}), false},
		{"sub too long", good(m{"sub": strings.Repeat("a", 129)}), false},
		{"sub with a space", good(m{"sub": "ada l"}), false},
		{"sub with a line break", good(m{"sub": "ada\nadmin"}), false},
		{"sub with a slash", good(m{"sub": "a/b"}), false},
		{"sub with braces", good(m{"sub": "{ada}"}), false},
		{"sub beyond ASCII", good(m{"sub": "ädä"}), false},
		{"jti a number", good(m{"jti": 1}), false},
		{"name a number", good(m{"name": 1}), false},
		{"roles a number", good(m{"roles": 1}), false},
		{"roles of numbers", good(m{"roles": []int{1}}), false},
		{"roles with an empty one", good(m{"roles": []string{""}}), false},
		{"roles too many", good(m{"roles": make([]string, 65)}), false},
		{"role too long", good(m{"roles": []string{strings.Repeat("r", 65)}}), false},
		{"capabilities a list", good(m{"capabilities": []string{"team:*"}}), false},
		{"capabilities null", `{"iss":"` + issName + `","aud":"wardroom","sub":"ada","exp":4102444800,"capabilities":null}`, false},
		{"capability without verbs", good(m{"capabilities": m{"team:*": []string{}}}), false},
		{"capability with a string", good(m{"capabilities": m{"team:*": "join"}}), false},
		{"capability with an unknown verb", good(m{"capabilities": m{"team:*": []string{"own"}}}), false},
		{"capability with a bad pattern", good(m{"capabilities": m{"team*": []string{"join"}}}), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id, err := try(t, a, forge(m{"alg": "HS256"}, tt.claims, secret))
			if !errors.Is(err, auth.ErrUnauthenticated) || errors.Is(err, auth.ErrExpired) != tt.expired {
				t.Errorf("got %q, %v", id.ID, err)
			}
		})
	}
	// A stranger learns nothing about expiry: the signature comes first.
	_, err := try(t, a, forge(m{"alg": "HS256"}, good(m{"exp": 1}), []byte("another secret of 32 bytes......")))
	if !errors.Is(err, auth.ErrUnauthenticated) || errors.Is(err, auth.ErrExpired) {
		t.Errorf("an expired token of a stranger gives %v", err)
	}
}

func TestThreatTimesToTheSecond(t *testing.T) {
	for _, leeway := range []time.Duration{0, 10 * time.Second, 30 * time.Second} {
		for _, cached := range []int{0, 16} {
			t.Run(fmt.Sprintf("leeway %v, cache %d", leeway, cached), func(t *testing.T) {
				c := newClock()
				a := newAuth(t, WithClock(c.now), WithLeeway(leeway), WithCache(cached), WithIssuer(Issuer{
					Name: issName, Audiences: []string{audName}, Keys: []Key{HMAC("", secret)},
				}))
				exp, nbf := start.Add(time.Hour), start.Add(time.Minute)
				token := forge(m{"alg": "HS256"}, good(m{"exp": exp.Unix(), "nbf": nbf.Unix(), "iat": start.Unix()}), secret)
				for _, step := range []struct {
					at      time.Time
					ok      bool
					expired bool
				}{
					{nbf.Add(-leeway - time.Second), false, false},
					{nbf.Add(-leeway - 1), false, false},
					{nbf.Add(-leeway), true, false},
					{nbf.Add(-leeway + time.Second), true, false},
					{exp.Add(leeway - time.Second), true, false},
					{exp.Add(leeway - 1), true, false},
					{exp.Add(leeway), false, true},
					{exp.Add(leeway + time.Second), false, true},
				} {
					c.set(step.at)
					id, err := try(t, a, token)
					if (err == nil) != step.ok || errors.Is(err, auth.ErrExpired) != step.expired {
						t.Errorf("at exp%+v: %v", step.at.Sub(exp), err)
					}
					if err == nil && (!id.ExpiresAt.Equal(exp.Add(leeway)) || id.Expired(step.at)) {
						t.Errorf("at exp%+v: ExpiresAt is %v", step.at.Sub(exp), id.ExpiresAt)
					}
				}
			})
		}
	}
}

func TestFractionsOfASecond(t *testing.T) {
	c := newClock()
	a := newAuth(t, WithClock(c.now), WithIssuer(Issuer{Name: issName, Audiences: []string{audName}, Keys: []Key{HMAC("", secret)}}))
	exp := start.Add(time.Hour + 500*time.Millisecond)
	token := forge(m{"alg": "HS256"}, good(m{"exp": float64(exp.UnixMilli()) / 1000}), secret)
	c.set(exp.Add(-time.Millisecond))
	if _, err := try(t, a, token); err != nil {
		t.Error(err)
	}
	c.set(exp.Add(time.Millisecond))
	if _, err := try(t, a, token); !errors.Is(err, auth.ErrExpired) {
		t.Error(err)
	}
}

// An error goes to the log; nothing of a token may be in it.
func TestErrorsHoldNothingOfTheToken(t *testing.T) {
	const canary = "canary-4711"
	a := withKeys(t, HMAC("k", secret))
	for _, token := range []string{
		canary, canary + "." + canary + "." + canary,
		forge(m{"alg": canary}, good(), secret),
		forge(m{"alg": "HS256", canary: 1}, good(), secret),
		forge(m{"alg": "HS256", "kid": canary}, good(), secret),
		forge(m{"alg": "HS256", "kid": "k", "typ": canary}, good(), secret),
		forge(m{"alg": "HS256", "kid": "k"}, good(m{"iss": canary}), secret),
		forge(m{"alg": "HS256", "kid": "k"}, good(m{"aud": canary}), secret),
		forge(m{"alg": "HS256", "kid": "k"}, good(m{"sub": canary + " "}), secret),
		forge(m{"alg": "HS256", "kid": "k"}, good(m{"exp": canary}), secret),
		forge(m{"alg": "HS256", "kid": "k"}, good(m{"capabilities": m{canary + "*": []string{canary}}}), secret),
	} {
		_, err := try(t, a, token)
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), canary) {
			t.Errorf("%v", err)
		}
	}
}

func TestWithIgnoredHeaders(t *testing.T) {
	issuer := WithIssuer(Issuer{Name: issName, Audiences: []string{audName}, Keys: []Key{HMAC("", secret)}})
	a := newAuth(t, WithClock(newClock().now), issuer, WithIgnoredHeaders("x5t"))
	if _, err := try(t, a, forge(m{"alg": "HS256", "x5t": "abc"}, good(), secret)); err != nil {
		t.Error(err)
	}
	if _, err := try(t, a, forge(m{"alg": "HS256", "x5u": "abc"}, good(), secret)); err == nil {
		t.Error("x5u was accepted")
	}
	for _, name := range []string{"jku", "x5u", "x5c", "jwk", "crit", "b64", "enc", "alg", ""} {
		if _, err := New(issuer, WithIgnoredHeaders(name)); err == nil {
			t.Errorf("%q may be ignored", name)
		}
	}
}

func TestTypes(t *testing.T) {
	a := withKeys(t, HMAC("", secret))
	for typ, ok := range map[string]bool{
		"JWT": true, "jwt": true, "at+jwt": true, "application/at+JWT": true, "application/jwt": true,
		"": false, "JOSE": false, "JWT ": false, "id+jwt": false, "secevent+jwt": false,
	} {
		if _, err := try(t, a, forge(m{"alg": "HS256", "typ": typ}, good(), secret)); (err == nil) != ok {
			t.Errorf("typ %q: %v", typ, err)
		}
	}
}
