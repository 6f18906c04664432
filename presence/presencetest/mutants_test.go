package presencetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/wardroom/wardroom/presence"
)

// A mutant is a store that is right but for one thing, and the case that has to
// notice.
type mutant struct {
	name string
	by   string // the case
	real bool   // on a real clock as well
	new  func() presence.Store
}

// broken is a store of which some methods are replaced.
type broken struct {
	presence.Store
	update  func(ctx context.Context, b presence.Batch) (presence.Outcome, error)
	get     func(ctx context.Context, scope presence.Scope, user string) (presence.Record, error)
	list    func(ctx context.Context, scope presence.Scope, after string, limit int) ([]presence.Record, bool, error)
	beat    func(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error)
	orphans func(ctx context.Context, node string, limit int) ([]presence.Orphan, error)
}

func (s *broken) Update(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
	if s.update == nil {
		return s.Store.Update(ctx, b)
	}
	return s.update(ctx, b)
}

func (s *broken) Get(ctx context.Context, scope presence.Scope, user string) (presence.Record, error) {
	if s.get == nil {
		return s.Store.Get(ctx, scope, user)
	}
	return s.get(ctx, scope, user)
}

func (s *broken) List(ctx context.Context, scope presence.Scope, after string, limit int) ([]presence.Record, bool, error) {
	if s.list == nil {
		return s.Store.List(ctx, scope, after, limit)
	}
	return s.list(ctx, scope, after, limit)
}

func (s *broken) Beat(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
	if s.beat == nil {
		return s.Store.Beat(ctx, node, ttl)
	}
	return s.beat(ctx, node, ttl)
}

func (s *broken) Orphans(ctx context.Context, node string, limit int) ([]presence.Orphan, error) {
	if s.orphans == nil {
		return s.Store.Orphans(ctx, node, limit)
	}
	return s.orphans(ctx, node, limit)
}

// with breaks a correct store.
func with(f func(s *broken)) func() presence.Store {
	return func() presence.Store {
		s := &broken{Store: presence.NewMemory()}
		f(s)
		return s
	}
}

// asking changes what Update is asked.
func asking(f func(s *broken, b *presence.Batch)) func() presence.Store {
	return with(func(s *broken) {
		s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
			b.Changes = slices.Clone(b.Changes)
			f(s, &b)
			return s.Store.Update(ctx, b)
		}
	})
}

// changing replaces each change by others.
func changing(f func(s *broken, scope presence.Scope, ch presence.Change) []presence.Change) func() presence.Store {
	return asking(func(s *broken, b *presence.Batch) {
		var list []presence.Change
		for _, ch := range b.Changes {
			list = append(list, f(s, b.Scope, ch)...)
		}
		b.Changes = list
	})
}

// entering changes the entries that are written.
func entering(f func(e *presence.Entry)) func() presence.Store {
	return asking(func(_ *broken, b *presence.Batch) {
		for i := range b.Changes {
			if a := b.Changes[i].Action; a == presence.Put || a == presence.Amend {
				f(&b.Changes[i].Entry)
			}
		}
	})
}

// answering changes what Update answers.
func answering(f func(b *presence.Batch, out *presence.Outcome)) func() presence.Store {
	return with(func(s *broken) {
		s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
			out, err := s.Store.Update(ctx, b)
			f(&b, &out)
			return out, err
		}
	})
}

// naming changes all IDs, so that some become the same.
func naming(f func(id string) string) func() presence.Store {
	return with(func(s *broken) {
		scope := func(sc presence.Scope) presence.Scope {
			return presence.Scope{Room: f(sc.Room), User: f(sc.User)}
		}
		s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
			b.Scope = scope(b.Scope)
			b.Changes = slices.Clone(b.Changes)
			for i := range b.Changes {
				e := &b.Changes[i].Entry
				e.User, e.Connection = f(e.User), f(e.Connection)
			}
			return s.Store.Update(ctx, b)
		}
		s.get = func(ctx context.Context, sc presence.Scope, user string) (presence.Record, error) {
			r, err := s.Store.Get(ctx, scope(sc), f(user))
			r.User = user
			return r, err
		}
	})
}

// anew makes batches that are never taken for repeated ones.
func anew(b *presence.Batch, counter *uint64) {
	*counter++
	b.Op = 1<<40 + *counter
	b.Prev = 0
}

// books is a store that keeps which batch was the last, by a key of its own
// choice, and nothing of the kind beside.
func books(key func(b *presence.Batch) string, tweak func(b *presence.Batch, last map[string]uint64)) func() presence.Store {
	return with(func(s *broken) {
		var mu sync.Mutex
		last := map[string]uint64{}
		answers := map[string]presence.Outcome{}
		var counter uint64
		s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
			mu.Lock()
			defer mu.Unlock()
			k := key(&b)
			if last[k] == b.Op {
				return clone(answers[k]), nil
			}
			if b.Prev != 0 && last[k] != b.Prev {
				return presence.Outcome{}, presence.ErrLost
			}
			op := b.Op
			anew(&b, &counter)
			out, err := s.Store.Update(ctx, b)
			last[k], answers[k] = op, clone(out)
			if tweak != nil {
				tweak(&b, last)
			}
			return out, err
		}
	})
}

func clone(out presence.Outcome) presence.Outcome {
	out.Transitions = slices.Clone(out.Transitions)
	for i := range out.Transitions {
		t := &out.Transitions[i]
		t.Before, t.After = slices.Clone(t.Before), slices.Clone(t.After)
	}
	return out
}

