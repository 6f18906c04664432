package js

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write wardroom.js anew from src/")

// modules are the files of src/ in an order in which each comes after those
// that it needs while it is loaded.
var modules = []string{
	"backoff.js", "errors.js", "emitter.js", "codec.js", "outbox.js", "link.js", "room.js", "seat.js", "client.js",
}

var (
	imports  = regexp.MustCompile(`(?m)^import .*;\n`)
	exported = regexp.MustCompile(`(?m)^export (class|const|function) `)
	comment  = regexp.MustCompile(`(?s)\A/\*\*.*?\*/\n`)
)

// bundle joins src/ into one module: the entry's comment, the modules without
// their imports and exports, and the entry's own exports.
func bundle(t *testing.T) []byte {
	t.Helper()
	read := func(name string) []byte {
		src, err := os.ReadFile(filepath.Join("src", name))
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	entry := read("wardroom.js")
	header := comment.Find(entry)
	out := append([]byte(nil), header...)
	for _, name := range modules {
		src := exported.ReplaceAll(imports.ReplaceAll(read(name), nil), []byte("$1 "))
		out = append(out, "\n// "+name[:len(name)-len(".js")]+"\n\n"...)
		out = append(out, bytes.TrimSpace(src)...)
		out = append(out, '\n')
	}
	rest := imports.ReplaceAll(entry[len(header):], nil)
	return append(append(out, '\n'), append(bytes.TrimSpace(rest), '\n')...)
}

func TestBundleIsUpToDate(t *testing.T) {
	want := bundle(t)
	if *update {
		if err := os.WriteFile("wardroom.js", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile("wardroom.js")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("wardroom.js is not what src/ makes: run go test ./room/js -run Bundle -update")
	}
}

func TestBundleHasEveryModule(t *testing.T) {
	found, err := filepath.Glob("src/*.js")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join("src", "wardroom.js")}
	for _, name := range modules {
		want = append(want, filepath.Join("src", name))
	}
	slices.Sort(want)
	if !slices.Equal(found, want) {
		t.Errorf("src holds %q, the bundle is made of %q", found, want)
	}
}
