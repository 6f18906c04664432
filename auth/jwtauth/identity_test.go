package jwtauth

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
)

func TestIdentityOfClaims(t *testing.T) {
	a := withKeys(t, HMAC("", secret))
	id, err := try(t, a, forge(m{"alg": "HS256"}, good(m{
		"name": "Ada L.", "roles": []string{"staff", "dev"}, "iat": start.Add(-time.Minute).Unix(), "jti": "j1", "org": m{"id": 7},
		"capabilities": m{"team:*": []string{"join", "publish"}, "lobby": []string{"*"}},
	}), secret))
	if err != nil {
		t.Fatal(err)
	}
	want := auth.Identity{
		ID: "ada", Name: "Ada L.", Roles: []string{"staff", "dev"}, TokenID: "j1",
		Claims:       map[string]any{"iss": issName, "aud": audName, "org": map[string]any{"id": 7.0}},
		Capabilities: []auth.Capability{{Rooms: "lobby", Verbs: auth.AllVerbs}, {Rooms: "team:*", Verbs: auth.Join | auth.Publish}},
	}
	if !id.IssuedAt.Equal(start.Add(-time.Minute)) || !id.ExpiresAt.Equal(start.Add(time.Hour)) {
		t.Errorf("issued %v, expires %v", id.IssuedAt, id.ExpiresAt)
	}
	id.IssuedAt, id.ExpiresAt = time.Time{}, time.Time{}
	if !reflect.DeepEqual(id, want) {
		t.Errorf("got  %v %v %v %v\nwant %v", id.Name, id.Roles, id.Claims, id.Capabilities, want.Claims)
	}
}

func TestCapabilitiesClaim(t *testing.T) {
	a := withKeys(t, HMAC("", secret))
	id, err := try(t, a, forge(m{"alg": "HS256"}, good(), secret))
	if err != nil || id.Capabilities != nil {
		t.Errorf("without the claim nothing is narrowed: %v, %v", id.Capabilities, err)
	}
	id, err = try(t, a, forge(m{"alg": "HS256"}, good(m{"capabilities": m{}}), secret))
	if err != nil || id.Capabilities == nil || id.Can("lobby", auth.Join) {
		t.Errorf("an empty claim allows nothing: %v, %v", id.Capabilities, err)
	}
	many := m{}
	for i := range maxCapabilities + 1 {
		many["r"+strings.Repeat("x", i%60)+string(rune('a'+i/60))] = []string{"join"}
	}
	if _, err = try(t, a, forge(m{"alg": "HS256"}, good(m{"capabilities": many}), secret)); len(many) <= maxCapabilities || !errors.Is(err, auth.ErrUnauthenticated) {
		t.Errorf("%d capabilities: %v", len(many), err)
	}
}

func TestTokenID(t *testing.T) {
	a := withKeys(t, HMAC("", secret))
	ids := map[string]bool{}
	for _, claims := range []m{
		good(), good(m{"x": 1}), good(m{"jti": ""}), good(m{"jti": strings.Repeat("j", 129)}), good(m{"jti": "a b"}), good(m{"jti": "a\nb"}),
	} {
		id, err := try(t, a, forge(m{"alg": "HS256"}, claims, secret))
		if err != nil || !strings.HasPrefix(id.TokenID, "sha256:") || len(id.TokenID) != len("sha256:")+43 {
			t.Errorf("%q, %v", id.TokenID, err)
		}
		ids[id.TokenID] = true
	}
	if len(ids) != 6 {
		t.Errorf("%d IDs for 6 tokens", len(ids))
	}
}

// A token from an issuer whose clock is ahead must not escape a revocation of what was issued before now.
func TestIssuedAtIsNotInTheFuture(t *testing.T) {
	a := withKeys(t, HMAC("", secret))
	for ahead, ok := range map[time.Duration]bool{0: true, 30 * time.Second: true, 31 * time.Second: false} {
		id, err := try(t, a, forge(m{"alg": "HS256"}, good(m{"iat": start.Add(ahead).Unix()}), secret))
		if (err == nil) != ok || ok && !id.IssuedAt.Equal(start) {
			t.Errorf("%v ahead: %v, %v", ahead, id.IssuedAt, err)
		}
	}
}

