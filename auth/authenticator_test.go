package auth

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestAny(t *testing.T) {
	says := func(id string, err error) Authenticator {
		return AuthenticatorFunc(func(context.Context, Credentials) (Identity, error) {
			return Identity{ID: id}, err
		})
	}
	unknown := errors.New("disk full")
	down := fmt.Errorf("keys: %w", ErrUnavailable)
	for _, tt := range []struct {
		name string
		list []Authenticator
		id   string
		err  error
	}{
		{"empty refuses", nil, "", ErrUnauthenticated},
		{"first", []Authenticator{says("a", nil), says("b", nil)}, "a", nil},
		{"second", []Authenticator{says("", ErrUnauthenticated), says("b", nil)}, "b", nil},
		{"behind one that is down", []Authenticator{says("", down), says("b", nil)}, "b", nil},
		{"down says more than refused", []Authenticator{says("", down), says("", ErrUnauthenticated)}, "", ErrUnavailable},
		{"down says more than expired", []Authenticator{says("", ErrExpired), says("", down)}, "", ErrUnavailable},
		{"expired says more than refused", []Authenticator{says("", ErrExpired), says("", ErrUnauthenticated)}, "", ErrExpired},
		{"revoked says more than refused", []Authenticator{says("", ErrRevoked), says("", ErrUnauthenticated)}, "", ErrRevoked},
		{"the first that is down", []Authenticator{says("", down), says("", ErrUnavailable)}, "", down},
		{"unknown error refuses", []Authenticator{says("", ErrUnauthenticated), says("x", unknown)}, "", unknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id, err := Any(tt.list...).Authenticate(t.Context(), Credentials{Token: "T"})
			if id.ID != tt.id || !errors.Is(err, tt.err) {
				t.Errorf("got %q, %v", id.ID, err)
			}
		})
	}
}

func TestErrorsWrap(t *testing.T) {
	for _, err := range []error{ErrMalformed, ErrExpired, ErrRevoked} {
		if !errors.Is(err, ErrUnauthenticated) {
			t.Errorf("%v is no ErrUnauthenticated", err)
		}
	}
	for _, pair := range [][2]error{
		{ErrExpired, ErrRevoked},
		{ErrRevoked, ErrExpired},
		{ErrUnauthenticated, ErrExpired},
		{ErrUnavailable, ErrUnauthenticated},
		{ErrMalformed, ErrExpired},
	} {
		if errors.Is(pair[0], pair[1]) {
			t.Errorf("%v is a %v", pair[0], pair[1])
		}
	}
}
