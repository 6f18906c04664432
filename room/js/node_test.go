package js

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestClient runs the client's own tests (test/*.test.js) in Node.js. They
// use a WebSocket and a clock of their own: no network, no waiting.
func TestClient(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("Node.js is not on PATH; the browser client is tested with Node.js 20 or later")
	}
	version, err := exec.CommandContext(t.Context(), node, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	major, _, _ := strings.Cut(strings.TrimPrefix(string(version), "v"), ".")
	if n, err := strconv.Atoi(major); err != nil || n < 20 {
		t.Skipf("Node.js %s is too old; the browser client is tested with Node.js 20 or later", strings.TrimSpace(string(version)))
	}

	tests, err := filepath.Glob("test/*.test.js")
	if err != nil || len(tests) == 0 {
		t.Fatalf("no tests in test/ (%v)", err)
	}
	// go test remembers a success until a file that the test has read changes;
	// what node reads it cannot see.
	golden, err := filepath.Glob("../../internal/wire/testdata/golden/*/*")
	if err != nil || len(golden) == 0 {
		t.Fatalf("no golden frames (%v)", err)
	}
	for _, name := range slices.Concat(tests, golden, []string{"wardroom.js", "wardroom.d.ts", "package.json", "testing/fake.js", "README.md", "../../README.md"}) {
		if _, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), node, append([]string{"--test", "--test-reporter=spec"}, tests...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("node --test: %v\n%s", err, out)
	}
}
