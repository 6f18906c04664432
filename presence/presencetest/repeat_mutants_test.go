package presencetest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/wardroom/wardroom/presence"
)

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
		{"late copies are made", "late copy", true, with(func(s *broken) {
			var counter uint64
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				out, err := s.Store.Update(ctx, b)
				if err != nil {
					anew(&b, &counter)
					return s.Store.Update(ctx, b)
				}
				return out, nil
			}
		})},
		{"late copies are losses", "late copy", true, with(func(s *broken) {
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				out, err := s.Store.Update(ctx, b)
				if err != nil {
					err = presence.ErrLost
				}
				return out, err
			}
		})},
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
		{"never surplus", "bare", true, asking(func(_ *broken, b *presence.Batch) { b.Bare = false })},
		{"whoever is there is surplus", "bare", true, with(func(s *broken) {
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				all, _, _ := s.Store.List(ctx, b.Scope, "", 1000)
				if out, err := s.Store.Update(ctx, b); !b.Bare || len(all) == 0 || err != nil {
					return out, err
				}
				return presence.Outcome{}, presence.ErrLost
			}
		})},
		{"a repeated batch is surplus", "bare", true, with(func(s *broken) {
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				all, _, _ := s.Store.List(ctx, b.Scope, "", 1000)
				mine := slices.ContainsFunc(all, func(r presence.Record) bool {
					return slices.ContainsFunc(r.Entries, func(e presence.Entry) bool { return e.Node == b.Node })
				})
				if b.Bare && mine {
					return presence.Outcome{}, presence.ErrLost
				}
				return s.Store.Update(ctx, b)
			}
		})},
		{"who is invisible is not surplus", "bare", true, with(func(s *broken) {
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				all, _, _ := s.Store.List(ctx, b.Scope, "", 1000)
				b.Bare = b.Bare && slices.ContainsFunc(all, func(r presence.Record) bool { return visible(r.Entries) })
				return s.Store.Update(ctx, b)
			}
		})},
		{"surplus and done", "bare", true, with(func(s *broken) {
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				out, err := s.Store.Update(ctx, b)
				if err != nil && b.Bare {
					b.Bare = false
					s.Store.Update(ctx, b)
				}
				return out, err
			}
		})},
		{"the half cleared have no surplus", "bare", true, with(func(s *broken) {
			half := map[string]bool{}
			s.update = func(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
				b.Bare = b.Bare && !half[b.Node]
				out, err := s.Store.Update(ctx, b)
				if len(b.Changes) == 1 && b.Changes[0].Action == presence.RemoveNode {
					half[b.Changes[0].Entry.Node] = out.More
				}
				return out, err
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
