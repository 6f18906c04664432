package jwtauth

import (
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"

	"github.com/wardroom/wardroom/auth"
)

// FuzzParseCompact holds that what passes the first look is spelled in the one way there is, names an algorithm that is
// known, and carries nothing in its header that we do not look at.
func FuzzParseCompact(f *testing.F) {
	f.Add(forge(m{"alg": "HS256", "typ": "JWT", "kid": "k"}, good(), secret))
	f.Add(enc(m{"alg": "none"}) + "." + enc(good()) + ".")
	f.Add(forge(m{"alg": "HS256", "crit": []string{"b64"}, "b64": false}, good(), secret))
	f.Fuzz(func(t *testing.T, token string) {
		c, err := parseCompact(token, nil)
		if err != nil {
			return
		}
		parts := strings.Split(token, ".")
		if len(parts) != 3 {
			t.Fatalf("%q passed", token)
		}
		for _, p := range parts {
			if b, err := b64.DecodeString(p); err != nil || b64.EncodeToString(b) != p {
				t.Fatalf("segment %q passed", p)
			}
		}
		if _, ok := algorithm(c.alg); !ok || len(c.kid) > maxKeyID || c.claims == nil {
			t.Fatalf("alg %q, kid %q passed", c.alg, c.kid)
		}
		header := string(must(b64.DecodeString(parts[0])))
		if strings.Count(header, ":") < 1 || strings.Count(header, `"alg"`) > 1 {
			t.Fatalf("header %q passed", header)
		}
	})
}

// FuzzClaims holds that whatever an issuer signs gives a valid identity that narrows as it says, or none.
func FuzzClaims(f *testing.F) {
	for _, claims := range []any{
		good(), good(m{"roles": "a b"}), good(m{"capabilities": m{"team:*": []string{"join"}}}), good(m{"exp": 1e300}),
		good(m{"aud": []any{audName, 1}}), `{"iss":"` + issName + `","capabilities":null}`,
	} {
		f.Add(string(must(b64.DecodeString(enc(claims)))))
	}
	a := withKeys(f, HMAC("", secret))
	iss := a.issuers[issName]
	f.Fuzz(func(t *testing.T, claims string) {
		token := forge(m{"alg": "HS256"}, claims, secret)
		v, err := a.verify(t.Context(), token, sha256.Sum256([]byte(token)))
		if err != nil {
			if v.identity.ID != "" {
				t.Fatalf("%q with %v", v.identity.ID, err)
			}
			return
		}
		id := v.identity
		if !auth.ValidID(id.ID) || id.ExpiresAt.IsZero() || id.Expired(start) || id.TokenID == "" || v.issuer != iss {
			t.Fatalf("%q, expires %v", id.ID, id.ExpiresAt)
		}
		var object map[string]any
		if err := json.Unmarshal([]byte(claims), &object); err != nil {
			t.Fatalf("claims that are not JSON passed: %v", err)
		}
		if _, narrows := object["capabilities"]; narrows != (id.Capabilities != nil) {
			t.Fatal("the claim was passed over")
		}
		for _, c := range id.Capabilities {
			if c.Validate() != nil {
				t.Fatalf("capability %q", c.Rooms)
			}
		}
	})
}

// FuzzParseJWKS holds that a set has only keys that we would take from a host, and that each says what it is good for.
func FuzzParseJWKS(f *testing.F) {
	f.Add(jwksOf(webKeyOf(ecKey(), m{"kid": "a"}), webKeyOf(edKey(), nil)))
	f.Add(jwksOf(webKeyOf(secret, m{"kid": "a"})))
	f.Add(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := parseJWKS([]byte(text), defaultAlgorithms())
		if err != nil {
			return
		}
		n := len(doc.keys.anonymous)
		for id, v := range doc.keys.byID {
			n++
			if id == "" || id != v.id {
				t.Fatalf("ID %q", id)
			}
		}
		if n == 0 || n > maxJWKSKeys {
			t.Fatalf("%d keys", n)
		}
		for _, alg := range []string{"HS256", "HS384", "HS512", "none"} {
			if doc.keys.fits(alg) {
				t.Fatalf("a fetched key is good for %s", alg)
			}
		}
		for _, v := range append(doc.keys.anonymous, doc.keys.byID[""]) {
			if v != nil && len(v.algs) == 0 {
				t.Fatal("a key for nothing")
			}
		}
	})
}
