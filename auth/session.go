package auth

import (
	"context"
	"errors"
	"time"
)

// ErrNoSession: there is no session with that ID, or there is none any more.
var ErrNoSession = errors.New("no such session")

// Session is one authenticated connection. Its ID names it and gives no rights: it is minted by the server, with 128
// random bits or more, and a client that presents it gains nothing.
type Session struct {
	ID         string
	Identity   Identity
	Connection string // the connection it belongs to
	Node       string // the node that has it
	CreatedAt  time.Time
	// LastSeen is when the session was last created, renewed or touched.
	LastSeen time.Time
	// ExpiresAt is when the session ends unless it is touched before.
	ExpiresAt time.Time
}

// Revocation takes back credentials before they expire. One of the fields TokenID, Session and Before says which.
type Revocation struct {
	// User is whose. Required.
	User string
	// Session is the ID of one session. With it goes the token that it began with, if that has a TokenID.
	Session string
	// TokenID is one token.
	TokenID string
	// Before covers everything that was issued before this instant, and what has no IssuedAt. Tokens often tell their
	// time in whole seconds: one issued in the second of the revocation counts as before.
	Before time.Time
	// Until is when every credential concerned has expired by itself, so that the revocation need not be remembered
	// any longer. Zero: 24 hours from now.
	Until time.Time
}

// SessionStore keeps sessions and revocations. A store may be shared by many nodes; everything it does is atomic across
// all of them.
//
// Implementations are safe for concurrent use, honour the context's deadline, and drop what has expired without being
// asked. What they are given and return is not modified by anyone afterwards. Errors other than those named say that it
// is not known whether anything was done. authtest.TestSessionStore checks all of this.
type SessionStore interface {
	// Create adds a session, which expires after ttl unless touched. CreatedAt, LastSeen and ExpiresAt are set by the
	// store. It fails with ErrRevoked, and adds nothing, when the identity is revoked.
	Create(ctx context.Context, s Session, ttl time.Duration) error

	// Get returns a session, or ErrNoSession.
	Get(ctx context.Context, id string) (Session, error)

	// Renew replaces the identity of a session by another of the same user. It fails with ErrNoSession, and with
	// ErrRevoked when the new identity is revoked; the session stays as it was then.
	Renew(ctx context.Context, id string, identity Identity) error

	// Touch lets the sessions expire after ttl from now, in one call for many, and returns those of ids that there are
	// no sessions of: they were revoked, or have expired. It never shortens what it is not told to: a ttl shorter than
	// what is left is taken as it is.
	Touch(ctx context.Context, ids []string, ttl time.Duration) (gone []string, err error)

	// Delete ends a session. One that is not there is no error.
	Delete(ctx context.Context, id string) error

	// List returns the sessions of a user, oldest first. The caller owns the slice.
	List(ctx context.Context, user string) ([]Session, error)

	// Revoke ends every session that r covers, returns their IDs, and remembers r until r.Until, so that Create and
	// Renew refuse what it covers. Revocations add up.
	Revoke(ctx context.Context, r Revocation) (ended []string, err error)
}

// DefaultRevocation is how long a Revocation without Until is remembered.
const DefaultRevocation = 24 * time.Hour

// Covers reports whether r takes back an identity whose session, if it has one yet, is the one named.
func (r Revocation) Covers(session string, id Identity) bool {
	if r.User != id.ID {
		return false
	}
	switch {
	case r.Session != "":
		return r.Session == session
	case r.TokenID != "":
		return r.TokenID == id.TokenID
	default:
		return id.IssuedAt.Before(r.Before)
	}
}
