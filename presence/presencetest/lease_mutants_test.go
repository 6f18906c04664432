package presencetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/wardroom/wardroom/presence"
)

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
