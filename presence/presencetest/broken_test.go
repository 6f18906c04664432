package presencetest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wardroom/wardroom/presence"
)

// inBroken is set in the process in which TestBroken runs and fails.
const inBroken = "PRESENCETEST_BROKEN"

// TestBroken runs mutants through the suite. It is for TestSuiteFails, which
// starts it in a process of its own because it has to fail.
func TestBroken(t *testing.T) {
	if os.Getenv(inBroken) == "" {
		t.Skip("started by TestSuiteFails")
	}
	only := func(name string) []testCase {
		all := cases()
		i := slices.IndexFunc(all, func(c testCase) bool { return c.name == name })
		if i < 0 {
			t.Fatalf("no case %q", name)
		}
		return all[i : i+1]
	}
	for _, m := range mutants() {
		newStore := func(*testing.T) presence.Store { return m.new() }
		t.Run(m.name, func(t *testing.T) {
			run(t, newStore, Options{Seed: 1}, only(m.by))
		})
		if m.real {
			t.Run(m.name+" in real time", func(t *testing.T) {
				t.Parallel()
				run(t, newStore, Options{Seed: 1, RealTime: true, Unit: 100 * time.Millisecond}, only(m.by))
			})
		}
	}
	t.Run("none", func(t *testing.T) { TestStore(t, newMemory) })
}

// TestSuiteFails shows that the suite fails on each mutant, in the case that
// claims to test for it, and that each case is there for some mutant.
func TestSuiteFails(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$", "-test.v", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), inBroken+"=1")
	b, err := cmd.CombinedOutput()
	out := string(b)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("%v, want the tests to fail\n%s", err, out)
	}
	has := func(verdict, mutant, by string) bool {
		name := strings.ReplaceAll(fmt.Sprintf("TestBroken/%s/%s", mutant, by), " ", "_")
		return strings.Contains(out, fmt.Sprintf("--- %s: %s (", verdict, name))
	}
	caught := map[string]bool{}
	for _, m := range mutants() {
		caught[m.by] = true
		if !has("FAIL", m.name, m.by) {
			t.Errorf("%q passes %q", m.name, m.by)
		}
		if m.real && !has("FAIL", m.name+" in real time", m.by) {
			t.Errorf("%q passes %q in real time", m.name, m.by)
		}
	}
	for _, c := range cases() {
		if !caught[c.name] {
			t.Errorf("no mutant is caught by %q", c.name)
		}
		if !has("PASS", "none", c.name) {
			t.Errorf("a correct store fails %q", c.name)
		}
		if !strings.Contains(out, c.why) {
			t.Errorf("the failure of %q does not say why it matters", c.name)
		}
	}
	if strings.Contains(out, "panic:") || strings.Contains(out, "DATA RACE") {
		t.Error("the suite panicked or raced")
	}
	if t.Failed() && testing.Verbose() {
		t.Log(out)
	}
}
