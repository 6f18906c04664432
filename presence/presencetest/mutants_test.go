package presencetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
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

func updateMutants() []mutant {
	return []mutant{
		{"no name", "entries", true, entering(func(e *presence.Entry) { e.Name = "" })},
		{"no meta", "entries", true, entering(func(e *presence.Entry) { e.Meta = nil })},
		{"no time of meta", "entries", true, entering(func(e *presence.Entry) { e.MetaAt = time.Time{} })},
		{"times of seconds", "entries", false, entering(func(e *presence.Entry) { e.Since = e.Since.Truncate(time.Second) })},
		{"times of its own", "entries", true, entering(func(e *presence.Entry) { e.Since = time.Now() })},
		{"everyone is online", "entries", true, entering(func(e *presence.Entry) { e.Status = presence.Online })},
		{"meta is text", "entries", true, entering(func(e *presence.Entry) { e.Meta = bytes.ToValidUTF8(e.Meta, []byte("?")) })},
		{"invisible users have no transitions", "entries", true, answering(func(_ *presence.Batch, out *presence.Outcome) {
			out.Transitions = slices.DeleteFunc(out.Transitions, func(tr presence.Transition) bool { return !visible(tr.After) && !visible(tr.Before) })
		})},
		{"entries by node", "put", true, entering(func(e *presence.Entry) { e.Connection += e.Node })},
		{"put does not replace", "put", true, changing(func(s *broken, scope presence.Scope, ch presence.Change) []presence.Change {
			if r, _ := s.Store.Get(context.Background(), scope, ch.Entry.User); ch.Action == presence.Put && slices.ContainsFunc(r.Entries, func(e presence.Entry) bool { return e.Connection == ch.Entry.Connection }) {
				return nil
			}
			return []presence.Change{ch}
		})},
		{"the first node keeps the entry", "put", true, changing(func(s *broken, scope presence.Scope, ch presence.Change) []presence.Change {
			r, _ := s.Store.Get(context.Background(), scope, ch.Entry.User)
			for _, e := range r.Entries {
				if ch.Action == presence.Put && e.Connection == ch.Entry.Connection {
					ch.Entry.Node = e.Node
				}
			}
			return []presence.Change{ch}
		})},
		{"amend adds", "amend", true, changing(func(_ *broken, _ presence.Scope, ch presence.Change) []presence.Change {
			if ch.Action == presence.Amend {
				ch.Action = presence.Put
			}
			return []presence.Change{ch}
		})},
		{"amend adds where the user is", "amend", true, changing(func(s *broken, scope presence.Scope, ch presence.Change) []presence.Change {
			if r, _ := s.Store.Get(context.Background(), scope, ch.Entry.User); ch.Action == presence.Amend && len(r.Entries) > 0 {
				ch.Action = presence.Put
			}
			return []presence.Change{ch}
		})},
		{"amend does nothing", "amend", true, changing(func(_ *broken, _ presence.Scope, ch presence.Change) []presence.Change {
			if ch.Action == presence.Amend {
				return []presence.Change{remove(ch.Entry.User, "nobody")}
			}
			return []presence.Change{ch}
		})},
		{"amend keeps the name", "amend", true, changing(func(s *broken, scope presence.Scope, ch presence.Change) []presence.Change {
			if r, _ := s.Store.Get(context.Background(), scope, ch.Entry.User); ch.Action == presence.Amend && len(r.Entries) > 0 {
				ch.Entry.Name = r.Entries[0].Name
			}
			return []presence.Change{ch}
		})},
		{"a node removes only its own", "remove", true, with(func(s *broken) {
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				b.Changes = slices.Clone(b.Changes)
				for i := range b.Changes {
					r, _ := s.Store.Get(ctx, b.Scope, b.Changes[i].Entry.User)
					for _, e := range r.Entries {
						if ch := &b.Changes[i]; ch.Action == presence.Remove && e.Connection == ch.Entry.Connection && e.Node != b.Node {
							ch.Entry.Connection = "nobody"
						}
					}
				}
				return s.Store.Update(ctx, b)
			}
		})},
		{"remove removes the user", "remove", true, changing(func(_ *broken, _ presence.Scope, ch presence.Change) []presence.Change {
			if ch.Action == presence.Remove {
				ch.Action = presence.RemoveUser
			}
			return []presence.Change{ch}
		})},
		{"no Before", "remove", true, eachTransition(func(tr *presence.Transition) { tr.Before = nil })},
		{"After is Before", "remove", true, eachTransition(func(tr *presence.Transition) { tr.After = tr.Before })},
		{"only changes are told", "remove", true, answering(func(_ *presence.Batch, out *presence.Outcome) {
			out.Transitions = slices.DeleteFunc(out.Transitions, func(tr presence.Transition) bool { return sameEntries(tr.Before, tr.After) })
		})},
		{"counts connections", "remove", true, with(func(s *broken) {
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				out, err := s.Store.Update(ctx, b)
				all, _, _ := s.Store.List(ctx, b.Scope, "", 1000)
				out.Users = 0
				for _, r := range all {
					out.Users += len(r.Entries)
				}
				return out, err
			}
		})},
		{"a user is removed from one node", "remove user", true, with(func(s *broken) {
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				var list []presence.Change
				for _, ch := range b.Changes {
					r, _ := s.Store.Get(ctx, b.Scope, ch.Entry.User)
					if ch.Action != presence.RemoveUser {
						list = append(list, ch)
						continue
					}
					list = append(list, remove(ch.Entry.User, "nobody"))
					for _, e := range r.Entries {
						if e.Node == b.Node {
							list = append(list, remove(e.User, e.Connection))
						}
					}
				}
				b.Changes = list
				return s.Store.Update(ctx, b)
			}
		})},
		{"who was removed is lost", "remove user", true, with(func(s *broken) {
			wrote := map[string]bool{}
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				all, _, _ := s.Store.List(ctx, b.Scope, "", 1000)
				mine := slices.ContainsFunc(all, func(r presence.Record) bool {
					return slices.ContainsFunc(r.Entries, func(e presence.Entry) bool { return e.Node == b.Node })
				})
				if b.Prev != 0 && wrote[b.Node] && !mine {
					return presence.Outcome{}, presence.ErrLost
				}
				wrote[b.Node] = true
				return s.Store.Update(ctx, b)
			}
		})},
		{"no limit", "remove node", true, changing(func(_ *broken, _ presence.Scope, ch presence.Change) []presence.Change {
			ch.Limit = math.MaxInt32
			return []presence.Change{ch}
		})},
		{"never more", "remove node", true, answering(func(_ *presence.Batch, out *presence.Outcome) { out.More = false })},
		{"more for ever", "remove node", true, answering(func(b *presence.Batch, out *presence.Outcome) {
			out.More = len(b.Changes) == 1 && b.Changes[0].Action == presence.RemoveNode && len(out.Transitions) == b.Changes[0].Limit
		})},
		{"the dead take the living along", "remove node", true, changing(func(s *broken, scope presence.Scope, ch presence.Change) []presence.Change {
			list := []presence.Change{ch}
			if ch.Action == presence.RemoveNode {
				all, _, _ := s.Store.List(context.Background(), scope, "", 1000)
				for _, r := range all {
					if slices.ContainsFunc(r.Entries, func(e presence.Entry) bool { return e.Node == ch.Entry.Node }) {
						list = append(list, removeUser(r.User))
					}
				}
			}
			return list
		})},
		{"one transition for each change", "batch", true, with(func(s *broken) {
			apart(s)
			whole := s.update
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				var all presence.Outcome
				for _, ch := range b.Changes {
					b.Changes = []presence.Change{ch}
					out, err := whole(ctx, b)
					if err != nil {
						return out, err
					}
					all.Transitions = append(all.Transitions, out.Transitions...)
					all.Users = out.Users
				}
				return all, nil
			}
		})},
		{"transitions in any order", "batch", true, answering(func(_ *presence.Batch, out *presence.Outcome) { slices.Reverse(out.Transitions) })},
		{"the last change first", "batch", true, asking(func(_ *broken, b *presence.Batch) { slices.Reverse(b.Changes) })},
		{"rooms are users", "scopes", true, asking(func(_ *broken, b *presence.Batch) { b.Scope = room(b.Scope.Room + b.Scope.User) })},
		{"names in lower case", "scopes", true, naming(strings.ToLower)},
		{"names without space", "scopes", true, naming(strings.TrimSpace)},
		{"names end at NUL", "scopes", true, naming(func(id string) string { id, _, _ = strings.Cut(id, "\x00"); return id })},
		{"names in UTF-8", "names", true, naming(func(id string) string { return strings.ToValidUTF8(id, "1") })},
		{"short names", "names", true, entering(func(e *presence.Entry) { e.User = e.User[:min(len(e.User), 255)] })},
		{"names run together", "names", true, with(func(s *broken) {
			key := func(u, c string) string { return u + ":" + c }
			first := map[string]string{}
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				b.Changes = slices.DeleteFunc(slices.Clone(b.Changes), func(ch presence.Change) bool {
					k, id := key(ch.Entry.User, ch.Entry.Connection), ch.Entry.User+"\x00"+ch.Entry.Connection
					if ch.Action != presence.Put {
						return false
					}
					if _, ok := first[k]; !ok {
						first[k] = id
					}
					return first[k] != id
				})
				return s.Store.Update(ctx, b)
			}
		})},
		{"one revision", "revision", true, answering(func(_ *presence.Batch, out *presence.Outcome) { out.Revision = 1 })},
		{"revisions by node", "revision", true, with(func(s *broken) {
			n := map[string]uint64{}
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				out, err := s.Store.Update(ctx, b)
				n[b.Node]++
				out.Revision = n[b.Node]
				return out, err
			}
		})},
		{"hands out its own slices", "ownership", true, with(func(s *broken) {
			answers := map[uint64]presence.Outcome{}
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				if out, ok := answers[b.Op]; ok {
					return out, nil
				}
				out, err := s.Store.Update(ctx, b)
				answers[b.Op] = out
				return out, err
			}
		})},
		{"keeps the batch", "ownership", true, with(func(s *broken) {
			kept := map[uint64]presence.Batch{}
			var counter uint64
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				if old, ok := kept[b.Op]; ok {
					anew(&old, &counter)
					return s.Store.Update(ctx, old)
				}
				kept[b.Op] = b
				return s.Store.Update(ctx, b)
			}
		})},
		{"keeps lists", "ownership", true, with(func(s *broken) {
			var kept []presence.Record
			s.list = func(ctx context.Context, scope presence.Scope, after string, limit int) ([]presence.Record, bool, error) {
				if kept == nil {
					kept, _, _ = s.Store.List(ctx, scope, after, limit)
				}
				return kept, false, nil
			}
		})},
		{"no context", "context", true, with(func(s *broken) {
			s.get = func(ctx context.Context, scope presence.Scope, user string) (presence.Record, error) {
				return s.Store.Get(context.WithoutCancel(ctx), scope, user)
			}
		})},
		{"hides the context's error", "context", true, with(func(s *broken) {
			s.beat = func(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
				if ctx.Err() != nil {
					return presence.Lease{}, errors.New("gave up")
				}
				return s.Store.Beat(ctx, node, ttl)
			}
		})},
		{"a hundred changes", "many", true, asking(func(_ *broken, b *presence.Batch) { b.Changes = b.Changes[:min(len(b.Changes), 100)] })},
		{"reads and writes apart", "first and last", true, with(looksFirst)},
		{"writes and reads apart", "first and last", true, with(looksAfter)},
		{"changes apart", "whole batches", true, with(apart)},
		{"clears by looking", "clearing away", true, with(reapsByLooking)},
		{"a repeated batch is not awaited", "repeat overtakes", true, with(func(s *broken) {
			var mu sync.Mutex
			done := map[uint64]presence.Outcome{}
			var counter uint64
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				op := b.Op
				mu.Lock()
				out, ok := done[op]
				anew(&b, &counter)
				mu.Unlock()
				if ok {
					return out, nil
				}
				time.Sleep(10 * time.Microsecond)
				out, err := s.Store.Update(ctx, b)
				mu.Lock()
				defer mu.Unlock()
				done[op] = out
				return out, err
			}
		})},
		{"forgets a connection now and then", "random", true, with(func(s *broken) {
			n := 0
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				if n++; n%10 == 0 && len(b.Changes) > 1 {
					b.Changes = b.Changes[1:]
				}
				return s.Store.Update(ctx, b)
			}
		})},
	}
}

