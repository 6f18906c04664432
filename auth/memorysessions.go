package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// MemorySessions is a [SessionStore] in the memory of one process. It has no goroutine and needs no closing: what has
// expired is removed by the calls that come after.
type MemorySessions struct {
	ttl time.Duration
	max int

	mu      sync.Mutex // protects what follows; held for map and heap operations only
	byID    map[string]*sessionEntry
	byUser  map[string]*sessionEntry // the newest, which knows the others; without those revoked
	queue   queue[*sessionEntry]
	revoked revocations
	created uint64 // sessions so far
}

type sessionEntry struct {
	Session
	expiring
	number   uint64 // orders sessions of the same instant
	older    *sessionEntry
	newer    *sessionEntry
	released bool
	revoked  bool // of the session only its ID and its expiry are left
}

// NewMemorySessions returns an empty store. Of the options [SessionTTL] and [MaxEntries] apply.
func NewMemorySessions(opts ...MemoryOption) *MemorySessions {
	cfg := memoryOptions(opts)
	return &MemorySessions{
		ttl:     cfg.ttl,
		max:     cfg.max,
		byID:    make(map[string]*sessionEntry),
		byUser:  make(map[string]*sessionEntry),
		revoked: newRevocations(cfg.max),
	}
}

// Create implements [SessionStore]. It fails with [ErrUnavailable] when the store is full.
func (m *MemorySessions) Create(ctx context.Context, s Session) (Session, error) {
	if err := ctx.Err(); err != nil {
		return Session{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.sweep(now)
	if err := m.admissible(s.Identity, now); err != nil {
		return Session{}, err
	}
	if len(m.byID) >= m.max {
		return Session{}, fmt.Errorf("%w: the session store is full", ErrUnavailable)
	}
	s.ID, s.CreatedAt, s.LastSeen = NewSessionID(), now, now
	s.Rooms = slices.Clone(s.Rooms)
	m.created++
	e := &sessionEntry{Session: s, number: m.created}
	e.at = m.expiry(e)
	e.ExpiresAt = e.at
	m.byID[e.ID] = e
	m.queue.push(e)
	if e.older = m.byUser[e.Identity.ID]; e.older != nil {
		e.older.newer = e
	}
	m.byUser[e.Identity.ID] = e
	return e.copy(), nil
}

// admissible says whether a session may have the identity.
func (m *MemorySessions) admissible(id Identity, now time.Time) error {
	switch {
	case !ValidID(id.ID):
		return fmt.Errorf("%w: no valid user ID", ErrUnauthenticated)
	case m.revoked.covers(id, now):
		return ErrRevoked
	case id.Expired(now):
		return ErrExpired
	}
	return nil
}

// expiry is the TTL after the last activity, or when the identity is no longer good.
func (m *MemorySessions) expiry(e *sessionEntry) time.Time {
	at := e.LastSeen.Add(m.ttl)
	if end := e.Identity.ExpiresAt; !end.IsZero() && end.Before(at) {
		return end
	}
	return at
}

func (e *sessionEntry) copy() Session {
	s := e.Session
	s.Rooms = slices.Clone(s.Rooms)
	return s
}

// find returns the session of that ID if it has not ended.
func (m *MemorySessions) find(id string, now time.Time) (*sessionEntry, error) {
	e := m.byID[id]
	switch {
	case e == nil || !now.Before(e.at):
		return nil, ErrSessionNotFound
	case e.revoked:
		return nil, ErrRevoked
	}
	return e, nil
}

// Get implements [SessionStore].
func (m *MemorySessions) Get(ctx context.Context, id string) (Session, error) {
	if err := ctx.Err(); err != nil {
		return Session{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e, err := m.find(id, time.Now())
	if err != nil {
		return Session{}, err
	}
	return e.copy(), nil
}

// Touch implements [SessionStore].
func (m *MemorySessions) Touch(ctx context.Context, batch []Activity) ([]Ended, error) {
	var ended []Ended
	for part := range slices.Chunk(batch, 1000) { // others get a turn in between
		if err := ctx.Err(); err != nil {
			return ended, err
		}
		ended = m.touch(part, ended)
	}
	return ended, nil
}

func (m *MemorySessions) touch(batch []Activity, ended []Ended) []Ended {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, a := range batch {
		e, err := m.find(a.ID, now)
		if err != nil {
			ended = append(ended, Ended{ID: a.ID, Err: err})
			continue
		}
		at := a.At
		if at.After(now) {
			at = now
		}
		m.seen(e, at)
		if a.Rooms != nil {
			e.Rooms = slices.Clone(a.Rooms)
		}
	}
	m.sweep(now)
	return ended
}

// seen notes activity.
func (m *MemorySessions) seen(e *sessionEntry, at time.Time) {
	if at.After(e.LastSeen) {
		e.LastSeen = at
	}
	if !e.released {
		m.expireAt(e, m.expiry(e))
	}
}

func (m *MemorySessions) expireAt(e *sessionEntry, at time.Time) {
	e.at, e.ExpiresAt = at, at
	m.queue.moved(e)
}

// Renew implements [SessionStore].
func (m *MemorySessions) Renew(ctx context.Context, id string, identity Identity) (Session, error) {
	if err := ctx.Err(); err != nil {
		return Session{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	e, err := m.find(id, now)
	switch {
	case err != nil:
		return Session{}, err
	case e.released:
		return Session{}, ErrSessionNotFound
	case e.Identity.ID != identity.ID:
		return Session{}, ErrWrongUser
	}
	if err := m.admissible(identity, now); err != nil {
		return Session{}, err
	}
	e.Identity = identity
	m.seen(e, now)
	return e.copy(), nil
}

// Release implements [SessionStore].
func (m *MemorySessions) Release(ctx context.Context, id string, grace time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	e, err := m.find(id, now)
	if err == nil && !e.released {
		e.released = true
		if at := now.Add(max(grace, 0)); at.Before(e.at) {
			m.expireAt(e, at)
		}
	}
	m.sweep(now)
	return nil
}

// Delete implements [SessionStore].
func (m *MemorySessions) Delete(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.byID[id]; e != nil {
		m.remove(e)
	}
	return nil
}

func (m *MemorySessions) remove(e *sessionEntry) {
	m.queue.remove(e)
	delete(m.byID, e.ID)
	m.unlist(e)
}

// unlist takes the session from those of its user.
func (m *MemorySessions) unlist(e *sessionEntry) {
	switch {
	case e.revoked: // it was taken already
		return
	case e.newer != nil:
		e.newer.older = e.older
	case e.older != nil:
		m.byUser[e.Identity.ID] = e.older
	default:
		delete(m.byUser, e.Identity.ID)
	}
	if e.older != nil {
		e.older.newer = e.newer
	}
	e.older, e.newer = nil, nil
}

// List implements [SessionStore].
func (m *MemorySessions) List(ctx context.Context, user string, limit int) ([]Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	var list []*sessionEntry
	for e := m.byUser[user]; e != nil; e = e.older {
		if now.Before(e.at) {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b *sessionEntry) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.number, a.number))
	})
	sessions := make([]Session, 0, min(len(list), max(limit, 0)))
	for _, e := range list[:cap(sessions)] {
		sessions = append(sessions, e.copy())
	}
	return sessions, nil
}

// RevokeSession implements [SessionStore].
func (m *MemorySessions) RevokeSession(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	e, err := m.find(id, now)
	if errors.Is(err, ErrRevoked) {
		return nil
	}
	if err != nil {
		return err
	}
	identity := e.Identity
	m.end(e)
	if identity.TokenID == "" {
		return nil
	}
	return m.revoke(Revocation{User: identity.ID, TokenID: identity.TokenID, Until: identity.ExpiresAt}, now)
}

// end leaves of a session that it was revoked.
func (m *MemorySessions) end(e *sessionEntry) {
	m.unlist(e)
	e.revoked = true
	e.Session = Session{ID: e.ID}
}

// Revoke implements [RevocationList]. Sessions that it covers have ended even when the list of revocations is full,
// and the call fails then.
func (m *MemorySessions) Revoke(ctx context.Context, r Revocation) error {
	if err := firstError(ctx.Err(), r.Validate()); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.revoke(r, time.Now())
}

func (m *MemorySessions) revoke(r Revocation, now time.Time) error {
	for e := m.byUser[r.User]; e != nil; {
		older := e.older
		if r.Covers(e.Identity) {
			m.end(e)
		}
		e = older
	}
	return m.revoked.add(r, now)
}

// Revoked implements [RevocationList].
func (m *MemorySessions) Revoked(ctx context.Context, id Identity) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.revoked.covers(id, time.Now()), nil
}

func (m *MemorySessions) sweep(now time.Time) {
	for range sweep {
		e, ok := m.queue.due(now)
		if !ok {
			return
		}
		m.remove(e)
	}
}
