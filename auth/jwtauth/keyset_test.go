package jwtauth

import (
	"errors"
	"testing"

	"github.com/wardroom/wardroom/auth"
)

// A token that names a key is checked with that key and no other, however good
// its signature: what the client writes into kid decides nothing.
func TestThreatKeyIDNamesItsKey(t *testing.T) {
	a := withKeys(t, HMAC("", secret), PublicKey("named", ecKey().Public()))
	for name, tt := range map[string]struct {
		token string
		good  bool
	}{
		"no kid":                       {forge(m{"alg": "HS256"}, good(), secret), true},
		"no kid, key with an ID":       {forge(m{"alg": "ES256"}, good(), ecKey()), true},
		"its kid":                      {forge(m{"alg": "ES256", "kid": "named"}, good(), ecKey()), true},
		"unknown kid":                  {forge(m{"alg": "HS256", "kid": "other"}, good(), secret), false},
		"kid with a path":              {forge(m{"alg": "HS256", "kid": "../../dev/null"}, good(), secret), false},
		"kid with SQL":                 {forge(m{"alg": "HS256", "kid": "' OR 1=1 --"}, good(), secret), false},
		"kid with a NUL":               {forge(m{"alg": "HS256", "kid": "a\x00b"}, good(), secret), false},
		"kid of a key of another type": {forge(m{"alg": "HS256", "kid": "named"}, good(), secret), false},
	} {
		_, err := try(t, a, tt.token)
		if tt.good && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !tt.good && !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("%s: got %v, want it refused", name, err)
		}
	}
}
