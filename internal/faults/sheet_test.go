package faults

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// An invariant is something that no fault may break.
type invariant string

const (
	lost       invariant = "acknowledged messages missing from history"
	doubled    invariant = "duplicates at any client or in history"
	disordered invariant = "order violations at any client"
	gap        invariant = "unnoticed gaps at any client"
	refused    invariant = "recoveries refused though the log reaches back"
	overfull   invariant = "room caps exceeded"
	miscounted invariant = "connection caps missed, or places not given back in time"
	late       invariant = "deliveries too long after revoke, kick or ban"
	unequal    invariant = "membership or presence unequal the oracle in time"
	mute       invariant = "local deliveries missing in rooms without history"
	leaked     invariant = "goroutines, descriptors above the baseline in time"
	overdue    invariant = "hot-path calls beyond deadline + 20 %"
	dropped    invariant = "connections closed by a fault of Redis"
	unhealed   invariant = "rooms that took no message again in time"
)

var invariants = []invariant{
	lost, doubled, disordered, gap, refused, overfull, miscounted, late, unequal, mute, leaked, overdue, dropped, unhealed,
}

// sheet counts violations by the step in which they were seen, and keeps
// figures. It is safe for concurrent use.
type sheet struct {
	mu      sync.Mutex
	name    string
	steps   []string
	broken  map[invariant]map[string]int
	details []string // of the first violations
	figures map[string]figure
}

// figure is something measured: how often, in total, and the most at once.
type figure struct {
	n, sum, most float64
	time         bool
}

// maxDetails is how many violations of one invariant in one step are told in
// full.
const maxDetails = 4

func newSheet(name string) *sheet {
	return &sheet{name: name, broken: make(map[invariant]map[string]int), figures: make(map[string]figure), steps: []string{"start"}}
}

// begin says which step everything belongs to from now on.
func (s *sheet) begin(step string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = append(s.steps, step)
}

// violate notes that an invariant is broken.
func (s *sheet) violate(inv invariant, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	step := s.steps[len(s.steps)-1]
	if s.broken[inv] == nil {
		s.broken[inv] = make(map[string]int)
	}
	s.broken[inv][step]++
	if s.broken[inv][step] <= maxDetails {
		s.details = append(s.details, fmt.Sprintf("%s, %s: %s: %s", s.name, step, inv, fmt.Sprintf(format, args...)))
	}
}

// count adds to a figure.
func (s *sheet) count(what string, n int) { s.add(what, float64(n), false) }

// took adds a duration to a figure.
func (s *sheet) took(what string, d time.Duration) { s.add(what, d.Seconds(), true) }

func (s *sheet) add(what string, v float64, isTime bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.figures[what]
	f.n, f.sum, f.most, f.time = f.n+1, f.sum+v, max(f.most, v), isTime
	s.figures[what] = f
}

// violations is how often an invariant was broken, in one step or, with an
// empty one, in all.
func (s *sheet) violations(inv invariant, step string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, v := range s.broken[inv] {
		if step == "" || at == step {
			n += v
		}
	}
	return n
}

// all is how often anything was violated.
func (s *sheet) all() (n int) {
	for _, inv := range invariants {
		n += s.violations(inv, "")
	}
	return n
}

// String is the table.
func (s *sheet) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n| invariant | violations | in |\n|---|---|---|\n", s.name)
	for _, inv := range invariants {
		sum := 0
		var in []string
		for _, step := range slices.Sorted(maps.Keys(s.broken[inv])) {
			sum += s.broken[inv][step]
			in = append(in, fmt.Sprintf("%s (%d)", step, s.broken[inv][step]))
		}
		fmt.Fprintf(&b, "| %s | %d | %s |\n", inv, sum, strings.Join(in, ", "))
	}
	b.WriteString("\n| figure | total | times | most |\n|---|---|---|---|\n")
	for _, what := range slices.Sorted(maps.Keys(s.figures)) {
		f := s.figures[what]
		if f.time {
			fmt.Fprintf(&b, "| %s | | %.0f | %.0f ms |\n", what, f.n, 1000*f.most)
		} else {
			fmt.Fprintf(&b, "| %s | %.0f | | |\n", what, f.sum)
		}
	}
	return b.String()
}

// settle fails the test for every violation and shows the table.
func (s *sheet) settle(t testing.TB) {
	t.Helper()
	text := s.String()
	t.Logf("seed %d\n%s", *seed, text)
	publishing.Lock()
	published.WriteString(text + "\n")
	publishing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.details {
		t.Error(d)
	}
}
