package redissession

import (
	"strings"
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/redisx"
)

func TestIDs(t *testing.T) {
	tag := Tag("ada")
	if tag != "YJFIKHAECC53YVXFRC3MAFU64DVTSUQO" && len(tag) != tagLength {
		t.Errorf("the tag is %q", tag)
	}
	id := newID(tag)
	if got, ok := tagOf(id); !ok || got != tag {
		t.Errorf("the tag of %q is %q, %v", id, got, ok)
	}
	if strings.Contains(id, "ada") || id == newID(tag) {
		t.Errorf("the ID %q", id)
	}
	for _, bad := range []string{"", tag, auth.NewSessionID(), id + "A", id[1:], "{" + id[1:], id[:57] + "}", id[:57] + "a", id[:57] + "0", strings.ToLower(id)} {
		if tag, ok := tagOf(bad); ok {
			t.Errorf("%q has the tag %q", bad, tag)
		}
	}
}

func TestMicros(t *testing.T) {
	at := time.Unix(1_700_000_000, 123_456_789)
	for _, tt := range []struct{ name, got, want string }{
		{"down", micros(at), "1700000000123456"},
		{"up", microsUp(at), "1700000000123457"},
		{"up, but whole", microsUp(at.Truncate(time.Microsecond)), "1700000000123456"},
		{"zero", micros(time.Time{}), "-62135596800000000"},
		{"zero up", microsUp(time.Time{}), "-62135596800000000"},
		{"zero or none", microsOrNone(time.Time{}), "-"},
		{"before the first", micros(time.Time{}.Add(-time.Hour)), "-62135596800000000"},
		{"after the last", micros(time.Unix(1<<55, 0)), "253402214400000000"},
		{"after the last up", microsUp(time.Unix(1<<55, 1)), "253402214400000000"},
		{"no token", tokenDigest(""), "-"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, tt.got, tt.want)
		}
	}
	if d := tokenDigest("-"); len(d) != 32 || d == tokenDigest("- ") {
		t.Errorf("the digest of a token is %q", d)
	}
}

// Whatever a client sends for an ID, it leads to a user's slot or to nothing.
func FuzzTagOf(f *testing.F) {
	f.Add(newID(Tag("ada")))
	f.Add("")
	f.Add(strings.Repeat("{", randomLength) + strings.Repeat("}", tagLength))
	f.Fuzz(func(t *testing.T, id string) {
		tag, ok := tagOf(id)
		if !ok {
			return
		}
		if !strings.HasSuffix(id, tag) || len(id) != len(tag)+randomLength {
			t.Fatalf("%q: %q", id, tag)
		}
		if key := redisx.NewKeys("p:").Key("u", tag, "live"); key != "p:{u:"+tag+"}:live" {
			t.Fatalf("%q leads to %q", id, key)
		}
	})
}
