package presencetest

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wardroom/wardroom/presence"
)

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
