package roomtest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/wardroom/wardroom/auth"
)

// tokenPrefix keeps these tokens from being taken for anything else.
const tokenPrefix = "roomtest."

// Token returns a token of the user with these roles, for a server that has
// this package's [Authenticator]. Anyone can make one: it is no secret.
func Token(user string, roles ...string) string {
	return TokenOf(auth.Identity{ID: user, Roles: roles})
}

// TokenOf is [Token] for a whole identity: with a name, capabilities, claims,
// an expiry.
func TokenOf(id auth.Identity) string {
	b, err := json.Marshal(id)
	if err != nil {
		panic("roomtest: the identity cannot be written as JSON: " + err.Error())
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// Authenticator takes the tokens of [Token] and [TokenOf] at their word, but
// for their expiry, and refuses everything else. It is for tests only.
func Authenticator() auth.Authenticator {
	return auth.AuthenticatorFunc(func(_ context.Context, c auth.Credentials) (auth.Identity, error) {
		text, ok := strings.CutPrefix(c.Token, tokenPrefix)
		if !ok {
			return auth.Identity{}, auth.ErrUnauthenticated
		}
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return auth.Identity{}, auth.ErrUnauthenticated
		}
		var id auth.Identity
		if json.Unmarshal(b, &id) != nil {
			return auth.Identity{}, auth.ErrUnauthenticated
		}
		return id, nil
	})
}