func authorOf(b *presence.Batch) string { return fmt.Sprintf("%q %q", b.Scope, b.Node) }

// beating changes what Beat answers.
func beating(f func(l *presence.Lease, err *error)) func() presence.Store {
	return with(func(s *broken) {
		s.beat = func(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
			l, err := s.Store.Beat(ctx, node, ttl)
			f(&l, &err)
			return l, err
		}
	})
}

// handing changes what Orphans answers.
func handing(f func(s *broken, node string, limit int, list []presence.Orphan) []presence.Orphan) func() presence.Store {
	return with(func(s *broken) {
		s.orphans = func(ctx context.Context, node string, limit int) ([]presence.Orphan, error) {
			list, err := s.Store.Orphans(ctx, node, limit)
			if err != nil {
				return nil, err
			}
			return f(s, node, limit, list), nil
		}
	})
}

// listing changes what List answers; all are all records behind after.
func listing(f func(all []presence.Record, limit int) ([]presence.Record, bool)) func() presence.Store {
	return with(func(s *broken) {
		s.list = func(ctx context.Context, scope presence.Scope, after string, limit int) ([]presence.Record, bool, error) {
			all, _, err := s.Store.List(ctx, scope, after, 1000)
			if err != nil {
				return nil, false, err
			}
			records, more := f(all, limit)
			return records, more, nil
		}
	})
}

func page(all []presence.Record, limit int) ([]presence.Record, bool) {
	return all[:min(limit, len(all))], len(all) > limit
}

// apart makes changes one by one, with time between them.
func apart(s *broken) {
	var counter uint64
	var mu sync.Mutex
	s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
		var all presence.Outcome
		for _, ch := range b.Changes {
			one := b
			one.Changes = []presence.Change{ch}
			mu.Lock()
			anew(&one, &counter)
			mu.Unlock()
			out, err := s.Store.Update(ctx, one)
			if err != nil {
				return out, err
			}
			for _, tr := range out.Transitions {
				i := slices.IndexFunc(all.Transitions, func(t presence.Transition) bool { return t.User == tr.User })
				if i < 0 {
					all.Transitions = append(all.Transitions, tr)
				} else {
					all.Transitions[i].After = tr.After
				}
			}
			all.Users, all.More, all.Revision = out.Users, all.More || out.More, out.Revision
			time.Sleep(10 * time.Microsecond)
		}
		return all, nil
	}
}

// looksFirst takes Before from a look that it has before the batch.
func looksFirst(s *broken) {
	s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
		before := map[string][]presence.Entry{}
		for _, ch := range b.Changes {
			r, err := s.Store.Get(ctx, b.Scope, ch.Entry.User)
			if err != nil {
				return presence.Outcome{}, err
			}
			before[ch.Entry.User] = r.Entries
		}
		time.Sleep(10 * time.Microsecond)
		out, err := s.Store.Update(ctx, b)
		for i := range out.Transitions {
			out.Transitions[i].Before = before[out.Transitions[i].User]
		}
		return out, err
	}
}

// looksAfter takes After from a look that it has after the batch.
func looksAfter(s *broken) {
	s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
		out, err := s.Store.Update(ctx, b)
		time.Sleep(10 * time.Microsecond)
		for i := range out.Transitions {
			r, err := s.Store.Get(ctx, b.Scope, out.Transitions[i].User)
			if err != nil {
				return out, err
			}
			out.Transitions[i].After = r.Entries
		}
		return out, err
	}
}

// reapsByLooking clears a node away by removing what it has seen it has.
func reapsByLooking(s *broken) {
	s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
		if len(b.Changes) != 1 || b.Changes[0].Action != presence.RemoveNode {
			return s.Store.Update(ctx, b)
		}
		ch := b.Changes[0]
		all, _, err := s.Store.List(ctx, b.Scope, "", 1000)
		if err != nil {
			return presence.Outcome{}, err
		}
		time.Sleep(10 * time.Microsecond)
		var mine []presence.Entry
		for _, r := range all {
			for _, e := range r.Entries {
				if e.Node == ch.Entry.Node {
					mine = append(mine, e)
				}
			}
		}
		more := len(mine) > ch.Limit
		b.Changes = nil
		for _, e := range mine[:min(len(mine), ch.Limit)] {
			b.Changes = append(b.Changes, presence.Change{Action: presence.Remove, Entry: e})
		}
		out, err := s.Store.Update(ctx, b)
		out.More = more
		return out, err
	}
}

// keepsAnswers forgets answers d after they were given, if when says so.
func keepsAnswers(d time.Duration, when func(out *presence.Outcome) bool) func() presence.Store {
	return with(func(s *broken) {
		var counter uint64
		given := map[string]time.Time{}
		ops := map[string]uint64{}
		s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
			k := authorOf(&b)
			if at, ok := given[k]; ok && ops[k] == b.Op && time.Since(at) > d {
				anew(&b, &counter)
				return s.Store.Update(ctx, b)
			}
			out, err := s.Store.Update(ctx, b)
			if when(&out) {
				given[k], ops[k] = time.Now(), b.Op
			}
			return out, err
		}
	})
}

func eachTransition(f func(tr *presence.Transition)) func() presence.Store {
	return answering(func(_ *presence.Batch, out *presence.Outcome) {
		for i := range out.Transitions {
			f(&out.Transitions[i])
		}
	})
}

func mutants() []mutant {
	return slices.Concat(updateMutants(), repeatMutants(), leaseMutants(), listMutants())
}
