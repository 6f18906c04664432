package jwtauth

import (
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/auth/authtest"
)

// TestConforms: with tokens that are new and with one that the cache knows.
func TestConforms(t *testing.T) {
	a, err := New(WithIssuer(Issuer{Name: "https://login.example.com", Audiences: []string{"chat"}, Keys: []Key{HMAC("", secret)}}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	signer, err := NewSigner("https://login.example.com", "chat", secret)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(t testing.TB) auth.Credentials {
		token, err := signer.Sign(auth.Identity{ID: "ada", Name: "Ada", ExpiresAt: time.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		return auth.Credentials{Token: token, Source: auth.SourceHeader}
	}
	t.Run("new", func(t *testing.T) { authtest.TestAuthenticator(t, a, sign) })
	known := sign(t)
	t.Run("known", func(t *testing.T) {
		authtest.TestAuthenticator(t, a, func(testing.TB) auth.Credentials { return known })
	})
}
