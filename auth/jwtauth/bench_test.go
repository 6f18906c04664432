package jwtauth

import (
	"testing"

	"github.com/wardroom/wardroom/auth"
)

func BenchmarkAuthenticate(b *testing.B) {
	for _, bb := range []struct {
		name  string
		token string
		key   Key
	}{
		{"HS256", forge(m{"alg": "HS256"}, good(), secret), HMAC("", secret)},
		{"ES256", forge(m{"alg": "ES256"}, good(), ecKey()), PublicKey("", ecKey().Public())},
		{"EdDSA", forge(m{"alg": "EdDSA"}, good(), edKey()), PublicKey("", edKey().Public())},
		{"RS256", forge(m{"alg": "RS256"}, good(), rsaKey()), PublicKey("", rsaKey().Public())},
	} {
		for name, size := range map[string]int{"": 0, "cached": 16} {
			b.Run(bb.name+name, func(b *testing.B) {
				a := newAuth(b, WithClock(newClock().now), WithCache(size), WithIssuer(Issuer{Name: issName, Audiences: []string{audName}, Keys: []Key{bb.key}}))
				c := auth.Credentials{Token: bb.token}
				b.ReportAllocs()
				for b.Loop() {
					if _, err := a.Authenticate(b.Context(), c); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// A token that is refused costs less than one that passes, above all when it is no token.
func BenchmarkRefuse(b *testing.B) {
	a := withKeys(b, PublicKey("k", rsaKey().Public()))
	for name, token := range map[string]string{
		"junk":      "abc.def.ghi",
		"none":      enc(m{"alg": "none"}) + "." + enc(good()) + ".",
		"issuer":    forge(m{"alg": "RS256", "kid": "k"}, good(m{"iss": "x"}), rsaKey()),
		"kid":       forge(m{"alg": "RS256", "kid": "x"}, good(), rsaKey()),
		"signature": forge(m{"alg": "RS256", "kid": "k"}, good(), make([]byte, 32)),
	} {
		b.Run(name, func(b *testing.B) {
			c := auth.Credentials{Token: token}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authenticate(b.Context(), c); err == nil {
					b.Fatal("accepted")
				}
			}
		})
	}
}
