package jwtauth

import (
	"context"

	"github.com/lestrrat-go/jwx/v3/jws"
)

// verifySignature returns the set that held the key which made the token's signature.
func (iss *issuer) verifySignature(ctx context.Context, tok *compact) (*keySet, error) {
	keys := iss.static
	list, known := keys.candidates(tok.kid, tok.alg)
	if !known && iss.remote != nil {
		var err error
		if keys, list, err = iss.remote.candidates(ctx, tok.kid, tok.alg); err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, refuse("no key of the issuer fits the token")
	}
	alg, _ := algorithm(tok.alg)
	raw := []byte(tok.raw)
	for _, v := range list {
		// jwx checks that the header's alg is this one, too.
		if _, err := jws.VerifyCompactFast(v.material, raw, alg); err == nil {
			return keys, nil
		}
	}
	return nil, refuse("the signature is wrong")
}
