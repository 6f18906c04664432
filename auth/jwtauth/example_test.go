package jwtauth_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/auth/jwtauth"
)

// An application that signs its users in itself makes its own tokens.
func Example() {
	secret := []byte("32 or more bytes from crypto/rand") // not a text like this
	tokens, err := jwtauth.New(jwtauth.WithIssuer(jwtauth.Issuer{
		Name:      "https://app.example.com",
		Audiences: []string{"chat"},
		Keys:      []jwtauth.Key{jwtauth.HMAC("", secret)},
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tokens.Close()

	signer, err := jwtauth.NewSigner("https://app.example.com", "chat", secret)
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := signer.Sign(auth.Identity{ID: "ada", Roles: []string{"staff"}, ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		fmt.Println(err)
		return
	}

	id, err := tokens.Authenticate(context.Background(), auth.Credentials{Token: token})
	fmt.Println(id.ID, id.Roles, err)
	_, err = tokens.Authenticate(context.Background(), auth.Credentials{Token: token + "x"})
	fmt.Println(errors.Is(err, auth.ErrUnauthenticated))
	// Output:
	// ada [staff] <nil>
	// true
}

// An application whose users sign in elsewhere takes the keys from there.
func ExampleNew_jwks() {
	tokens, err := jwtauth.New(jwtauth.WithIssuer(jwtauth.Issuer{
		Name:      "https://id.example.com/",
		Audiences: []string{"https://app.example.com"},
		JWKS:      "https://id.example.com/.well-known/jwks.json",
		Claims:    jwtauth.ClaimNames{Name: "nickname", Roles: "scope"},
	}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tokens.Close()
	// room.New(room.WithAuthenticator(tokens), …)
}
