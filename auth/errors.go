package auth

import (
	"errors"
	"fmt"
)

// The errors by which an [Authenticator] and the stores of this package say what happened. Implementations wrap them,
// callers test with [errors.Is]. Their texts never hold anything that a client sent.
var (
	// ErrUnauthenticated: there is no credential, or it is not good. A server answers 401.
	ErrUnauthenticated = errors.New("unauthenticated")

	// ErrMalformed: the credential was presented in a way that no client should use, such as twice. It is an
	// ErrUnauthenticated too; a server may answer 400 in its place.
	ErrMalformed = fmt.Errorf("%w: malformed credential", ErrUnauthenticated)

	// ErrExpired: the credential was good once. It is an ErrUnauthenticated too; the client should get a fresh one.
	ErrExpired = fmt.Errorf("%w: credential expired", ErrUnauthenticated)

	// ErrRevoked: the credential was good until it was taken back. It is an ErrUnauthenticated too.
	ErrRevoked = fmt.Errorf("%w: credential revoked", ErrUnauthenticated)

	// ErrUnavailable: whether the credential is good cannot be found out at present. A server answers 503 and the
	// client may try the same credential later.
	ErrUnavailable = errors.New("unavailable")
)
