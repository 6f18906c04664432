package presence

import (
	"fmt"
	"testing"
)

// TestTracesAreBounded has a node leave more rooms than it remembers: it is the
// ones longest ago that it forgets.
func TestTracesAreBounded(t *testing.T) {
	t.Parallel()
	var ts traces
	of := func(i int) trace { return trace{Scope{Room: fmt.Sprint(i)}, "n"} }
	for i := range mostTraces {
		ts.add(of(i))
	}
	ts.add(of(0)) // once more, so that it is the latest
	ts.add(of(mostTraces))
	if len(ts.found) != mostTraces || ts.order.Len() != mostTraces {
		t.Errorf("%d and %d, want %d", len(ts.found), ts.order.Len(), mostTraces)
	}
	for i, want := range map[int]bool{0: true, 1: false, 2: true, mostTraces: true} {
		if got := ts.found[of(i)] != nil; got != want {
			t.Errorf("remembers %d: %t", i, got)
		}
	}
}
