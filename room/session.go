package room

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/wardroom/wardroom/auth"
)

// touchEvery is how often, at least, the sessions of live connections are kept
// from expiring. That is also how a revocation is noticed whose announcement was
// lost: in less than 30 seconds, also when a call fails.
const (
	touchEvery = 25 * time.Second
	touchAgain = 2 * time.Second
	// touchMost is after how long a round ends in which calls fail.
	touchMost = 3 * time.Second
)

// touchAtOnce is how many sessions one call to the store names.
const touchAtOnce = 500

// beginSession creates the connection's session, unless its credential has
// been taken back.
func (s *Server) beginSession(ctx context.Context, c *Conn) *refusal {
	c.revocations = s.revocations.Load()
	switch err := s.createSession(ctx, c, ""); {
	case err == nil:
		return nil
	case errors.Is(err, auth.ErrRevoked) && c.Identity().IssuedAt.IsZero():
		return unauthenticated(fmt.Errorf("%w, and the identity does not say when it was issued: the Authenticator should set auth.Identity.IssuedAt", err))
	case errors.Is(err, auth.ErrUnauthenticated):
		return unauthenticated(err)
	default:
		return refuseHandshake(http.StatusServiceUnavailable, CodeUnavailable, err).with("Retry-After", retryAfter(time.Second))
	}
}

// createSession gives the connection a session in place of another. Meanwhile it
// may have gone, or somebody else may have done the same: then nobody has the
// session, and it would live for long.
func (s *Server) createSession(ctx context.Context, c *Conn, old string) error {
	heard := s.revocations.Load()
	session, err := s.sessions.Create(ctx, auth.Session{
		Identity: c.Identity(), Node: s.node, Connection: c.id, RemoteIP: c.ip,
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	wanted := c.session == old && !c.gone
	if wanted {
		c.session = session.ID
	}
	c.mu.Unlock()
	if old != "" && s.revocations.Load() != heard { // one of this session was not heard as the connection's
		if _, err = s.sessions.Get(ctx, session.ID); err != nil && !errors.Is(err, auth.ErrRevoked) {
			s.touchSoon()
		}
	}
	if !wanted {
		if err := s.sessions.Delete(ctx, session.ID); err != nil {
			s.journal.write(ctx, slog.LevelWarn, eventError, c, slog.Any("error", err))
		}
	}
	return err
}

// endSession lets the session of a connection that is gone expire soon.
func (s *Server) endSession(c *Conn) {
	id := c.Session()
	if id == "" {
		return
	}
	if err := s.sessions.Release(s.ctx, id, s.limits.Grace); err != nil {
		s.journal.write(s.ctx, slog.LevelWarn, eventError, c, slog.Any("error", err))
		s.owe([]string{id})
	}
}

// mostOwed is how many sessions that could not be released are kept in mind.
// Of more the store has to wait until they expire.
const mostOwed = 1 << 16

func (s *Server) owe(sessions []string) {
	s.connMu.Lock()
	defer s.connMu.Unlock()
	s.owed = append(s.owed, sessions[:min(len(sessions), mostOwed-len(s.owed))]...)
}

// release makes up for what endSession could not do, and reports whether
// nothing is left.
func (s *Server) release() bool {
	s.connMu.Lock()
	list := s.owed
	s.owed = nil
	s.connMu.Unlock()
	began := time.Now()
	var rest []string
	for i, id := range list {
		if time.Since(began) > touchMost {
			rest = append(rest, list[i:]...)
			break
		}
		if s.sessions.Release(s.ctx, id, s.limits.Grace) != nil {
			rest = append(rest, id)
		}
	}
	s.owe(rest)
	return len(rest) == 0
}

// keepSessions touches the sessions from time to time, and when it is told to,
// and releases those that it could not before.
func (s *Server) keepSessions() {
	timer := time.NewTimer(touchEvery - rand.N(touchEvery/5))
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
		case <-s.unsure:
		}
		ok := s.touch(s.all())
		if s.release() && ok {
			timer.Reset(touchEvery - rand.N(touchEvery/5))
		} else {
			timer.Reset(touchAgain + rand.N(touchAgain))
		}
	}
}

// touchSoon has keepSessions look at once, because a revocation may have gone
// unheard.
func (s *Server) touchSoon() {
	select {
	case s.unsure <- struct{}{}:
	default:
	}
}

// touch keeps the sessions of connections alive and closes those whose session
// is gone. It reports whether the store could say everything. Where the store is
// many, some of it may be away while the rest answers.
func (s *Server) touch(conns []*Conn) (ok bool) {
	bySession := make(map[string]*Conn, len(conns))
	for _, c := range conns {
		if id := c.Session(); id != "" {
			bySession[id] = c
		}
	}
	batch := make([]auth.Activity, 0, len(bySession))
	at := time.Now()
	for id, c := range bySession {
		batch = append(batch, auth.Activity{ID: id, At: at, Rooms: c.Rooms()})
	}
	ok = true
	for part := range slices.Chunk(batch, touchAtOnce) {
		ended, err := s.sessions.Touch(s.ctx, part)
		for _, e := range ended {
			s.sessionEnded(bySession[e.ID], e)
		}
		if err != nil {
			s.journal.write(s.ctx, slog.LevelDebug, eventError, nil, slog.Any("error", err))
			if ok = false; time.Since(at) > touchMost {
				break
			}
		}
	}
	return ok
}

