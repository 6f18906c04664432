package room

import (
	"context"
	"errors"
	"log/slog"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/wire"
)

// authenticateFirst handles the first message of a client that connected
// without a token.
func (c *Conn) authenticateFirst(r *Request) {
	if r.in.Type != wire.TypeAuth {
		c.answer(&r.in, nil, refuse(CodeUnauthenticated))
		if err := c.tooFast(r); err != nil {
			c.close(closeUnauthenticated, "not authenticated")
		}
		return
	}
	s := c.srv
	res, refused := c.signIn(r)
	if refused != nil {
		s.journal.write(&c.life, slog.LevelInfo, eventRefuse, c, slog.String("code", string(refused.Code)))
		c.answer(&r.in, nil, refused)
		c.flush()
		code := closeUnauthenticated
		switch refused.Code {
		case CodeUnavailable, CodeTimeout, CodeInternal:
			code = closeTryLater
		case CodeTooManyConnections:
			code = closeTooMany
		case CodeForbidden:
			code = closeForbidden
		}
		c.close(code, "not authenticated")
		return
	}
	c.request = nil
	c.stopWatch()
	s.releaseWaiting(c)
	c.welcome()
	c.answer(&r.in, res, nil)
}

const closeTryLater = 1013

func (c *Conn) signIn(r *Request) (wire.Result, *Error) {
	s := c.srv
	credentials, err := auth.FromFrame(r.in.Token, c.ip)
	if err != nil {
		return nil, refuse(CodeUnauthenticated)
	}
	id, err := s.authenticate(&c.life, credentials)
	if err != nil {
		return nil, handshakeAuth(err).err
	}
	if refused := s.admitUser(&c.life, c, id, c.request); refused != nil {
		if c.counted.user {
			c.counted.user = false
			s.leavePlace(s.perUser, id.ID, countedUser, c)
		}
		c.identity.Store(nil)
		return nil, refused.err
	}
	return authResult(id), nil
}

// releaseWaiting stops counting c among the unauthenticated.
func (s *Server) releaseWaiting(c *Conn) {
	c.counted.waiting = false
	s.waiting.Leave("")
}

func authResult(id auth.Identity) *wire.AuthResult {
	res := &wire.AuthResult{User: id.ID}
	if !id.ExpiresAt.IsZero() {
		res.ExpiresAt = id.ExpiresAt.UnixMilli()
	}
	return res
}

// renew replaces the identity of a connection by a fresher one of the same
// user.
func (c *Conn) renew(ctx context.Context, r *wire.Request) (wire.Result, error) {
	c.flush()
	c.revocations = c.srv.revocations.Load()
	id, err := c.fresher(ctx, r.Token)
	if err != nil {
		c.srv.journal.write(ctx, slog.LevelInfo, eventRefuseRenew, c, slog.String("code", string(public(err).Code)))
		return nil, err
	}
	c.identity.Store(&id)
	c.recheckSession()
	c.recheckRooms(ctx)
	c.noted(c.presence.Rename(ctx, id.Name))
	c.srv.journal.write(ctx, slog.LevelInfo, eventRenew, c)
	c.watchExpiry()
	return authResult(id), nil
}

// fresher is the identity that a token gives the connection's user, noted in
// the session.
func (c *Conn) fresher(ctx context.Context, token string) (auth.Identity, error) {
	credentials, err := auth.FromFrame(token, c.ip)
	if err != nil {
		return auth.Identity{}, refuse(CodeUnauthenticated)
	}
	id, err := c.srv.authenticate(ctx, credentials)
	switch {
	case errors.Is(err, auth.ErrExpired):
		return auth.Identity{}, &Error{Code: CodeTokenExpired}
	case err != nil:
		return auth.Identity{}, handshakeAuth(err).err
	case id.ID != c.Identity().ID:
		return auth.Identity{}, &Error{Code: CodeForbidden, Message: "The token is another user's."}
	}
	switch _, err := c.srv.sessions.Renew(ctx, c.Session(), id); {
	case errors.Is(err, auth.ErrUnauthenticated):
		return auth.Identity{}, refuse(CodeUnauthenticated)
	case err != nil:
		return auth.Identity{}, unavailable(err)
	}
	return id, nil
}
