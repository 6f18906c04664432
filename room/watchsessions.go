package room

import (
	"context"
	"time"

	"github.com/wardroom/wardroom/auth"
)

// watchedSessions are sessions that are not in this process.
type watchedSessions struct {
	auth.SessionStore
	w *watch
}

func (s *watchedSessions) Create(ctx context.Context, session auth.Session) (r auth.Session, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.SessionStore.Create(ctx, session)
}

func (s *watchedSessions) Get(ctx context.Context, id string) (r auth.Session, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.SessionStore.Get(ctx, id)
}

func (s *watchedSessions) Touch(ctx context.Context, batch []auth.Activity) (r []auth.Ended, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.SessionStore.Touch(ctx, batch)
}

func (s *watchedSessions) Renew(ctx context.Context, id string, identity auth.Identity) (r auth.Session, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.SessionStore.Renew(ctx, id, identity)
}

func (s *watchedSessions) Release(ctx context.Context, id string, grace time.Duration) (err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.SessionStore.Release(ctx, id, grace)
}

func (s *watchedSessions) Delete(ctx context.Context, id string) (err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.SessionStore.Delete(ctx, id)
}

func (s *watchedSessions) List(ctx context.Context, user string, limit int) (r []auth.Session, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.SessionStore.List(ctx, user, limit)
}

func (s *watchedSessions) RevokeSession(ctx context.Context, id string) (err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.SessionStore.RevokeSession(ctx, id)
}

func (s *watchedSessions) Revoke(ctx context.Context, r auth.Revocation) (err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.SessionStore.Revoke(ctx, r)
}

func (s *watchedSessions) Revoked(ctx context.Context, id auth.Identity) (r bool, err error) {
	ctx, c := s.w.begin(ctx)
	defer c.end(&err)
	return s.SessionStore.Revoked(ctx, id)
}
