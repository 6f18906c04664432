package auth

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestValidID(t *testing.T) {
	for id, want := range map[string]bool{
		"ada": true, "auth0|a.B_c-1": true, "ada+x@example.com": true, "a:b": true, strings.Repeat("a", 128): true,
		"": false, strings.Repeat("a", 129): false, "a b": false, "a/b": false, "a*": false, "{a}": false,
		"a\n": false, "a\x00": false, "ü": false, "a\u202eb": false, "a,b": false,
	} {
		if ValidID(id) != want {
			t.Errorf("ValidID(%q) is %v", id, !want)
		}
	}
}

func TestIdentityHasRole(t *testing.T) {
	id := Identity{Roles: []string{"staff", "a"}}
	for role, want := range map[string]bool{"staff": true, "a": true, "Staff": false, "": false, "b": false} {
		if id.HasRole(role) != want {
			t.Errorf("HasRole(%q) is %v", role, !want)
		}
	}
}

func TestIdentityExpired(t *testing.T) {
	at := time.Unix(1000, 0)
	id := Identity{ExpiresAt: at}
	if id.Expired(at.Add(-1)) || !id.Expired(at) || !id.Expired(at.Add(1)) {
		t.Error("an identity is good before ExpiresAt and not from then on")
	}
	if (Identity{}).Expired(at) {
		t.Error("without ExpiresAt it never expires")
	}
}

func TestIdentityCan(t *testing.T) {
	teams := Capability{"team:*", Join | Publish}
	for _, tt := range []struct {
		name string
		caps []Capability
		room string
		verb Verb
		want bool
	}{
		{"nil narrows nothing", nil, "any", Moderate, true},
		{"no verb", nil, "any", 0, false},
		{"empty allows nothing", []Capability{}, "any", Join, false},
		{"granted", []Capability{teams}, "team:7", Join, true},
		{"both granted", []Capability{teams}, "team:7", Join | Publish, true},
		{"other verb", []Capability{teams}, "team:7", Moderate, false},
		{"one of two", []Capability{teams}, "team:7", Join | Moderate, false},
		{"other room", []Capability{teams}, "lobby", Join, false},
		{"two together", []Capability{teams, {"team:7", Moderate}}, "team:7", Join | Moderate, true},
		{"two together elsewhere", []Capability{teams, {"team:7", Moderate}}, "team:8", Join | Moderate, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := (Identity{Capabilities: tt.caps}).Can(tt.room, tt.verb); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// A store that keeps identities as JSON must not turn "allow nothing" into "no narrowing", or back.
func TestIdentityJSON(t *testing.T) {
	for _, id := range []Identity{
		{ID: "ada"},
		{ID: "ada", Capabilities: []Capability{}},
		{
			ID: "ada", Name: "Ada", Roles: []string{"staff"}, Claims: map[string]any{"org": "x"},
			Capabilities: []Capability{{"team:*", Join | History}, {"**", AllVerbs}},
			IssuedAt:     time.Unix(1, 0).UTC(), ExpiresAt: time.Unix(2, 0).UTC(), TokenID: "j",
		},
	} {
		text, err := json.Marshal(id)
		if err != nil {
			t.Fatal(err)
		}
		var back Identity
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(id, back) {
			t.Errorf("%s comes back as %#v", text, back.Claims)
		}
	}
}
