package deps

import (
	"path"
	"slices"
	"strings"
)

// rule forbids some packages of the module some imports. Paths are in the form
// of relative, patterns as match takes them.
type rule struct {
	why     string
	from    []string // whom the rule binds,
	except  []string // but not these
	forbid  []string // what they may not import,
	allow   []string // but these they may
	closure bool     // forbids it by way of other packages too
	tests   bool     // binds their test files too; not with closure
}

const (
	rueidis = "github.com/redis/rueidis/..."
	jwx     = "github.com/lestrrat-go/jwx/..."
	tint    = "github.com/lmittmann/tint/..."
)

var (
	// redis are the packages that speak to Redis.
	redis = []string{"./.../redis*/..."}

	// adapters bind a heavy dependency to an interface of the core.
	adapters = slices.Concat([]string{"./auth/jwtauth/..."}, redis)

	examples = []string{"./examples/..."}
)

// rules is the table of docs/DESIGN.md, "Dependencies" and "Tree".
func rules() []rule {
	table := []rule{
		{
			why:     "the core compiles no Redis client",
			from:    []string{"./..."},
			except:  slices.Concat(redis, examples),
			forbid:  []string{rueidis},
			closure: true,
		},
		{
			why:     "the core compiles no JWT library",
			from:    []string{"./..."},
			except:  slices.Concat([]string{"./auth/jwtauth/..."}, examples),
			forbid:  []string{jwx},
			closure: true,
		},
		{
			why:    "only redis* packages import rueidis",
			from:   []string{"./..."},
			except: redis,
			forbid: []string{rueidis},
			tests:  true,
		},
		{
			why:    "only auth/jwtauth imports jwx",
			from:   []string{"./..."},
			except: []string{"./auth/jwtauth/..."},
			forbid: []string{jwx},
			tests:  true,
		},
		{
			why:    "only examples import tint",
			from:   []string{"./..."},
			except: examples,
			forbid: []string{tint},
			tests:  true,
		},
		{
			why:    "nothing imports examples",
			from:   []string{"./..."},
			except: examples,
			forbid: examples,
			tests:  true,
		},
		{
			why:    "room knows no adapter",
			from:   []string{"./room"},
			forbid: adapters,
		},
		{
			why:    "tests of the core need no goleak at run time",
			from:   []string{"./..."},
			forbid: []string{"go.uber.org/goleak/..."},
		},
	}
	// Leaves, and the packages below them, know neither each other nor what
	// stands above them.
	leaves := []string{
		"./auth", "./limit", "./presence", "./validate",
		"./internal/origin", "./internal/wire", "./internal/transport",
	}
	for _, leaf := range leaves {
		below := leaf + "/..."
		r := rule{
			why:    "leaves do not import each other, nor what is above them",
			from:   []string{below},
			forbid: []string{".", "./room/..."},
			allow:  []string{below},
		}
		for _, other := range leaves {
			r.forbid = append(r.forbid, other+"/...")
		}
		table = append(table, r, rule{
			why:    "a leaf knows no adapter",
			from:   []string{leaf},
			forbid: adapters,
		})
	}
	return table
}

// direct are the modules that the root go.mod may require. Each stands in
// docs/DESIGN.md, "Dependencies"; a host that imports wardroom gets them all
// in its own go.sum.
var direct = []string{
	"github.com/coder/websocket",
	"github.com/go-json-experiment/json",
	"github.com/lestrrat-go/jwx/v3",
	"github.com/lmittmann/tint",
	"github.com/redis/rueidis",
	"go.uber.org/goleak",
}

// match reports whether a pattern describes an import path. As a
// whole segment, "..." stands for any number of segments, also none. Other
// segments are as path.Match takes them.
func match(pattern, importPath string) bool {
	return matchSegments(strings.Split(pattern, "/"), strings.Split(importPath, "/"))
}

func matchSegments(pattern, segments []string) bool {
	if len(pattern) == 0 {
		return len(segments) == 0
	}
	if pattern[0] == "..." {
		for skip := range len(segments) + 1 {
			if matchSegments(pattern[1:], segments[skip:]) {
				return true
			}
		}
		return false
	}
	if len(segments) == 0 {
		return false
	}
	ok, err := path.Match(pattern[0], segments[0])
	return err == nil && ok && matchSegments(pattern[1:], segments[1:])
}

func matchAny(patterns []string, importPath string) bool {
	for _, pattern := range patterns {
		if match(pattern, importPath) {
			return true
		}
	}
	return false
}
