package auth

import (
	"regexp"
	"strings"
	"testing"
)

func TestCapabilityMatches(t *testing.T) {
	for _, tt := range []struct {
		pattern, room string
		want          bool
	}{
		{"lobby", "lobby", true},
		{"lobby", "lobbyx", false},
		{"lobby", "Lobby", false},
		{"lobby", "lobby:x", false},
		{"*", "lobby", true},
		{"*", "team:7", false},
		{"*", "", false},
		{"team:*", "team:7", true},
		{"team:*", "team", false},
		{"team:*", "team:", false},
		{"team:*", "team:7:notes", false},
		{"team:*", "teams:7", false},
		{"*:7", "team:7", true},
		{"*:7", ":7", false},
		{"team:*:notes", "team:7:notes", true},
		{"team:*:notes", "team:7:x", false},
		{"**", "lobby", true},
		{"**", "team:7:notes", true},
		{"**", "", false},
		{"team:**", "team:7", true},
		{"team:**", "team:7:notes", true},
		{"team:**", "team", false},
		{"team:**", "team:", false},
		{"**:x", "a:x", false},
		{"", "", false},
		{"", "lobby", false},
		{"lob*", "lobby", false},
		{"a::b", "a::b", true},
	} {
		if got := (Capability{Rooms: tt.pattern}).Matches(tt.room); got != tt.want {
			t.Errorf("%q matches %q: %v", tt.pattern, tt.room, got)
		}
	}
}

func TestCapabilityValidate(t *testing.T) {
	for _, tt := range []struct {
		rooms string
		verbs Verb
		ok    bool
	}{
		{"team:*", Join, true},
		{"**", AllVerbs, true},
		{"a.B_c-1:**", Call, true},
		{"team:*", 0, false},
		{"team:*", AllVerbs + 1, false},
		{"", Join, false},
		{"team*", Join, false},
		{"***", Join, false},
		{"**:a", Join, false},
		{"te am", Join, false},
		{"team:{7}", Join, false},
		{strings.Repeat("a", 65), Join, false},
	} {
		if err := (Capability{tt.rooms, tt.verbs}).Validate(); (err == nil) != tt.ok {
			t.Errorf("%q %v: %v", tt.rooms, tt.verbs, err)
		}
	}
}

// FuzzCapabilityMatches compares with a regular expression built from the pattern.
func FuzzCapabilityMatches(f *testing.F) {
	f.Add("team:*", "team:7")
	f.Add("a:**", "a:b:c")
	f.Add("*:*", "a:")
	f.Fuzz(func(t *testing.T, pattern, room string) {
		c := Capability{pattern, Join}
		if c.Validate() != nil || strings.Contains(room, "\n") || strings.Contains(room, "*") {
			return
		}
		expr := regexp.QuoteMeta(pattern)
		expr = strings.ReplaceAll(expr, `\*\*`, `[^:]\C`)
		expr = strings.ReplaceAll(expr, `\*`, `[^:]+`)
		expr = strings.ReplaceAll(expr, `\C`, `.*`)
		if want := regexp.MustCompile(`(?s)^` + expr + `$`).MatchString(room); room != "" && c.Matches(room) != want {
			t.Errorf("%q matches %q: %v", pattern, room, !want)
		}
	})
}

func BenchmarkCan(b *testing.B) {
	id := Identity{Capabilities: []Capability{{"lobby", Join}, {"team:*", Join | Publish}}}
	b.ReportAllocs()
	for b.Loop() {
		if !id.Can("team:1234", Publish) {
			b.Fatal("refused")
		}
	}
}
