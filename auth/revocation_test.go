package auth

import (
	"context"
	"errors"
	"testing"
	"time"
)

func contextDone(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}

func TestRevocationCovers(t *testing.T) {
	at := time.Unix(1000, 0)
	for _, tt := range []struct {
		name string
		r    Revocation
		id   Identity
		want bool
	}{
		{"token", Revocation{User: "ada", TokenID: "t"}, Identity{ID: "ada", TokenID: "t", IssuedAt: at}, true},
		{"other token", Revocation{User: "ada", TokenID: "t"}, Identity{ID: "ada", TokenID: "u"}, false},
		{"no token ID", Revocation{User: "ada", TokenID: "t"}, Identity{ID: "ada"}, false},
		{"token of another", Revocation{User: "ada", TokenID: "t"}, Identity{ID: "bob", TokenID: "t"}, false},
		{"before", Revocation{User: "ada", IssuedBefore: at}, Identity{ID: "ada", IssuedAt: at.Add(-1)}, true},
		{"at the time", Revocation{User: "ada", IssuedBefore: at}, Identity{ID: "ada", IssuedAt: at}, false},
		{"age unknown", Revocation{User: "ada", IssuedBefore: at}, Identity{ID: "ada"}, true},
		{"before, of another", Revocation{User: "ada", IssuedBefore: at}, Identity{ID: "bob"}, false},
		{"nothing", Revocation{User: "ada"}, Identity{ID: "ada"}, false},
	} {
		if got := tt.r.Covers(tt.id); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

// A JWT says in whole seconds when it was issued. One that was issued just before a revocation must not escape it by
// that, and is refused even though one issued just after, in the same second, is refused with it.
func TestRevocationWithinASecond(t *testing.T) {
	now := time.Unix(1000, 500_000_000)
	r := Revocation{User: "ada", IssuedBefore: now}
	for issued, want := range map[time.Duration]bool{-200 * time.Millisecond: true, 200 * time.Millisecond: true, 600 * time.Millisecond: false} {
		id := Identity{ID: "ada", IssuedAt: now.Add(issued).Truncate(time.Second)}
		if r.Covers(id) != want {
			t.Errorf("issued %v after: covered %v", issued, !want)
		}
	}
}

func TestRevocationValidate(t *testing.T) {
	for _, tt := range []struct {
		r  Revocation
		ok bool
	}{
		{Revocation{User: "ada", TokenID: "t"}, true},
		{Revocation{User: "ada", IssuedBefore: time.Unix(1, 0)}, true},
		{Revocation{User: "ada"}, false},
		{Revocation{TokenID: "t"}, false},
		{Revocation{User: "a b", TokenID: "t"}, false},
		{Revocation{User: "ada", TokenID: "t", IssuedBefore: time.Unix(1, 0)}, false},
	} {
		if err := tt.r.Validate(); (err == nil) != tt.ok {
			t.Errorf("%+v: %v", tt.r, err)
		}
	}
}

type brokenList struct{ err error }

func (b brokenList) Revoke(context.Context, Revocation) error        { return b.err }
func (b brokenList) Revoked(context.Context, Identity) (bool, error) { return false, b.err }

func TestRefuseRevoked(t *testing.T) {
	list := NewMemoryRevocations()
	good := AuthenticatorFunc(func(_ context.Context, c Credentials) (Identity, error) {
		if c.Token == "" {
			return Identity{ID: "eve"}, ErrExpired
		}
		return Identity{ID: "ada", TokenID: c.Token}, nil
	})
	a := RefuseRevoked(good, list)
	try := func(a Authenticator, token string) (Identity, error) {
		return a.Authenticate(t.Context(), Credentials{Token: token})
	}
	if id, err := try(a, "t"); err != nil || id.ID != "ada" {
		t.Error(id, err)
	}
	if err := list.Revoke(t.Context(), Revocation{User: "ada", TokenID: "t"}); err != nil {
		t.Fatal(err)
	}
	if id, err := try(a, "t"); !errors.Is(err, ErrRevoked) || id.ID != "" {
		t.Error(id, err)
	}
	if id, err := try(a, "u"); err != nil || id.ID != "ada" {
		t.Error(id, err)
	}
	if id, err := try(a, ""); !errors.Is(err, ErrExpired) || id.ID != "" {
		t.Error(id, err)
	}
	down := errors.New("down")
	if id, err := try(RefuseRevoked(good, brokenList{down}), "u"); !errors.Is(err, ErrUnavailable) || !errors.Is(err, down) || id.ID != "" {
		t.Error("whoever cannot be looked up gets in:", id, err)
	}
	if err := list.Revoke(t.Context(), Revocation{User: "ada"}); err == nil {
		t.Error("a revocation that says nothing was taken")
	}
}
