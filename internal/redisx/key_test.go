package redisx

import (
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestKey(t *testing.T) {
	for _, tt := range []struct {
		prefix, kind, tag string
		parts             []string
		want              string
	}{
		{"", "r", "team:7", []string{"log"}, "wardroom:{r:team:7}:log"},
		{"app/", "u", "ada@example.com", nil, "app/{u:ada@example.com}"},
		{"{x}", "r", "}{", []string{"*", "a b\n"}, "%7Bx%7D{r:%7D%7B}:%2A:a%20b%0A"},
		{"", "r", "%7D", nil, "wardroom:{r:%257D}"},
	} {
		if got := NewKeys(tt.prefix).Key(tt.kind, tt.tag, tt.parts...); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
	}
}

// Two tags never make the same key, and nothing ends a tag early.
func FuzzKey(f *testing.F) {
	f.Add("lobby", "lobb")
	f.Add("}", "%7D")
	f.Add("a:b", "a")
	f.Fuzz(func(t *testing.T, a, b string) {
		k := NewKeys("")
		x, y := k.Key("r", a), k.Key("r", b)
		if (a == b) != (x == y) {
			t.Fatalf("%q and %q: %s and %s", a, b, x, y)
		}
		if strings.Count(x, "{") != 1 || strings.Count(x, "}") != 1 {
			t.Fatalf("%q: %s", a, x)
		}
	})
}
