package jwtauth

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
)

func TestSigner(t *testing.T) {
	s := must(NewSigner(issName, audName, secret))
	a := withKeys(t, HMAC("", secret))
	id := auth.Identity{
		ID: "ada", Name: "Ada \"L\" \u2028", Roles: []string{"staff"}, TokenID: "j",
		Capabilities: []auth.Capability{{Rooms: "lobby", Verbs: auth.AllVerbs}, {Rooms: "team:*", Verbs: auth.Join | auth.Call}},
		Claims:       map[string]any{"org": "x", "iss": "evil", "sub": "eve", "exp": 4e9, "roles": "admin", "aud": "evil", "nbf": 1.0},
		IssuedAt:     start.Add(-time.Minute), ExpiresAt: start.Add(time.Minute + 700*time.Millisecond),
	}
	token, err := s.Sign(id)
	if err != nil {
		t.Fatal(err)
	}
	got, err := try(t, a, token)
	if err != nil {
		t.Fatal(err)
	}
	if !got.ExpiresAt.Equal(start.Add(time.Minute)) || !got.IssuedAt.Equal(id.IssuedAt) {
		t.Errorf("issued %v, expires %v", got.IssuedAt, got.ExpiresAt)
	}
	got.IssuedAt, got.ExpiresAt = id.IssuedAt, id.ExpiresAt
	id.Claims = map[string]any{"org": "x", "iss": issName, "aud": audName, "nbf": 1.0}
	if !reflect.DeepEqual(got, id) {
		t.Errorf("%v %v %v %v", got.ID, got.Roles, got.Capabilities, got.Claims)
	}

	// What stands in Claims does not become a field.
	got, err = try(t, a, must(s.Sign(auth.Identity{
		ID: "ada", ExpiresAt: start.Add(time.Hour), IssuedAt: start,
		Claims: map[string]any{"name": "Eve", "roles": "admin", "capabilities": map[string]any{}},
	})))
	if err != nil || got.Name != "" || got.Roles != nil || got.Capabilities != nil {
		t.Errorf("%q %v %v, %v", got.Name, got.Roles, got.Capabilities, err)
	}

	// The two kinds of "no capabilities" stay apart.
	for _, caps := range [][]auth.Capability{nil, {}} {
		got, err := try(t, a, must(s.Sign(auth.Identity{ID: "ada", Capabilities: caps, ExpiresAt: start.Add(time.Hour), IssuedAt: start})))
		if err != nil || (got.Capabilities == nil) != (caps == nil) || got.TokenID == "" || strings.HasPrefix(got.TokenID, "sha256:") {
			t.Errorf("%v: %v, %q, %v", caps, got.Capabilities, got.TokenID, err)
		}
	}
}

func TestSignerRefuses(t *testing.T) {
	for _, tt := range []struct {
		issuer, audience string
		secret           []byte
	}{{"", "a", secret}, {"i", "", secret}, {"i", "a", secret[:31]}, {"i", "a", nil}} {
		if _, err := NewSigner(tt.issuer, tt.audience, tt.secret); err == nil {
			t.Errorf("%q %q %d bytes", tt.issuer, tt.audience, len(tt.secret))
		}
	}
	s := must(NewSigner(issName, audName, secret))
	exp := time.Now().Add(time.Hour)
	for name, id := range map[string]auth.Identity{
		"no ID":          {ExpiresAt: exp},
		"bad ID":         {ID: "a b", ExpiresAt: exp},
		"no expiry":      {ID: "ada"},
		"bad capability": {ID: "ada", ExpiresAt: exp, Capabilities: []auth.Capability{{Rooms: "x*", Verbs: auth.Join}}},
		"not JSON":       {ID: "ada", ExpiresAt: exp, Claims: map[string]any{"x": math.Inf(1)}},
		"too long":       {ID: "ada", ExpiresAt: exp, Name: strings.Repeat("x", auth.MaxToken)},
	} {
		if _, err := s.Sign(id); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}