func TestClaimNames(t *testing.T) {
	a := newAuth(t, WithClock(newClock().now), WithIssuer(Issuer{
		Name: issName, Audiences: []string{audName}, Keys: []Key{HMAC("", secret)}, Prefix: "corp|",
		Claims: ClaimNames{ID: "email", Name: "preferred_username", Roles: "scope", Capabilities: "-"},
	}))
	id, err := try(t, a, forge(m{"alg": "HS256"}, good(m{
		"email": "ada@example.com", "preferred_username": "ada", "scope": "chat  admin", "capabilities": "mine", "name": "n", "roles": 1,
	}), secret))
	if err != nil {
		t.Fatal(err)
	}
	if id.ID != "corp|ada@example.com" || id.Name != "ada" || !slices.Equal(id.Roles, []string{"chat", "admin"}) || id.Capabilities != nil {
		t.Errorf("%v %v %v %v", id.ID, id.Name, id.Roles, id.Capabilities)
	}
	if got := slices.Sorted(maps.Keys(id.Claims)); !slices.Equal(got, []string{"aud", "capabilities", "iss", "name", "roles"}) {
		t.Errorf("claims left: %v", got)
	}
	for name, claims := range map[string]m{
		"no ID":           good(),
		"ID a number":     good(m{"email": 1}),
		"sub is required": good(m{"email": "a", "sub": nil}),
		"ID too long":     good(m{"email": strings.Repeat("a", 124)}), // with the prefix
	} {
		if id, err := try(t, a, forge(m{"alg": "HS256"}, claims, secret)); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("%s: %q, %v", name, id.ID, err)
		}
	}
}

// Encoders write null for an empty list: that is no reason to refuse.
func TestNullIsNone(t *testing.T) {
	a := newAuth(t, WithClock(newClock().now), WithIssuer(Issuer{
		Name: issName, Audiences: []string{audName}, Keys: []Key{HMAC("", secret)},
	}))
	id, err := try(t, a, forge(m{"alg": "HS256"}, `{"iss":"`+issName+`","aud":"`+audName+`","sub":"ada","exp":4102444800,"name":null,"roles":null}`, secret))
	if err != nil || id.ID != "ada" || id.Name != "" || len(id.Roles) != 0 {
		t.Errorf("%+v, %v", id, err)
	}
}

func TestIdentify(t *testing.T) {
	down := errors.New("database")
	hook := func(_ context.Context, claims map[string]any, id auth.Identity) (auth.Identity, error) {
		switch claims["case"] {
		case "change":
			id.ID, id.Roles = "u:"+id.ID, []string{"from hook"}
		case "later":
			id.ExpiresAt = id.ExpiresAt.Add(time.Hour)
		case "never":
			id.ExpiresAt = time.Time{}
		case "earlier":
			id.ExpiresAt = start.Add(time.Minute)
		case "over":
			id.ExpiresAt = start
		case "bad ID":
			id.ID = "a b"
		case "error":
			return auth.Identity{ID: "eve"}, down
		case "unavailable":
			return auth.Identity{}, errors.Join(auth.ErrUnavailable, down)
		case "expired":
			return auth.Identity{}, auth.ErrExpired
		case "vandal":
			clear(claims)
		}
		return id, nil
	}
	a := newAuth(t, WithClock(newClock().now), WithIssuer(Issuer{
		Name: issName, Audiences: []string{audName}, Keys: []Key{HMAC("", secret)}, Identify: hook,
	}))
	exp := start.Add(time.Hour)
	for _, tt := range []struct {
		name    string
		id      string
		expires time.Time
		err     error
	}{
		{"as it is", "ada", exp, nil},
		{"change", "u:ada", exp, nil},
		{"later", "ada", exp, nil},
		{"never", "ada", exp, nil},
		{"earlier", "ada", start.Add(time.Minute), nil},
		{"vandal", "ada", exp, nil},
		{"over", "", exp, auth.ErrExpired},
		{"bad ID", "", exp, auth.ErrUnauthenticated},
		{"error", "", exp, auth.ErrUnauthenticated},
		{"unavailable", "", exp, auth.ErrUnavailable},
		{"expired", "", exp, auth.ErrExpired},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id, err := try(t, a, forge(m{"alg": "HS256"}, good(m{"case": tt.name}), secret))
			if id.ID != tt.id || !errors.Is(err, tt.err) {
				t.Fatalf("%q, %v", id.ID, err)
			}
			if err == nil && !id.ExpiresAt.Equal(tt.expires) {
				t.Errorf("expires %v", id.ExpiresAt)
			}
			if err == nil && id.Claims["iss"] != issName {
				t.Error("the hook's map is the identity's")
			}
			if tt.name == "error" && !errors.Is(err, down) {
				t.Errorf("the cause is lost: %v", err)
			}
		})
	}
}

