package deps

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/wardroom/wardroom"

// node is a package as go list describes it.
type node struct {
	ImportPath   string
	Standard     bool
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// graph holds the packages of the module and all that they are built from, by
// import path.
type graph map[string]node

// load runs go list at the root of the module.
func load(t *testing.T) graph {
	t.Helper()
	out := goCommand(t, "list", "-deps", "-json=ImportPath,Standard,Imports,TestImports,XTestImports", "./...")
	g := make(graph)
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var n node
		err := decoder.Decode(&n)
		if errors.Is(err, io.EOF) {
			return g
		}
		if err != nil {
			t.Fatal(err)
		}
		g[n.ImportPath] = n
	}
}

func goCommand(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return out
}

// own returns the module's own packages in the form of relative, sorted.
func (g graph) own() []string {
	var paths []string
	for path := range g {
		if rel := relative(path); strings.HasPrefix(rel, ".") {
			paths = append(paths, rel)
		}
	}
	slices.Sort(paths)
	return paths
}

// relative writes the import path of one of the module's own packages as the
// go command does at its root: "." or "./room". Other paths stay as they are.
func relative(path string) string {
	if rest, ok := strings.CutPrefix(path, module); ok && (rest == "" || rest[0] == '/') {
		return "." + rest
	}
	return path
}

// absolute undoes relative.
func absolute(path string) string {
	if rest, ok := strings.CutPrefix(path, "."); ok {
		return module + rest
	}
	return path
}

// chain returns a shortest way by non-test imports from a package to one that
// is wanted, both ends included, or nil.
func (g graph) chain(from string, wanted func(path string) bool) []string {
	ways := [][]string{{from}}
	seen := map[string]bool{from: true}
	for len(ways) > 0 {
		way := ways[0]
		ways = ways[1:]
		for _, next := range g[way[len(way)-1]].Imports {
			if seen[next] {
				continue
			}
			seen[next] = true
			longer := append(slices.Clone(way), next)
			if wanted(next) {
				return longer
			}
			ways = append(ways, longer)
		}
	}
	return nil
}

// check returns one sentence for each way in which the graph breaks the rule.
func (g graph) check(r rule) []string {
	var broken []string
	for _, from := range g.own() {
		if !matchAny(r.from, from) || matchAny(r.except, from) {
			continue
		}
		forbidden := func(path string) bool {
			return path != absolute(from) && matchAny(r.forbid, relative(path)) && !matchAny(r.allow, relative(path))
		}
		n := g[absolute(from)]
		if r.closure {
			if way := g.chain(n.ImportPath, forbidden); way != nil {
				for i := range way {
					way[i] = relative(way[i])
				}
				broken = append(broken, fmt.Sprintf("%s: %s", r.why, strings.Join(way, " → ")))
			}
			continue
		}
		imports := slices.Clone(n.Imports)
		if r.tests {
			imports = append(append(imports, n.TestImports...), n.XTestImports...)
		}
		slices.Sort(imports)
		for _, path := range slices.Compact(imports) {
			if forbidden(path) {
				broken = append(broken, fmt.Sprintf("%s: %s → %s", r.why, from, relative(path)))
			}
		}
	}
	return broken
}