// sessionEnded closes a connection whose session was revoked. A session that
// is merely not there any more, because its store was emptied, is created
// again, which refuses the revoked too. One that expired, by the store's clock,
// is left to the connection's own timer: the client may come back.
func (s *Server) sessionEnded(c *Conn, e auth.Ended) {
	err := e.Err
	if errors.Is(err, auth.ErrSessionNotFound) && c.Session() == e.ID && !c.socket.Closing() {
		err = s.createSession(s.ctx, c, e.ID)
	}
	if errors.Is(err, auth.ErrUnauthenticated) && !errors.Is(err, auth.ErrExpired) {
		c.revoke()
	}
}

// recheckSession closes a connection whose session was revoked after it had
// begun, or was renewed, and before the connection could be found by its user,
// or by its new token.
func (c *Conn) recheckSession() {
	if c.srv.revocations.Load() == c.revocations {
		return
	}
	switch _, err := c.srv.sessions.Get(&c.life, c.Session()); {
	case errors.Is(err, auth.ErrRevoked):
		c.revoke()
	case err != nil:
		c.srv.touchSoon()
	}
}

func (c *Conn) revoke() {
	c.srv.journal.write(&c.life, slog.LevelInfo, eventRevoke, c)
	c.close(closeRevoked, "session revoked")
}

// maxSessions is how many sessions of a user are listed.
const maxSessions = 1000

// Sessions returns the user's sessions on every node, the newest first, at
// most 1,000.
func (u *User) Sessions(ctx context.Context) ([]auth.Session, error) {
	list, err := u.srv.sessions.List(ctx, u.id, maxSessions)
	if err != nil {
		return nil, unavailable(err)
	}
	return list, nil
}

// Revoke takes back everything the user could sign in with until now: every
// connection on every node is closed with 4004, and a token issued before now
// is refused until it would have expired anyway. What is issued afterwards is
// good.
//
// When a token was issued is auth.Identity.IssuedAt. A JWT tells it in whole
// seconds, and counts as issued before if it was issued in this very second. An
// identity that does not say it counts as issued before, always: an
// Authenticator that looks into sessions of the host's own has to set it, to
// when the user signed in, or the user does not get in again.
//
// It waits, for a second at most, until every node has closed them. An error
// that wraps a *[NodesError] says that the credentials are taken back, and which
// nodes have not confirmed.
func (u *User) Revoke(ctx context.Context) error {
	if err := checkUsers([]string{u.id}); err != nil {
		return err
	}
	until, err := u.until(ctx)
	if err != nil {
		return err
	}
	r := auth.Revocation{User: u.id, IssuedBefore: time.Now(), Until: until}
	if err := u.srv.sessions.Revoke(ctx, r); err != nil {
		return unavailable(err)
	}
	return u.srv.command(ctx, Message{Kind: KindRevoked, From: u.id, Until: r.IssuedBefore})
}

// RevokeToken takes back one token by its ID (the jti of a JWT), as Revoke
// does all.
func (u *User) RevokeToken(ctx context.Context, tokenID string) error {
	if err := checkUsers([]string{u.id}); err != nil {
		return err
	}
	until, err := u.until(ctx)
	if err != nil {
		return err
	}
	if err := u.srv.sessions.Revoke(ctx, auth.Revocation{User: u.id, TokenID: tokenID, Until: until}); err != nil {
		return unavailable(err)
	}
	return u.srv.command(ctx, Message{Kind: KindRevoked, From: u.id, ID: tokenID})
}

// RevokeSession takes back one session, and the token that it has if that has
// an ID. It does nothing to a session of somebody else, whose ID a host may have
// been given by a client.
func (u *User) RevokeSession(ctx context.Context, session string) error {
	switch kept, err := u.srv.sessions.Get(ctx, session); {
	case err == nil && kept.Identity.ID != u.id:
		return nil
	case err != nil && !is(err, auth.ErrSessionNotFound, auth.ErrRevoked):
		return unavailable(err)
	}
	if err := u.srv.sessions.RevokeSession(ctx, session); err != nil && !errors.Is(err, auth.ErrSessionNotFound) {
		return unavailable(err)
	}
	return u.srv.command(ctx, Message{Kind: KindRevoked, From: u.id, Session: session})
}

// until is when all tokens of the user have expired, as far as can be known.
func (u *User) until(ctx context.Context) (time.Time, error) {
	list, err := u.Sessions(ctx)
	if err != nil {
		return time.Time{}, err
	}
	until := time.Now().Add(u.srv.limits.TokenLife)
	for _, session := range list {
		expires := session.Identity.ExpiresAt
		if expires.IsZero() {
			return time.Time{}, nil // never
		}
		if expires.After(until) {
			until = expires
		}
	}
	return until, nil
}

// covered reports whether what a KindRevoked says takes c's credential back.
func (m *Message) covered(c *Conn) bool {
	if m.Session != "" {
		return c.Session() == m.Session
	}
	return auth.Revocation{User: m.From, TokenID: m.ID, IssuedBefore: m.Until}.Covers(c.Identity())
}
