package jwtauth

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/wardroom/wardroom/auth"
)

// Signer makes HS256 tokens that an [Authenticator] with the same [HMAC] key, issuer and audience accepts, for tests and
// for applications that sign their users in themselves. It is safe for concurrent use.
type Signer struct {
	issuer, audience string
	secret           []byte
}

// NewSigner returns a Signer. The secret must have 32 bytes or more; it is copied.
func NewSigner(issuer, audience string, secret []byte) (*Signer, error) {
	if issuer == "" || audience == "" {
		return nil, errors.New("jwtauth: a Signer needs an issuer and an audience, since an Authenticator asks for both")
	}
	if _, err := fitting(secret); err != nil {
		return nil, fmt.Errorf("jwtauth: %w", err)
	}
	return &Signer{issuer: issuer, audience: audience, secret: bytes.Clone(secret)}, nil
}

// Sign returns a token for id. ExpiresAt is required; IssuedAt is now and TokenID is random where they are zero. Times
// lose their fraction of a second. The fields become the claims sub, name, roles, capabilities, iat, exp and jti, the
// defaults of [ClaimNames]; Claims are added, except those that have one of these names or are iss or aud.
func (s *Signer) Sign(id auth.Identity) (string, error) {
	switch {
	case !auth.ValidID(id.ID):
		return "", errors.New("jwtauth: sign: the ID is not a valid user ID")
	case id.ExpiresAt.IsZero():
		return "", errors.New("jwtauth: sign: ExpiresAt is missing; a token that never expires cannot be taken back by waiting")
	}
	if id.IssuedAt.IsZero() {
		id.IssuedAt = time.Now()
	}
	if id.TokenID == "" {
		id.TokenID = rand.Text()
	}
	claims := maps.Clone(id.Claims)
	if claims == nil {
		claims = make(map[string]any)
	}
	for _, name := range []string{"name", "roles", "capabilities"} {
		delete(claims, name)
	}
	claims["iss"], claims["aud"], claims["sub"] = s.issuer, s.audience, id.ID
	claims["iat"], claims["exp"], claims["jti"] = id.IssuedAt.Unix(), id.ExpiresAt.Unix(), id.TokenID
	if id.Name != "" {
		claims["name"] = id.Name
	}
	if len(id.Roles) > 0 {
		claims["roles"] = id.Roles
	}
	if id.Capabilities != nil {
		verbs := make(map[string][]string, len(id.Capabilities))
		for _, c := range id.Capabilities {
			if err := c.Validate(); err != nil {
				return "", fmt.Errorf("jwtauth: sign: %w", err)
			}
			verbs[c.Rooms] = append(verbs[c.Rooms], c.Verbs.String())
		}
		claims["capabilities"] = verbs
	}
	payload, err := json.Marshal(claims, json.Deterministic(true))
	if err != nil {
		return "", fmt.Errorf("jwtauth: sign: %w", err)
	}
	header := jws.NewHeaders()
	if err := header.Set(jws.TypeKey, "JWT"); err != nil {
		return "", fmt.Errorf("jwtauth: sign: %w", err)
	}
	token, err := jws.Sign(payload, jws.WithKey(jwa.HS256(), s.secret, jws.WithProtectedHeaders(header)))
	if err != nil {
		return "", fmt.Errorf("jwtauth: sign: %w", err)
	}
	if len(token) > auth.MaxToken {
		return "", fmt.Errorf("jwtauth: sign: the token has %d bytes, more than %d; leave claims out", len(token), auth.MaxToken)
	}
	return string(token), nil
}