func repeatMutants() []mutant {
	always := func(*presence.Outcome) bool { return true }
	return []mutant{
		{"every batch is new", "repeat", true, with(func(s *broken) {
			var counter uint64
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				anew(&b, &counter)
				return s.Store.Update(ctx, b)
			}
		})},
		{"a repeated batch has changed nothing", "repeat", true, with(func(s *broken) {
			done := map[uint64]bool{}
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				out, err := s.Store.Update(ctx, b)
				if done[b.Op] {
					for i := range out.Transitions {
						out.Transitions[i].Before = out.Transitions[i].After
					}
				}
				done[b.Op] = true
				return out, err
			}
		})},
		{"a repeated batch is of now", "repeat", true, with(func(s *broken) {
			done := map[uint64]bool{}
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				out, err := s.Store.Update(ctx, b)
				for i := range out.Transitions {
					if r, _ := s.Store.Get(ctx, b.Scope, out.Transitions[i].User); done[b.Op] {
						out.Transitions[i].After = r.Entries
					}
				}
				done[b.Op] = true
				return out, err
			}
		})},
		{"answers by room", "repeat elsewhere", true, books(func(b *presence.Batch) string { return fmt.Sprintf("%q", b.Scope) }, nil)},
		{"answers by node", "repeat elsewhere", true, books(func(b *presence.Batch) string { return b.Node }, nil)},
		{"answers by room for rooms and users", "repeat elsewhere", true, books(func(b *presence.Batch) string { return b.Scope.Room + b.Node }, nil)},
		{"answers of a minute", "repeat later", false, keepsAnswers(2*time.Minute, always)},
		{"answers of a second after leaving", "repeat later", false, keepsAnswers(time.Second, func(out *presence.Outcome) bool {
			return len(out.Transitions) == 1 && len(out.Transitions[0].After) == 0
		})},
		{"never lost", "lost", true, asking(func(_ *broken, b *presence.Batch) { b.Prev = 0 })},
		{"lost and done", "lost", true, with(func(s *broken) {
			var counter uint64
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				out, err := s.Store.Update(ctx, b)
				if err != nil {
					again := b
					anew(&again, &counter)
					again.Node += "'"
					s.Store.Update(ctx, again)
				}
				return out, err
			}
		})},
		{"what is lost is the last", "lost", true, with(func(s *broken) {
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				out, err := s.Store.Update(ctx, b)
				if err != nil {
					b.Changes, b.Prev = nil, 0
					s.Store.Update(ctx, b)
				}
				return out, err
			}
		})},
		{"an older batch will do", "lost", true, with(func(s *broken) {
			all := map[uint64]bool{}
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				if all[b.Prev] {
					b.Prev = 0
				}
				all[b.Op] = true
				return s.Store.Update(ctx, b)
			}
		})},
		{"the cleared are not told", "lost to a survivor", true, books(authorOf, nil)},
		{"the half cleared are not told", "lost to a survivor", true, with(func(s *broken) {
			half := map[string]bool{}
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				if half[b.Node] {
					b.Prev = 0
				}
				out, err := s.Store.Update(ctx, b)
				if len(b.Changes) == 1 && b.Changes[0].Action == presence.RemoveNode {
					half[b.Changes[0].Entry.Node] = out.More
				}
				return out, err
			}
		})},
	}
}

