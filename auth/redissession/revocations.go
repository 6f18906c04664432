package redissession

import (
	"context"
	"errors"
	"strconv"

	"github.com/wardroom/wardroom/auth"
)

// RevokeSession implements [auth.SessionStore]. When the user has as many revoked tokens as [WithMaxPerUser] says, the
// session has ended and the call fails with an [auth.ErrUnavailable].
func (s *Sessions) RevokeSession(ctx context.Context, id string) error {
	_, err := s.runOn(ctx, s.revokeSession, id, strconv.Itoa(s.most))
	return err
}

// Revoke implements [auth.RevocationList]. Sessions that it covers have ended even when the user has as many revoked
// tokens as [WithMaxPerUser] says, and the call fails then with an [auth.ErrUnavailable]. A revocation without an Until
// is the one thing that stays in Redis until somebody removes it.
func (s *Sessions) Revoke(ctx context.Context, r auth.Revocation) error {
	if err := r.Validate(); err != nil {
		return err
	}
	_, err := s.run(ctx, s.revoke, Tag(r.User),
		tokenDigest(r.TokenID), microsUp(r.IssuedBefore), microsOrNone(r.Until), strconv.Itoa(s.most))
	return err
}

// Revoked implements [auth.RevocationList].
func (s *Sessions) Revoked(ctx context.Context, id auth.Identity) (bool, error) {
	_, err := s.run(ctx, s.revoked, Tag(id.ID), micros(id.IssuedAt), tokenDigest(id.TokenID))
	if errors.Is(err, auth.ErrRevoked) {
		return true, nil
	}
	return false, err
}
