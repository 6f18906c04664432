package room

import (
	"context"
	"time"
)

// watchedStore is a store that is not in this process.
type watchedStore struct {
	Store
	w *watch
}

func (s *watchedStore) Create(ctx context.Context, rec Record) (r Record, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Store.Create(ctx, rec)
}

func (s *watchedStore) Record(ctx context.Context, room string) (r Record, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Store.Record(ctx, room)
}

func (s *watchedStore) Update(ctx context.Context, rec Record) (r Record, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Store.Update(ctx, rec)
}

func (s *watchedStore) Delete(ctx context.Context, room string) (err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Store.Delete(ctx, room)
}

func (s *watchedStore) Admit(ctx context.Context, seat Seat, version int64, maxMembers int) (r Admission, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Store.Admit(ctx, seat, version, maxMembers)
}

func (s *watchedStore) Owned(ctx context.Context, user string) (r int, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Store.Owned(ctx, user)
}

func (s *watchedStore) Empty(ctx context.Context, before time.Time, limit int) (r []EmptyRoom, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Store.Empty(ctx, before, limit)
}

func (s *watchedStore) DeleteEmpty(ctx context.Context, room string, before time.Time) (r bool, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Store.DeleteEmpty(ctx, room, before)
}

func (s *watchedStore) Sanction(ctx context.Context, room string, user string, kind Sanction, until time.Time) (err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Store.Sanction(ctx, room, user, kind, until)
}

func (s *watchedStore) Lift(ctx context.Context, room string, user string, kind Sanction) (err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Store.Lift(ctx, room, user, kind)
}

func (s *watchedStore) Dismiss(ctx context.Context, seat Seat) (r bool, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Store.Dismiss(ctx, seat)
}

func (s *watchedStore) Members(ctx context.Context, room string, after string, limit int) (list []Member, more bool, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Store.Members(ctx, room, after, limit)
}

// watchedInspector watches what [Inspector] adds.
type watchedInspector struct {
	Inspector
	w *watch
}

func (s *watchedInspector) Expel(ctx context.Context, room string, user string) (err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Inspector.Expel(ctx, room, user)
}

func (s *watchedInspector) Inspect(ctx context.Context, asks []Inspection) (r []Finding, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.Inspector.Inspect(ctx, asks)
}

// watchedNodes watches what [NodeStore] adds.
type watchedNodes struct {
	NodeStore
	w *watch
}

func (s *watchedNodes) Beat(ctx context.Context, node string, ttl time.Duration) (r NodeLease, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.NodeStore.Beat(ctx, node, ttl)
}

func (s *watchedNodes) Seats(ctx context.Context, node string, after Seat, limit int) (list []Seat, more bool, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.NodeStore.Seats(ctx, node, after, limit)
}

func (s *watchedNodes) Reap(ctx context.Context, node string, limit int) (r Reaped, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.NodeStore.Reap(ctx, node, limit)
}
