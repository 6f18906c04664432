package room

import (
	"context"
	"time"

	"github.com/wardroom/wardroom/presence"
)

// watchedPresence is presence that is not in this process.
type watchedPresence struct {
	presence.Store
	w *watch
}

func (s *watchedPresence) Beat(ctx context.Context, node string, ttl time.Duration) (r presence.Lease, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Store.Beat(ctx, node, ttl)
}

func (s *watchedPresence) Orphans(ctx context.Context, node string, limit int) (r []presence.Orphan, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Store.Orphans(ctx, node, limit)
}

func (s *watchedPresence) Update(ctx context.Context, b presence.Batch) (r presence.Outcome, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Store.Update(ctx, b)
}

func (s *watchedPresence) Get(ctx context.Context, scope presence.Scope, user string) (r presence.Record, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Store.Get(ctx, scope, user)
}

func (s *watchedPresence) List(ctx context.Context, scope presence.Scope, after string, limit int) (list []presence.Record, more bool, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Store.List(ctx, scope, after, limit)
}
