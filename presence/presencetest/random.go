package presencetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/wardroom/wardroom/presence"
)

var randomCases = []testCase{{
	name: "random",
	why:  "A store answers like the plainest implementation of its contract, whatever comes in whatever order.",
	run: func(s *script) {
		steps := 2000
		if !s.exact() {
			steps = 300
		}
		s.random(rand.New(rand.NewPCG(s.options.Seed, 1)), newTextbook(), steps)
	},
}}

// random holds a store against the textbook.
func (s *script) random(rng *rand.Rand, x *textbook, steps int) {
	t := s.t
	defer func() {
		if t.Failed() {
			t.Logf("Options.Seed: %d", s.options.Seed)
		}
	}()
	scopes := []presence.Scope{room("a"), room("b"), everywhere("u1"), everywhere("u2")}
	var revision uint64
	for step := range steps {
		scope := scopes[rng.IntN(len(scopes))]
		switch rng.IntN(5) {
		case 0:
			after, limit := fmt.Sprintf("u%d", rng.IntN(7)), 1+rng.IntN(5)
			got, more := s.list(scope, after, limit)
			want, wantMore := x.list(scope, after, limit)
			if more != wantMore || !slices.EqualFunc(got, want, sameRecord) {
				t.Fatalf("step %d: List(%+v, %q, %d):\n got %+v, %t\nwant %+v, %t", step, scope, after, limit, got, more, want, wantMore)
			}
		case 1:
			user := randomUser(rng, scope)
			if got, want := s.get(scope, user), x.get(scope, user); !sameRecord(got, want) {
				t.Fatalf("step %d: Get(%+v, %q):\n got %+v\nwant %+v", step, scope, user, got, want)
			}
		default:
			b := s.randomBatch(rng, scope, x)
			got, err := s.store.Update(t.Context(), b)
			want, wantErr := x.update(b)
			if (err != nil || wantErr != nil) && !(errors.Is(err, presence.ErrLost) && errors.Is(wantErr, presence.ErrLost)) {
				t.Fatalf("step %d: Update(%+v): %v, want %v", step, b, err, wantErr)
			}
			if err != nil {
				continue
			}
			repeated := got.Revision <= revision
			if !sameTransitions(got.Transitions, want.Transitions) || got.More != want.More || !repeated && got.Users != want.Users {
				t.Fatalf("step %d: Update(%+v):\n got %+v\nwant %+v", step, b, got, want)
			}
			revision = max(revision, got.Revision)
		}
	}
}

func randomUser(rng *rand.Rand, scope presence.Scope) string {
	if scope.Room == "" {
		return scope.User
	}
	return fmt.Sprintf("u%d", rng.IntN(6))
}

// randomBatch returns a batch as a node writes it, or repeats it, or gets wrong.
func (s *script) randomBatch(rng *rand.Rand, scope presence.Scope, x *textbook) presence.Batch {
	node := fmt.Sprintf("n%d", rng.IntN(3))
	last := x.last[author{scope, node}]
	s.now = s.now.Add(time.Duration(rng.IntN(1000)) * time.Millisecond)
	b := presence.Batch{Scope: scope, Node: node, At: s.now}
	if last.op != 0 && rng.IntN(6) == 0 {
		b.Op = last.op
		return b // what it says does not matter any more
	}
	s.op++
	b.Op = s.op
	switch rng.IntN(9) {
	case 0:
	case 8:
		b.Bare = true
	case 1:
		b.Prev = uint64(rng.IntN(int(s.op)))
	default:
		b.Prev = last.op
	}
	for range rng.IntN(4) {
		user := randomUser(rng, scope)
		e := s.entry(node, user, fmt.Sprintf("c%d", rng.IntN(4)))
		e.Status = []presence.Status{presence.Online, presence.Away, presence.Offline}[rng.IntN(3)]
		e.Name = fmt.Sprint(rng.IntN(100))
		switch rng.IntN(10) {
		case 0, 1, 2, 3:
			b.Changes = append(b.Changes, put(e))
		case 4, 5:
			b.Changes = append(b.Changes, amend(e))
		case 6, 7:
			b.Changes = append(b.Changes, remove(user, e.Connection))
		case 8:
			b.Changes = append(b.Changes, removeUser(user))
		case 9:
			// All of them: which ones a limit leaves is the store's choice.
			b.Changes = append(b.Changes, removeNode(fmt.Sprintf("n%d", rng.IntN(3)), 1000))
		}
	}
	return b
}

func sameRecord(a, b presence.Record) bool {
	return a.User == b.User && sameEntries(a.Entries, b.Entries) && a.Seen.Equal(b.Seen)
}
