package roomtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

// inBroken is set in the process in which TestBroken runs and fails.
const inBroken = "ROOMTEST_BROKEN"

// TestBroken runs mutants through the suites. It is for TestSuitesFail, which
// starts it in a process of its own because it has to fail.
func TestBroken(t *testing.T) {
	if os.Getenv(inBroken) == "" {
		t.Skip("started by TestSuitesFail")
	}
	t.Run("store", func(t *testing.T) {
		run := func(t *testing.T, bug string, o StoreOptions, cases []testCase[*storeScript]) {
			runStore(t, func(*testing.T) room.Store { return mutated(bug) }, o, cases)
		}
		breakAll(t, allStoreMutants(), storeCases(),
			func(t *testing.T, bug string, cases []testCase[*storeScript]) {
				run(t, bug, StoreOptions{Seed: 1}, cases)
			},
			func(t *testing.T, bug string, cases []testCase[*storeScript]) {
				run(t, bug, StoreOptions{Seed: 1, RealTime: true, Slack: 100 * time.Millisecond}, cases)
			})
		t.Run("nodes of their own", func(t *testing.T) {
			peer := func(*testing.T, room.Store) room.Store { return room.NewMemoryStore() }
			run(t, "", StoreOptions{Seed: 1, Peer: peer}, storeCases()[:1])
		})
	})
	t.Run("broker", func(t *testing.T) {
		run := func(t *testing.T, bug string, o BrokerOptions, cases []testCase[*brokerScript]) {
			o.Delivery = time.Second
			runBroker(t, func(*testing.T) room.Broker { return newMutantBroker(bug) }, o, cases)
		}
		breakAll(t, allBrokerMutants(), brokerCases(),
			func(t *testing.T, bug string, cases []testCase[*brokerScript]) {
				run(t, bug, BrokerOptions{Seed: 1}, cases)
			},
			func(t *testing.T, bug string, cases []testCase[*brokerScript]) {
				run(t, bug, BrokerOptions{Seed: 1, RealTime: true, Slack: 100 * time.Millisecond}, cases)
			})
		t.Run("nodes of their own", func(t *testing.T) {
			peer := func(*testing.T, room.Broker) room.Broker { return room.NewMemoryBroker() }
			run(t, "", BrokerOptions{Seed: 1, Peer: peer}, brokerCases()[:1])
		})
	})
}

// breakAll runs each mutant through the case that has to catch it, and no bug
// at all through all of them.
func breakAll[S any](t *testing.T, mutants []mutant, all []testCase[S], virtual, real func(t *testing.T, bug string, cases []testCase[S])) {
	for _, m := range mutants {
		i := slices.IndexFunc(all, func(c testCase[S]) bool { return c.name == m.by })
		if i < 0 {
			t.Fatalf("no case %q", m.by)
		}
		t.Run(m.bug, func(t *testing.T) { virtual(t, m.bug, all[i:i+1]) })
		if m.real {
			t.Run(m.bug+" in real time", func(t *testing.T) {
				t.Parallel()
				real(t, m.bug, all[i:i+1])
			})
		}
	}
	t.Run("none", func(t *testing.T) { virtual(t, "", all) })
}

// TestSuitesFail shows that the suites fail on each mutant, in the case that
// claims to test for it, and that each case is there for some mutant.
func TestSuitesFail(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestBroken$", "-test.v", "-test.parallel=64", "-test.timeout=120s")
	cmd.Env = append(os.Environ(), inBroken+"=1")
	b, err := cmd.CombinedOutput()
	out := string(b)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("%v, want the tests to fail\n%s", err, out)
	}
	check(t, out, "store", allStoreMutants(), storeCases())
	check(t, out, "broker", allBrokerMutants(), brokerCases())
	for _, peers := range []string{"store/nodes_of_their_own/create", "broker/nodes_of_their_own/deliver"} {
		if !strings.Contains(out, "--- FAIL: TestBroken/"+peers+" (") {
			t.Errorf("%s passes: the suite does not use the peer", peers)
		}
	}
	if strings.Contains(out, "panic:") {
		t.Error("a suite panicked")
	}
	if t.Failed() {
		t.Log(out)
	}
}

func check[S any](t *testing.T, out, suite string, mutants []mutant, cases []testCase[S]) {
	t.Helper()
	has := func(verdict, bug, by string) bool {
		name := strings.ReplaceAll(fmt.Sprintf("TestBroken/%s/%s/%s", suite, bug, by), " ", "_")
		return strings.Contains(out, fmt.Sprintf("--- %s: %s (", verdict, name))
	}
	caught := map[string]bool{}
	for _, m := range mutants {
		caught[m.by] = true
		if !has("FAIL", m.bug, m.by) {
			t.Errorf("a %s with the bug %q passes %q", suite, m.bug, m.by)
		}
		if m.real && !has("FAIL", m.bug+" in real time", m.by) {
			t.Errorf("a %s with the bug %q passes %q in real time", suite, m.bug, m.by)
		}
	}
	for _, c := range cases {
		if !caught[c.name] {
			t.Errorf("no mutant of a %s is caught by %q", suite, c.name)
		}
		if !has("PASS", "none", c.name) {
			t.Errorf("a correct %s fails %q", suite, c.name)
		}
		if !strings.Contains(out, c.why) {
			t.Errorf("the failure of %q does not say why it matters", c.name)
		}
	}
}
