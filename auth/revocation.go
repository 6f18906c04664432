package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Revocation takes back credentials of one user: one of them, or all that were issued before some time.
type Revocation struct {
	// User is the ID of the user. It is required.
	User string `json:"user"`

	// TokenID says which credential. It is required where IssuedBefore is zero, and excludes it.
	TokenID string `json:"token_id,omitempty"`

	// IssuedBefore covers every credential issued before then, and those that do not say when they were. A JWT says so
	// in whole seconds, rounded down; so one that is issued in the second of a revocation is covered too.
	IssuedBefore time.Time `json:"issued_before,omitzero"`

	// Until is when the revocation may be forgotten because all that it covers has expired. Zero: never. It should be
	// set, because a list of revocations only has so much room.
	Until time.Time `json:"until,omitzero"`
}

// Covers reports whether r takes back the credential that id comes from. It does not look at Until.
func (r Revocation) Covers(id Identity) bool {
	if r.User != id.ID {
		return false
	}
	if r.TokenID != "" {
		return r.TokenID == id.TokenID
	}
	return id.IssuedAt.Before(r.IssuedBefore)
}

// Validate returns an error that says what to write instead.
func (r Revocation) Validate() error {
	switch {
	case !ValidID(r.User):
		return errors.New("revocation: User is no user ID; whom to revoke must be said")
	case r.TokenID == "" && r.IssuedBefore.IsZero():
		return errors.New("revocation: set TokenID for one credential or IssuedBefore, such as time.Now(), for all; to keep a user out for good refuse them in the Authenticator")
	case r.TokenID != "" && !r.IssuedBefore.IsZero():
		return errors.New("revocation: TokenID and IssuedBefore exclude each other; use two revocations")
	}
	return nil
}

// RevocationList keeps revocations until they may be forgotten. Its methods may be called by many goroutines and nodes
// at once, and may fail with an [ErrUnavailable] or the error of their context.
type RevocationList interface {
	// Revoke adds a revocation; where sessions are kept, it ends those that it covers. It has taken effect on every node
	// when it returns without an error. With one it may have taken effect in part and is to be repeated, which does no
	// harm. One that is not valid fails [Revocation.Validate].
	Revoke(ctx context.Context, r Revocation) error

	// Revoked reports whether a revocation covers id.
	Revoked(ctx context.Context, id Identity) (bool, error)
}

// RefuseRevoked returns an Authenticator that asks a and refuses with [ErrRevoked] whom list has revoked. Where the list
// cannot be asked, nobody gets in and the error is an [ErrUnavailable].
//
// A server that keeps sessions does not need it: [SessionStore].Create refuses the revoked.
func RefuseRevoked(a Authenticator, list RevocationList) Authenticator {
	return AuthenticatorFunc(func(ctx context.Context, c Credentials) (Identity, error) {
		id, err := a.Authenticate(ctx, c)
		if err != nil {
			return Identity{}, err
		}
		revoked, err := list.Revoked(ctx, id)
		switch {
		case err != nil:
			return Identity{}, fmt.Errorf("%w: list of revocations: %w", ErrUnavailable, err)
		case revoked:
			return Identity{}, ErrRevoked
		}
		return id, nil
	})
}
