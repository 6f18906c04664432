package securitymodel

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
)

// tests are the tests of a tree: by package.Name, the string literals of the
// files they are in, which the names of their subtests are made of.
type tests map[string]map[string]bool

// shown are the modules below that the document names tests of.
var shown = map[string]bool{filepath.Join("internal", "faults"): true}

// find parses every test file below dir, but not those of other modules that
// are not shown.
func find(dir string) (tests, error) {
	all := make(tests)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			name := d.Name()
			if path != dir && (name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") || isModule(path) && !isShown(dir, path)) {
				return filepath.SkipDir
			}
			return nil
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		return all.add(path, nil)
	})
	return all, err
}

func isShown(root, dir string) bool {
	rel, err := filepath.Rel(root, dir)
	return err == nil && shown[rel]
}

func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// add parses one file, from src if that is not nil.
func (all tests) add(path string, src any) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, src, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	literals := make(map[string]bool)
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil {
				literals[s] = true
			}
		}
		return true
	})
	pkg := strings.TrimSuffix(file.Name.Name, "_test")
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if ok && f.Recv == nil && (is(f.Name.Name, "Test") || is(f.Name.Name, "Fuzz")) {
			all[pkg+"."+f.Name.Name] = literals
		}
	}
	return nil
}

// is reports whether go test runs a function of that name, as it decides.
func is(name, prefix string) bool {
	rest, ok := strings.CutPrefix(name, prefix)
	return ok && (rest == "" || !unicode.IsLower([]rune(rest)[0]))
}

// has reports whether there is a test of that name. Of subtests, which are
// named while they run, it wants to see each part as a string literal in the
// file of the test, with _ for a space as go test prints it.
func (all tests) has(name string) bool {
	name, subtests, _ := strings.Cut(name, "/")
	literals, ok := all[name]
	if !ok {
		return false
	}
	if subtests == "" {
		return true
	}
	for part := range strings.SplitSeq(subtests, "/") {
		if !literals[part] && !literals[strings.ReplaceAll(part, "_", " ")] {
			return false
		}
	}
	return true
}