func leaseMutants() []mutant {
	return []mutant{
		{"never fresh", "lease", true, beating(func(l *presence.Lease, _ *error) { l.Fresh = false })},
		{"always fresh", "lease", true, beating(func(l *presence.Lease, _ *error) { l.Fresh = true })},
		{"counts itself", "lease", true, with(func(s *broken) {
			s.beat = func(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
				l, err := s.Store.Beat(ctx, node, ttl)
				if l.Next == 0 || ttl < l.Next {
					l.Next = ttl
				}
				return l, err
			}
		})},
		{"twice as long", "lease", true, with(func(s *broken) {
			s.beat = func(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
				return s.Store.Beat(ctx, node, 2*ttl)
			}
		})},
		{"a little short", "lease", false, with(func(s *broken) {
			s.beat = func(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
				return s.Store.Beat(ctx, node, ttl-time.Millisecond)
			}
		})},
		{"who asks lives again", "lease", true, with(func(s *broken) {
			names := map[string]string{}
			s.beat = func(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
				l, err := s.Store.Beat(ctx, node+names[node], ttl)
				if err != nil {
					names[node] += "'"
					s.Store.Beat(ctx, node+names[node], ttl)
				}
				return l, err
			}
		})},
		{"the dead live again", "lease", true, with(func(s *broken) {
			names := map[string]string{}
			s.beat = func(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
				l, err := s.Store.Beat(ctx, node+names[node], ttl)
				if err != nil {
					names[node] += "'"
					return s.Store.Beat(ctx, node+names[node], ttl)
				}
				return l, err
			}
		})},
		{"only longer", "shorter lease", true, with(func(s *broken) {
			until := map[string]time.Time{}
			s.beat = func(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
				ttl = max(ttl, time.Until(until[node]))
				until[node] = time.Now().Add(ttl)
				return s.Store.Beat(ctx, node, ttl)
			}
		})},
		{"zero is no change", "shorter lease", true, with(func(s *broken) {
			s.beat = func(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
				if ttl <= 0 {
					ttl = time.Hour
				}
				return s.Store.Beat(ctx, node, ttl)
			}
		})},
		{"no next", "next", true, beating(func(l *presence.Lease, _ *error) { l.Next = 0 })},
		{"the last is next", "next", true, with(func(s *broken) {
			until := map[string]time.Time{}
			s.beat = func(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
				l, err := s.Store.Beat(ctx, node, ttl)
				until[node] = time.Now().Add(ttl)
				for other, at := range until {
					if other != node {
						l.Next = max(l.Next, time.Until(at))
					}
				}
				return l, err
			}
		})},
		{"the lapsed are next", "next", true, beating(func(l *presence.Lease, _ *error) {
			if l.Lapsed {
				l.Next = 0
			}
		})},
		{"nobody has lapsed", "orphans", true, beating(func(l *presence.Lease, _ *error) { l.Lapsed = false })},
		{"somebody has always lapsed", "orphans", true, with(func(s *broken) {
			lapsed := false
			s.beat = func(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
				l, err := s.Store.Beat(ctx, node, ttl)
				lapsed = lapsed || l.Lapsed
				l.Lapsed = lapsed
				return l, err
			}
		})},
		{"users' scopes are none", "orphans", true, handing(func(_ *broken, _ string, _ int, list []presence.Orphan) []presence.Orphan {
			return slices.DeleteFunc(list, func(o presence.Orphan) bool { return o.Scope.Room == "" })
		})},
		{"one room of each", "orphans", true, handing(func(_ *broken, _ string, _ int, list []presence.Orphan) []presence.Orphan {
			slices.SortFunc(list, func(a, b presence.Orphan) int { return strings.Compare(a.Scope.Room, b.Scope.Room) })
			return list[:min(len(list), 2)]
		})},
		{"the living are orphans", "orphans", true, handing(func(_ *broken, _ string, _ int, list []presence.Orphan) []presence.Orphan {
			if len(list) > 0 {
				list = append(list, presence.Orphan{Node: "live", Scope: room("r")})
			}
			return list
		})},
		{"twice", "orphans", true, handing(func(_ *broken, _ string, _ int, list []presence.Orphan) []presence.Orphan {
			return append(list, list...)
		})},
		{"the cleared are orphans still", "orphans", true, with(func(s *broken) {
			kept := map[presence.Orphan]bool{}
			s.orphans = func(ctx context.Context, node string, limit int) ([]presence.Orphan, error) {
				list, err := s.Store.Orphans(ctx, node, limit)
				for _, o := range list {
					kept[o] = true
				}
				list = nil
				for o := range kept {
					list = append(list, o)
				}
				return list, err
			}
		})},
		{"dead until forgotten", "orphans", true, with(func(s *broken) {
			s.beat = func(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
				l, err := s.Store.Beat(ctx, node, ttl)
				if err != nil {
					if o, _ := s.Store.Orphans(ctx, "live", 10); len(o) == 0 {
						return presence.Lease{Fresh: true}, nil
					}
				}
				return l, err
			}
		})},
		{"dead for an hour", "orphans", false, with(func(s *broken) {
			died := map[string]time.Time{}
			s.beat = func(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
				l, err := s.Store.Beat(ctx, node, ttl)
				if at, ok := died[node]; err != nil && ok && time.Since(at) > time.Hour {
					return presence.Lease{Fresh: true}, nil
				} else if err != nil && !ok {
					died[node] = time.Now()
				}
				return l, err
			}
		})},
		{"all pages at once", "orphans in pages", true, handing(func(s *broken, node string, _ int, _ []presence.Orphan) []presence.Orphan {
			list, _ := s.Store.Orphans(context.Background(), node, 1000)
			return list
		})},
		{"one page", "orphans in pages", true, with(func(s *broken) {
			total := 0
			s.orphans = func(ctx context.Context, node string, limit int) ([]presence.Orphan, error) {
				list, err := s.Store.Orphans(ctx, node, limit)
				list = list[:min(len(list), max(20-total, 0))]
				total += len(list)
				return list, err
			}
		})},
		{"everyone is an heir", "heirs", true, with(func(s *broken) {
			first := ""
			s.orphans = func(ctx context.Context, node string, limit int) ([]presence.Orphan, error) {
				if first == "" {
					first = node
				}
				list, err := s.Store.Orphans(ctx, node, limit)
				if err == nil && len(list) == 0 {
					return s.Store.Orphans(ctx, first, limit)
				}
				return list, err
			}
		})},
		{"handed once", "heirs", true, with(func(s *broken) {
			handed := map[string]bool{}
			s.orphans = func(ctx context.Context, node string, limit int) ([]presence.Orphan, error) {
				list, err := s.Store.Orphans(ctx, node, limit)
				list = slices.DeleteFunc(list, func(o presence.Orphan) bool { return handed[node+o.Node] })
				for _, o := range list {
					handed[node+o.Node] = true
				}
				return list, err
			}
		})},
		{"the first heir for ever", "heirs", true, with(func(s *broken) {
			heir := map[string]string{}
			s.orphans = func(ctx context.Context, node string, limit int) ([]presence.Orphan, error) {
				list, err := s.Store.Orphans(ctx, node, limit)
				return slices.DeleteFunc(list, func(o presence.Orphan) bool {
					if heir[o.Node] == "" {
						heir[o.Node] = node
					}
					return heir[o.Node] != node
				}), err
			}
		})},
		{"the dead inherit", "heirs", true, with(func(s *broken) {
			s.orphans = func(ctx context.Context, node string, limit int) ([]presence.Orphan, error) {
				list, err := s.Store.Orphans(ctx, node, limit)
				if errors.Is(err, presence.ErrLapsed) {
					return nil, nil
				}
				return list, err
			}
		})},
		{"leases begin with an update", "entries without a lease", true, with(func(s *broken) {
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				s.Store.Beat(ctx, b.Node, time.Hour)
				return s.Store.Update(ctx, b)
			}
		})},
		{"an update ends the lease", "entries without a lease", true, with(func(s *broken) {
			beaten := map[string]bool{}
			s.beat = func(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
				beaten[node] = true
				return s.Store.Beat(ctx, node, ttl)
			}
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				if !beaten[b.Node] {
					s.Store.Beat(ctx, b.Node, 0)
				}
				return s.Store.Update(ctx, b)
			}
		})},
		{"the forgotten have no orphans", "entries without a lease", true, with(func(s *broken) {
			dead := map[string]bool{}
			s.orphans = func(ctx context.Context, node string, limit int) ([]presence.Orphan, error) {
				list, err := s.Store.Orphans(ctx, node, limit)
				if err == nil && len(list) == 0 {
					dead["late"] = true
				}
				return slices.DeleteFunc(list, func(o presence.Orphan) bool { return dead[o.Node] }), err
			}
		})},
		{"entries lapse", "entries outlive their lease", true, with(func(s *broken) {
			until := map[string]time.Time{}
			s.beat = func(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
				until[node] = time.Now().Add(ttl)
				return s.Store.Beat(ctx, node, ttl)
			}
			s.get = func(ctx context.Context, scope presence.Scope, user string) (presence.Record, error) {
				r, err := s.Store.Get(ctx, scope, user)
				r.Entries = slices.DeleteFunc(r.Entries, func(e presence.Entry) bool { return time.Now().After(until[e.Node]) })
				return r, err
			}
		})},
	}
}

