package deps

import (
	"encoding/json"
	"slices"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestImports(t *testing.T) {
	g := load(t)
	for _, path := range []string{"./internal/deps", "./internal/wire"} {
		if !slices.Contains(g.own(), path) {
			t.Fatalf("go list did not find %s; it found %q", path, g.own())
		}
	}
	for _, r := range rules() {
		for _, broken := range g.check(r) {
			t.Error(broken)
		}
	}
}

// The root go.mod becomes part of every importer's: what it requires is a
// decision, and a replace or a tool would mean something else there than here.
func TestRootModule(t *testing.T) {
	var mod struct {
		Go      string
		Require []struct {
			Path     string
			Indirect bool
		}
		Toolchain *struct{ Name string }
		Replace   []any
		Exclude   []any
		Tool      []any
	}
	if err := json.Unmarshal(goCommand(t, "mod", "edit", "-json"), &mod); err != nil {
		t.Fatal(err)
	}
	if mod.Go != "1.25.0" {
		t.Errorf("go.mod says go %s; docs/DESIGN.md promises 1.25", mod.Go)
	}
	for _, require := range mod.Require {
		if !require.Indirect && !slices.Contains(direct, require.Path) {
			t.Errorf("go.mod requires %s, which docs/DESIGN.md does not list", require.Path)
		}
	}
	if len(mod.Require) == 0 {
		t.Error("go.mod requires nothing: was it read?")
	}
	if mod.Toolchain != nil || len(mod.Replace)+len(mod.Exclude)+len(mod.Tool) > 0 {
		t.Error("go.mod has a toolchain, replace, exclude or tool line; nested modules are the place for those")
	}
}
