package jwtauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wardroom/wardroom/auth"
)

const (
	maxRoles        = 64  // roles of a token
	maxRole         = 64  // bytes of a role
	maxCapabilities = 100 // patterns of a token
	maxTokenID      = 128 // bytes of a jti that becomes the TokenID
)

// identify makes the Identity of verified claims.
func (iss *issuer) identify(ctx context.Context, claims map[string]any, t times, digest [sha256.Size]byte, now time.Time, leeway time.Duration) (auth.Identity, error) {
	id, err := iss.mapClaims(claims)
	if err != nil {
		return auth.Identity{}, err
	}
	if id.TokenID, err = tokenID(claims, digest); err != nil {
		return auth.Identity{}, err
	}
	// A token that seems to be from the future would escape a revocation of everything issued before now.
	if id.IssuedAt = t.issued; id.IssuedAt.After(now) {
		id.IssuedAt = now
	}
	if !t.expires.IsZero() {
		id.ExpiresAt = t.expires.Add(leeway)
	}
	if iss.Identify != nil {
		if id, err = iss.callIdentify(ctx, claims, id); err != nil {
			return auth.Identity{}, err
		}
		if id.Expired(now) {
			return auth.Identity{}, fmt.Errorf("%w: by Identify", auth.ErrExpired)
		}
	}
	if !auth.ValidID(id.ID) {
		return auth.Identity{}, refuse("the user's ID is missing or has characters that IDs do not have")
	}
	return id, nil
}

func (iss *issuer) callIdentify(ctx context.Context, claims map[string]any, id auth.Identity) (auth.Identity, error) {
	expires := id.ExpiresAt
	id, err := iss.Identify(ctx, claims, id)
	switch {
	case err == nil:
	case errors.Is(err, auth.ErrUnavailable), errors.Is(err, auth.ErrUnauthenticated):
		return auth.Identity{}, err
	default:
		return auth.Identity{}, fmt.Errorf("%w: identify: %w", auth.ErrUnauthenticated, err)
	}
	if !expires.IsZero() && (id.ExpiresAt.IsZero() || id.ExpiresAt.After(expires)) {
		id.ExpiresAt = expires
	}
	return id, nil
}

// mapClaims fills the fields that ClaimNames names. What becomes a field is left out of Identity.Claims.
func (iss *issuer) mapClaims(claims map[string]any) (auth.Identity, error) {
	id := auth.Identity{Claims: maps.Clone(claims)}
	take := func(name string) (any, bool) {
		v, ok := claims[name]
		delete(id.Claims, name)
		return v, ok && name != ""
	}
	for _, name := range []string{"sub", "exp", "iat", "jti"} {
		delete(id.Claims, name)
	}
	names := iss.Claims
	if v, ok := take(names.ID); ok {
		s, ok := v.(string)
		if !ok {
			return auth.Identity{}, refuse("the claim with the user's ID is not a string")
		}
		id.ID = iss.Prefix + s
	}
	// Many encoders write null for what a user has not got.
	if v, ok := take(names.Name); ok && v != nil {
		if id.Name, ok = v.(string); !ok {
			return auth.Identity{}, refuse("the claim with the name is not a string")
		}
	}
	if v, ok := take(names.Roles); ok && v != nil {
		if id.Roles, ok = roles(v); !ok {
			return auth.Identity{}, refuse("the claim with the roles is not a list of at most 64 short strings")
		}
	}
	if v, ok := take(names.Capabilities); ok {
		if id.Capabilities, ok = capabilities(v); !ok {
			return auth.Identity{}, refuse("the claim with the capabilities is malformed")
		}
	}
	return id, nil
}

func roles(v any) ([]string, bool) {
	var list []string
	switch v := v.(type) {
	case string:
		list = strings.Fields(v)
	case []any:
		for _, r := range v {
			s, ok := r.(string)
			if !ok {
				return nil, false
			}
			list = append(list, s)
		}
	default:
		return nil, false
	}
	if len(list) > maxRoles || slices.ContainsFunc(list, func(r string) bool { return r == "" || len(r) > maxRole }) {
		return nil, false
	}
	return list, true
}

// capabilities returns a list that is never nil: a claim that is there always narrows.
func capabilities(v any) ([]auth.Capability, bool) {
	object, ok := v.(map[string]any)
	if !ok || len(object) > maxCapabilities {
		return nil, false
	}
	list := make([]auth.Capability, 0, len(object))
	for _, rooms := range slices.Sorted(maps.Keys(object)) {
		verbs, ok := object[rooms].([]any)
		if !ok {
			return nil, false
		}
		c := auth.Capability{Rooms: rooms}
		for _, v := range verbs {
			name, ok := v.(string)
			if !ok {
				return nil, false
			}
			verb, err := auth.ParseVerb(name)
			if err != nil {
				return nil, false
			}
			c.Verbs |= verb
		}
		if c.Validate() != nil {
			return nil, false
		}
		list = append(list, c)
	}
	return list, true
}

// tokenID is the jti, or where that is absent or unfit to be a key, a digest of the token.
func tokenID(claims map[string]any, digest [sha256.Size]byte) (string, error) {
	jti := ""
	if v, ok := claims["jti"]; ok {
		if jti, ok = v.(string); !ok {
			return "", refuse("jti is not a string")
		}
	}
	if jti == "" || len(jti) > maxTokenID || strings.ContainsFunc(jti, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "sha256:" + base64.RawURLEncoding.EncodeToString(digest[:]), nil
	}
	return jti, nil
}
