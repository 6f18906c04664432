package auth

import (
	"context"
	"errors"
)

// Authenticator turns what a client presented into who it is.
//
// Authenticate returns an Identity with a valid ID (see [ValidID]) or an error. An error that is an [ErrUnavailable] is
// answered with 503; every other one, also one that this package does not know, refuses the client as
// [ErrUnauthenticated] does. An identity without a valid ID counts as refused. Whether a credential is good that cannot
// be looked up now is not known: that is an ErrUnavailable, or the error of ctx when it is done.
//
// Authenticate is called from many goroutines at once, before the connection is upgraded and again for each renewal,
// where Credentials.Request is nil. A server calls it with a token only: whoever brings none is refused before. It must
// return soon after ctx is done. It must not keep Credentials.Request or read its body. It must not put the
// token into the error that it returns.
//
// The caller does not modify the maps and slices of the Identity, so an implementation may return the same ones again.
// authtest.TestAuthenticator tests what is said here.
type Authenticator interface {
	Authenticate(ctx context.Context, c Credentials) (Identity, error)
}

// AuthenticatorFunc is a function that is an [Authenticator].
type AuthenticatorFunc func(ctx context.Context, c Credentials) (Identity, error)

// Authenticate calls f.
func (f AuthenticatorFunc) Authenticate(ctx context.Context, c Credentials) (Identity, error) {
	return f(ctx, c)
}

// Any returns an Authenticator that asks each of list in order until one accepts the credentials.
//
// When none does, its error is the most useful of theirs: the first [ErrUnavailable], since the credential may be good
// after all, else the first [ErrExpired] or [ErrRevoked], else the last one. An empty list refuses everybody.
//
// Every authenticator of the list may see a token that was meant for another. One that accepts clients without a token
// must check that the token is empty, or it would accept those that the others refused.
func Any(list ...Authenticator) Authenticator {
	return anyOf(append([]Authenticator(nil), list...))
}

type anyOf []Authenticator

func (list anyOf) Authenticate(ctx context.Context, c Credentials) (Identity, error) {
	var unavailable, stale error
	last := ErrUnauthenticated
	for _, a := range list {
		id, err := a.Authenticate(ctx, c)
		switch {
		case err == nil:
			return id, nil
		case errors.Is(err, ErrUnavailable):
			if unavailable == nil {
				unavailable = err
			}
		case errors.Is(err, ErrExpired), errors.Is(err, ErrRevoked):
			if stale == nil {
				stale = err
			}
		default:
			last = err
		}
	}
	switch {
	case unavailable != nil:
		return Identity{}, unavailable
	case stale != nil:
		return Identity{}, stale
	default:
		return Identity{}, last
	}
}
