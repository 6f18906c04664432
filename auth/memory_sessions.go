package auth

import (
	"context"
	"slices"
	"sync"
	"time"
)

// NewMemorySessions returns a SessionStore that lives in this process. It has no goroutine: what has expired is dropped
// when it is next looked at, and a little of it with every session that is created.
func NewMemorySessions() SessionStore {
	return &memorySessions{
		sessions: make(map[string]*Session),
		users:    make(map[string]map[string]*Session),
		revoked:  make(map[string][]Revocation),
	}
}

type memorySessions struct {
	mu       sync.Mutex // protects everything below
	sessions map[string]*Session
	users    map[string]map[string]*Session // by user and session
	revoked  map[string][]Revocation        // by user
}

// sweepSome is how many sessions, and users with revocations, are looked at for each session created: more than one,
// so that what expires is dropped faster than new things come.
const sweepSome = 4

func (m *memorySessions) Create(_ context.Context, s Session, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.sweep(now)
	if m.isRevoked(s.ID, s.Identity, now) {
		return ErrRevoked
	}
	s.CreatedAt, s.LastSeen, s.ExpiresAt = now, now, now.Add(ttl)
	if old := m.sessions[s.ID]; old != nil {
		m.remove(old)
	}
	m.sessions[s.ID] = &s
	own := m.users[s.Identity.ID]
	if own == nil {
		own = make(map[string]*Session)
		m.users[s.Identity.ID] = own
	}
	own[s.ID] = &s
	return nil
}

// get returns a session that has not expired, or nil. The caller holds mu.
func (m *memorySessions) get(id string, now time.Time) *Session {
	s := m.sessions[id]
	if s != nil && !now.Before(s.ExpiresAt) {
		m.remove(s)
		return nil
	}
	return s
}

func (m *memorySessions) remove(s *Session) {
	delete(m.sessions, s.ID)
	own := m.users[s.Identity.ID]
	if delete(own, s.ID); len(own) == 0 {
		delete(m.users, s.Identity.ID)
	}
}

// sweep looks at a few things, in the random order of maps. The caller holds mu.
func (m *memorySessions) sweep(now time.Time) {
	seen := 0
	for _, s := range m.sessions {
		if seen++; seen > sweepSome {
			break
		}
		if !now.Before(s.ExpiresAt) {
			m.remove(s)
		}
	}
	seen = 0
	for user := range m.revoked {
		if seen++; seen > sweepSome {
			break
		}
		m.forget(user, now)
	}
}

// forget drops the revocations of a user that are over. The caller holds mu.
func (m *memorySessions) forget(user string, now time.Time) {
	list := slices.DeleteFunc(m.revoked[user], func(r Revocation) bool { return !now.Before(r.Until) })
	if len(list) == 0 {
		delete(m.revoked, user)
		return
	}
	m.revoked[user] = list
}

func (m *memorySessions) isRevoked(session string, id Identity, now time.Time) bool {
	return slices.ContainsFunc(m.revoked[id.ID], func(r Revocation) bool {
		return now.Before(r.Until) && r.Covers(session, id)
	})
}

func (m *memorySessions) Get(_ context.Context, id string) (Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.get(id, time.Now()); s != nil {
		return *s, nil
	}
	return Session{}, ErrNoSession
}

func (m *memorySessions) Renew(_ context.Context, id string, identity Identity) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	s := m.get(id, now)
	if s == nil || s.Identity.ID != identity.ID {
		return ErrNoSession
	}
	if m.isRevoked(id, identity, now) {
		return ErrRevoked
	}
	s.Identity, s.LastSeen = identity, now
	return nil
}

func (m *memorySessions) Touch(_ context.Context, ids []string, ttl time.Duration) (gone []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	for _, id := range ids {
		if s := m.get(id, now); s != nil {
			s.LastSeen, s.ExpiresAt = now, now.Add(ttl)
		} else {
			gone = append(gone, id)
		}
	}
	return gone, nil
}

func (m *memorySessions) Delete(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s := m.sessions[id]; s != nil {
		m.remove(s)
	}
	return nil
}

func (m *memorySessions) List(_ context.Context, user string) ([]Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	var list []Session
	for id := range m.users[user] {
		if s := m.get(id, now); s != nil {
			list = append(list, *s)
		}
	}
	slices.SortFunc(list, func(a, b Session) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list, nil
}

func (m *memorySessions) Revoke(_ context.Context, r Revocation) (ended []string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if r.Until.IsZero() {
		r.Until = now.Add(DefaultRevocation)
	}
	if s := m.get(r.Session, now); s != nil && s.Identity.ID == r.User && s.Identity.TokenID != "" {
		m.remember(Revocation{User: r.User, TokenID: s.Identity.TokenID, Until: r.Until}, now)
	}
	m.remember(r, now)
	for id, s := range m.users[r.User] {
		if r.Covers(id, s.Identity) {
			m.remove(s)
			ended = append(ended, id)
		}
	}
	slices.Sort(ended)
	return ended, nil
}

// remember adds a revocation. Those by time are one, with the latest time, so that a user has no more than tokens that
// were revoked one by one. The caller holds mu.
func (m *memorySessions) remember(r Revocation, now time.Time) {
	m.forget(r.User, now)
	list := m.revoked[r.User]
	for i := range list {
		have := &list[i]
		if have.Session == r.Session && have.TokenID == r.TokenID {
			if r.Before.After(have.Before) {
				have.Before = r.Before
			}
			if r.Until.After(have.Until) {
				have.Until = r.Until
			}
			return
		}
	}
	m.revoked[r.User] = append(list, r)
}