func TestSeveralIssuers(t *testing.T) {
	a := newAuth(t, WithClock(newClock().now),
		WithIssuer(Issuer{Name: "https://a.example", Audiences: []string{"chat-a", "chat"}, Prefix: "a|", Keys: []Key{HMAC("k", secret)}}),
		WithIssuer(Issuer{Name: "https://b.example", Audiences: []string{"chat-b"}, Prefix: "b|", Keys: []Key{PublicKey("k", ecKey().Public())}}))
	hs, es := m{"alg": "HS256", "kid": "k"}, m{"alg": "ES256", "kid": "k"}
	toA := good(m{"iss": "https://a.example", "aud": []string{"x", "chat"}})
	toB := good(m{"iss": "https://b.example", "aud": "chat-b"})
	for _, tt := range []struct {
		name, token, id string
	}{
		{"a", forge(hs, toA, secret), "a|ada"},
		{"b", forge(es, toB, ecKey()), "b|ada"},
		{"a's claims by b's key", forge(es, toA, ecKey()), ""},
		{"b's claims by a's key", forge(hs, toB, secret), ""},
		{"b with a's audience", forge(es, good(m{"iss": "https://b.example", "aud": "chat"}), ecKey()), ""},
		{"neither", forge(hs, good(m{"iss": "https://c.example", "aud": "chat"}), secret), ""},
		{"no issuer", forge(hs, good(m{"iss": nil, "aud": "chat"}), secret), ""},
	} {
		id, err := try(t, a, tt.token)
		if id.ID != tt.id || (err == nil) != (tt.id != "") {
			t.Errorf("%s: %q, %v", tt.name, id.ID, err)
		}
	}
}

// TestInsecure has every check that can be left out left out alone, and the others still made.
func TestInsecure(t *testing.T) {
	token := func(changes m) string { return forge(m{"alg": "HS256"}, good(changes), secret) }
	for _, tt := range []struct {
		name   string
		issuer Issuer
		passes m
		fails  []m
	}{
		{
			"any issuer",
			Issuer{InsecureAnyIssuer: true, Audiences: []string{audName}},
			m{"iss": nil},
			[]m{{"iss": nil, "aud": "x"}, {"iss": nil, "exp": nil}, {"iss": nil, "sub": nil}, {"iss": nil, "exp": 1}},
		},
		{
			"any audience",
			Issuer{Name: issName, InsecureAnyAudience: true},
			m{"aud": nil},
			[]m{{"iss": "x"}, {"exp": nil}, {"sub": nil}, {"exp": 1}},
		},
		{
			"no expiry",
			Issuer{Name: issName, Audiences: []string{audName}, InsecureNoExpiry: true},
			m{"exp": nil},
			[]m{{"iss": "x"}, {"aud": nil}, {"sub": nil}, {"exp": 1}},
		},
		{
			"no subject",
			Issuer{Name: issName, Audiences: []string{audName}, InsecureNoSubject: true, Claims: ClaimNames{ID: "uid"}},
			m{"sub": nil, "uid": "ada"},
			[]m{{"iss": "x", "uid": "ada"}, {"aud": nil, "uid": "ada"}, {"exp": nil, "uid": "ada"}, {"sub": nil}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.issuer.Keys = []Key{HMAC("", secret)}
			a := newAuth(t, WithClock(newClock().now), WithIssuer(tt.issuer))
			if id, err := try(t, a, token(tt.passes)); err != nil || id.ID != "ada" {
				t.Errorf("%q, %v", id.ID, err)
			}
			for _, changes := range tt.fails {
				if _, err := try(t, a, token(changes)); !errors.Is(err, auth.ErrUnauthenticated) {
					t.Errorf("%v: %v", changes, err)
				}
			}
			if _, err := try(t, a, forge(m{"alg": "HS256"}, good(tt.passes), []byte("another secret of 32 bytes......"))); err == nil {
				t.Error("the signature is not checked")
			}
		})
	}
}
