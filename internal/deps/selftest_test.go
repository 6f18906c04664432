package deps

import (
	"slices"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	tests := []struct {
		pattern, path string
		want          bool
	}{
		{"./room", "./room", true},
		{"./room", "./room/roomtest", false},
		{"./room", "./rooms", false},
		{"./room", "room", false},
		{"./room/...", "./room", true},
		{"./room/...", "./room/redisroom/lua", true},
		{"./room/...", "./rooms", false},
		{"./room/...", "./internal/room", false},
		{"./...", ".", true},
		{"./...", "./a/b/c", true},
		{"./...", "example.com/a", false},
		{".", ".", true},
		{".", "./room", false},
		{"./.../redis*/...", "./room/redisroom", true},
		{"./.../redis*/...", "./auth/redissession/keys", true},
		{"./.../redis*/...", "./redisfoo", true},
		{"./.../redis*/...", "./room/notredis", false},
		{"./.../redis*/...", "github.com/redis/rueidis", false},
		{"github.com/redis/rueidis/...", "github.com/redis/rueidis", true},
		{"github.com/redis/rueidis/...", "github.com/redis/rueidis/internal/cmds", true},
		{"github.com/redis/rueidis/...", "github.com/redis/rueidiscompat", false},
		{"github.com/lestrrat-go/jwx/...", "github.com/lestrrat-go/jwx/v3/jwt", true},
	}
	for _, tt := range tests {
		if got := match(tt.pattern, tt.path); got != tt.want {
			t.Errorf("match(%q, %q) = %t, want %t", tt.pattern, tt.path, got, tt.want)
		}
	}
}

// made returns a graph of made-up packages. Each line is "from: imports",
// "from test: imports" or "from xtest: imports", in the form of relative.
func made(lines ...string) graph {
	g := make(graph)
	for _, text := range lines {
		from, list, _ := strings.Cut(text, ":")
		from, kind, _ := strings.Cut(from, " ")
		n := g[absolute(from)]
		n.ImportPath = absolute(from)
		var imports []string
		for _, to := range strings.Fields(list) {
			imports = append(imports, absolute(to))
		}
		switch kind {
		case "test":
			n.TestImports = imports
		case "xtest":
			n.XTestImports = imports
		default:
			n.Imports = imports
		}
		g[n.ImportPath] = n
	}
	return g
}

// The rules as they stand, on packages that keep or break them.
func TestRules(t *testing.T) {
	const (
		jwtLib   = "github.com/lestrrat-go/jwx/v3/jwt"
		redisLib = "github.com/redis/rueidis"
		tintLib  = "github.com/lmittmann/tint"
		leakLib  = "go.uber.org/goleak"
	)
	tests := []struct {
		name  string
		graph graph
		want  []string // how each complaint ends
	}{
		{
			name: "the tree of the design",
			graph: made(
				".:",
				"./auth:", "./limit:", "./presence:", "./validate:", "./internal/wire:",
				"./internal/transport: github.com/coder/websocket",
				"./room: ./auth ./limit ./presence ./validate ./internal/wire ./internal/transport",
				"./room test: "+leakLib,
				"./room xtest: ./room/roomtest examples.com/x",
				"./room/roomtest: ./room",
				"./auth/jwtauth: ./auth "+jwtLib,
				"./auth/jwtauth xtest: ./auth/jwtauth ./room "+jwtLib,
				"./limit/redislimit: ./limit ./internal/redisx "+redisLib,
				"./room/redisroom: ./room ./internal/redisx "+redisLib,
				"./room/redisroom test: ./internal/redistest ./room/roomtest",
				"./internal/redisx: "+redisLib,
				"./internal/redistest: "+redisLib,
				"./examples/chat: ./room ./room/redisroom ./auth/jwtauth "+tintLib,
			),
		},
		{
			name:  "room imports rueidis",
			graph: made("./room: " + redisLib),
			want:  []string{"./room → " + redisLib, "./room → " + redisLib}, // by itself, and in its closure
		},
		{
			name:  "room reaches jwx by way of an adapter",
			graph: made("./room: ./auth", "./auth: ./auth/jwtauth", "./auth/jwtauth: "+jwtLib),
			want: []string{
				"./auth → ./auth/jwtauth",
				"./auth → ./auth/jwtauth → " + jwtLib,
				"./room → ./auth → ./auth/jwtauth → " + jwtLib,
			},
		},
		{
			name:  "a test outside redis* imports rueidis",
			graph: made("./room:", "./room xtest: "+redisLib),
			want:  []string{"./room → " + redisLib},
		},
		{
			name:  "a test outside jwtauth imports jwx",
			graph: made("./examples/chat:", "./examples/chat test: "+jwtLib),
			want:  []string{"./examples/chat → " + jwtLib},
		},
		{
			name:  "the library logs with tint",
			graph: made("./room: " + tintLib),
			want:  []string{"./room → " + tintLib},
		},
		{
			name:  "a leaf imports a leaf",
			graph: made("./limit: ./auth", "./auth/authtest: ./validate"),
			want:  []string{"./auth/authtest → ./validate", "./limit → ./auth"},
		},
		{
			name:  "a leaf imports upward",
			graph: made("./internal/transport: ./room", "./presence: .", "./limit/redislimit: ./room/roomtest"),
			want:  []string{"./internal/transport → ./room", "./limit/redislimit → ./room/roomtest", "./presence → ."},
		},
		{
			name:  "the core imports its own adapter",
			graph: made("./room: ./room/redisroom", "./room/redisroom: ./room", "./limit: ./limit/redislimit", "./limit/redislimit:"),
			want:  []string{"./limit → ./limit/redislimit", "./room → ./room/redisroom"},
		},
		{
			name:  "the library imports an example",
			graph: made("./room/roomtest:", "./room/roomtest xtest: ./examples/chat"),
			want:  []string{"./room/roomtest → ./examples/chat"},
		},
		{
			name:  "a conformance suite brings goleak along",
			graph: made("./limit/limittest: ./limit " + leakLib),
			want:  []string{"./limit/limittest → " + leakLib},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, r := range rules() {
				for _, broken := range tt.graph.check(r) {
					why, way, _ := strings.Cut(broken, ": ")
					if why == "" {
						t.Errorf("%q gives no reason", broken)
					}
					got = append(got, way)
				}
			}
			slices.Sort(got)
			want := slices.Sorted(slices.Values(tt.want))
			if !slices.Equal(got, want) {
				t.Errorf("complaints:\n got %q\nwant %q", got, want)
			}
		})
	}
}
