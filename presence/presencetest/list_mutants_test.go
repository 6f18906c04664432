package presencetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/wardroom/wardroom/presence"
)

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