func listMutants() []mutant {
	return []mutant{
		{"in any order", "list", true, listing(func(all []presence.Record, limit int) ([]presence.Record, bool) {
			slices.Reverse(all)
			return page(all, limit)
		})},
		{"in the order of a dictionary", "list", true, listing(func(all []presence.Record, limit int) ([]presence.Record, bool) {
			slices.SortFunc(all, func(a, b presence.Record) int {
				return strings.Compare(strings.ToLower(a.User)+a.User, strings.ToLower(b.User)+b.User)
			})
			return page(all, limit)
		})},
		{"no page is full", "list", true, listing(func(all []presence.Record, limit int) ([]presence.Record, bool) {
			return page(all, limit-1)
		})},
		{"pages are too long", "list", true, listing(func(all []presence.Record, limit int) ([]presence.Record, bool) {
			return page(all, limit+1)
		})},
		{"more when full", "list", true, listing(func(all []presence.Record, limit int) ([]presence.Record, bool) {
			p, _ := page(all, limit)
			return p, len(p) == limit
		})},
		{"no more", "list", true, listing(func(all []presence.Record, limit int) ([]presence.Record, bool) {
			p, _ := page(all, limit)
			return p, false
		})},
		{"lists the cursor again", "list", true, with(func(s *broken) {
			s.list = func(ctx context.Context, scope presence.Scope, after string, limit int) ([]presence.Record, bool, error) {
				if after != "" {
					after = after[:len(after)-1] + string(rune(after[len(after)-1]-1)) + "\xff"
				}
				return s.Store.List(ctx, scope, after, limit)
			}
		})},
		{"a cursor must be there", "list", true, with(func(s *broken) {
			s.list = func(ctx context.Context, scope presence.Scope, after string, limit int) ([]presence.Record, bool, error) {
				if r, err := s.Store.Get(ctx, scope, after); after != "" && len(r.Entries) == 0 {
					return nil, false, err
				}
				return s.Store.List(ctx, scope, after, limit)
			}
		})},
		{"omits the invisible", "list invisible", true, listing(func(all []presence.Record, limit int) ([]presence.Record, bool) {
			return page(slices.DeleteFunc(all, func(r presence.Record) bool { return !visible(r.Entries) }), limit)
		})},
		{"does not count the invisible", "list invisible", true, answering(func(_ *presence.Batch, out *presence.Outcome) {
			for _, tr := range out.Transitions {
				if !visible(tr.After) {
					out.Users--
				}
			}
		})},
		{"absent is an error", "absent", true, with(func(s *broken) {
			s.get = func(ctx context.Context, scope presence.Scope, user string) (presence.Record, error) {
				r, err := s.Store.Get(ctx, scope, user)
				if len(r.Entries) == 0 {
					err = errors.New("no such user")
				}
				return r, err
			}
		})},
		{"never seen", "last seen", true, sighting(func(r *presence.Record, _ presence.Scope) { r.Seen = time.Time{} })},
		{"seen while there", "last seen", true, sighting(func(r *presence.Record, _ presence.Scope) {
			if visible(r.Entries) {
				r.Seen = time.Now()
			}
		})},
		{"unseen while invisible", "last seen", true, sighting(func(r *presence.Record, _ presence.Scope) {
			if len(r.Entries) > 0 {
				r.Seen = time.Time{}
			}
		})},
		{"seen in rooms", "last seen", true, sighting(func(r *presence.Record, scope presence.Scope) {
			if scope.Room != "" && len(r.Entries) == 0 {
				r.Seen = time.Now()
			}
		})},
		{"seen by the store's clock", "last seen", false, asking(func(_ *broken, b *presence.Batch) { b.At = time.Now() })},
		{"seen when gone", "last seen", true, entering(func(e *presence.Entry) { e.Status = presence.Online })},
		{"seen for an hour", "last seen", false, sighting(func(r *presence.Record, _ presence.Scope) {
			if time.Since(r.Seen) > time.Hour {
				r.Seen = time.Time{}
			}
		})},
	}
}

// sighting changes when users were last seen.
func sighting(f func(r *presence.Record, scope presence.Scope)) func() presence.Store {
	return with(func(s *broken) {
		s.get = func(ctx context.Context, scope presence.Scope, user string) (presence.Record, error) {
			r, err := s.Store.Get(ctx, scope, user)
			f(&r, scope)
			return r, err
		}
	})
}
