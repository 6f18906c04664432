package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"time"
)

// DefaultSessionTTL is how long a session lives after its last activity where nothing else is said.
const DefaultSessionTTL = 24 * time.Hour

var (
	// ErrSessionNotFound says that there is no session of that ID, or no longer.
	ErrSessionNotFound = errors.New("session not found")

	// ErrWrongUser says that a session was to be renewed with the credential of another user.
	ErrWrongUser = errors.New("session belongs to another user")
)

// Session is one authenticated connection, known to every node. Later frames of the connection are authorised from it.
type Session struct {
	// ID names the session. The store mints it; it is no credential, and knowing it gives nobody anything.
	ID string `json:"id"`

	// Identity is who was authenticated, as of the last renewal.
	Identity Identity `json:"identity"`

	// Node and Connection say where the connection is. They mean what the server that creates the session means.
	Node       string `json:"node,omitempty"`
	Connection string `json:"connection,omitempty"`

	// RemoteIP is the client's address.
	RemoteIP netip.Addr `json:"remote_ip,omitzero"`

	// Rooms are the rooms that the connection is in, as of the last activity that named them.
	Rooms []string `json:"rooms,omitempty"`

	// CreatedAt, LastSeen and ExpiresAt are kept by the store, by its own clock. ExpiresAt is the TTL after LastSeen and
	// never later than the identity's; once the session was released it stays where that put it.
	CreatedAt time.Time `json:"created_at,omitzero"`
	LastSeen  time.Time `json:"last_seen,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// LogValue implements [slog.LogValuer]. It shows the ID, the user and the place.
func (s Session) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("id", s.ID),
		slog.String("user", s.Identity.ID),
		slog.String("node", s.Node),
		slog.String("connection", s.Connection),
	)
}

// NewSessionID returns an ID for a new session: 130 random bits in 26 letters and digits. It is for implementations of
// [SessionStore].
func NewSessionID() string {
	return rand.Text()
}

// Activity is one entry of a batch of [SessionStore].Touch.
type Activity struct {
	ID string    // of the session
	At time.Time // when it was last active

	// Rooms replaces the session's rooms, unless it is nil.
	Rooms []string
}

// Ended is an entry of a batch whose session is no longer there.
type Ended struct {
	ID string

	// Err is [ErrRevoked] where the connection is to be closed, and [ErrSessionNotFound] where the session has expired,
	// was deleted, or was lost with the store's data.
	Err error
}

// SessionStore keeps sessions, and the revocations that end them and keep the revoked from coming back.
//
// Every method may be called by many goroutines and nodes at once. A call may fail with an [ErrUnavailable], or with
// the error of its context, when the store cannot be reached in time; it may have taken effect then. All calls but
// Create may be repeated without harm. What a caller does to a slice or map afterwards, whether it gave it to the store
// or got it from there, does not reach the store. Times may be rounded to the millisecond, and the values in
// Identity.Claims may come back as package encoding/json would read them.
//
// A store drops what has expired by itself. Package authtest has the suite that every store has to pass.
type SessionStore interface {
	RevocationList

	// Create begins a session for s.Identity and returns it with its ID and times set; what s has in these fields is not
	// looked at, so a client can never choose an ID. The ID is new and has at least 128 random bits.
	//
	// It fails with [ErrRevoked] when a revocation covers the identity. That is decided in one step with the creation:
	// of a Create and a Revoke at the same time either the one fails or the other ends the session. It fails with
	// [ErrExpired] when the identity has expired and with [ErrUnauthenticated] when its ID is not a [ValidID].
	Create(ctx context.Context, s Session) (Session, error)

	// Get returns the session, or [ErrSessionNotFound], or [ErrRevoked] for one that was revoked and would not have
	// expired yet.
	Get(ctx context.Context, id string) (Session, error)

	// Touch notes activity, which puts off the expiry. Many sessions share one call; it is meant to be made every some
	// seconds for all that were active. LastSeen never goes back, nor beyond the store's present. A session that was
	// released is not put off.
	//
	// It returns those of the batch that have ended, in any order, so that a node which missed a revocation hears of it.
	// An ID that is there twice is touched twice. With an error some of the batch may have been touched.
	Touch(ctx context.Context, batch []Activity) ([]Ended, error)

	// Renew puts a new identity of the same user in place of the session's, counts as activity and returns the session.
	// It fails with [ErrWrongUser] for another user and otherwise as Create and Get do; the session is then as before. A
	// session that was released is not found.
	Renew(ctx context.Context, id string, identity Identity) (Session, error)

	// Release says that the connection has gone: the session expires after grace, or at its ExpiresAt if that is sooner.
	// Releasing a session that is not there is no error. A session is released once; a second call changes nothing.
	Release(ctx context.Context, id string, grace time.Duration) error

	// Delete ends the session at once and forgets it. It is no error if there is none. It does not end a connection
	// and keeps nobody out; Revoke does.
	Delete(ctx context.Context, id string) error

	// List returns the user's sessions, the one created last first, at most limit. Revoked and expired ones are not
	// among them. An unknown user has none.
	List(ctx context.Context, user string, limit int) ([]Session, error)

	// RevokeSession ends one session, so that Get, Touch and Renew say [ErrRevoked] until it would have expired. Where
	// its identity has a TokenID, that is revoked too until the identity expires. It fails with [ErrSessionNotFound].
	RevokeSession(ctx context.Context, id string) error
}
