package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// TicketPrefix begins every ticket, so that one can be told from other tokens.
const TicketPrefix = "ticket_"

// DefaultTicketTTL is how long a ticket is good where nothing else is said.
const DefaultTicketTTL = 30 * time.Second

// ErrTicketNotFound says that there is no such ticket, that it was taken, or it has expired.
var ErrTicketNotFound = errors.New("ticket not found")

// Ticket is what a store keeps for a ticket that nobody has used yet.
type Ticket struct {
	Identity  Identity  `json:"identity"`
	ExpiresAt time.Time `json:"expires_at"`
}

// LogValue implements [slog.LogValuer]. It shows the user and the expiry.
func (t Ticket) LogValue() slog.Value {
	return slog.GroupValue(slog.String("user", t.Identity.ID), slog.Time("expires_at", t.ExpiresAt))
}

// TicketStore keeps tickets by a digest, so that whoever reads the store can use none of them.
//
// Its methods may be called by many goroutines and nodes at once, and may fail with an [ErrUnavailable] or the error of
// their context; what they did is not known then. Times may be rounded to the millisecond, and the values in
// Identity.Claims may come back as package encoding/json would read them. Package authtest has the suite that every
// store has to pass.
type TicketStore interface {
	// Put keeps the ticket until it is taken or its ExpiresAt comes. One that was there by the key is replaced. A store
	// may give up the oldest tickets of a user who has many, and may fail with an [ErrUnavailable] when it is full; it
	// never gives up another user's.
	Put(ctx context.Context, key string, t Ticket) error

	// Take returns the ticket and forgets it in the same step: of any number of calls with one key, on any nodes, one
	// gets it. The others, and those that come too late, get [ErrTicketNotFound].
	Take(ctx context.Context, key string) (Ticket, error)
}

// Tickets makes and takes single-use tickets, by which a page whose user is signed in with a cookie connects. A browser
// sends cookies along with a WebSocket handshake that any page may start; a ticket it sends only where the page that
// got it says so. The page asks for a ticket by POST (see [Tickets.Handler]) and offers it as its token, in the
// subprotocol entry bearer.T. Leave [Sources].Cookie empty then, since a cookie comes before the subprotocol.
//
// Tickets is an [Authenticator]; combine it with others by [Any]. It is safe for concurrent use.
type Tickets struct {
	store  TicketStore
	ttl    time.Duration
	origin *http.CrossOriginProtection
}

// TicketOption is a setting of [NewTickets].
type TicketOption func(*Tickets) error

// TicketTTL sets how long a ticket is good. The default is [DefaultTicketTTL]; at most five minutes.
func TicketTTL(d time.Duration) TicketOption {
	return func(t *Tickets) error {
		if d < time.Second || d > 5*time.Minute {
			return fmt.Errorf("tickets: a TTL of %v; use a second to five minutes, since a page connects as soon as it has its ticket", d)
		}
		t.ttl = d
		return nil
	}
}

// TicketOrigins names origins, in the form https://app.example.com, whose pages may ask for tickets although they are
// not of the same origin as the handler. The answer to such a page also needs the CORS headers, which are the host's.
func TicketOrigins(origins ...string) TicketOption {
	return func(t *Tickets) error {
		for _, o := range origins {
			if err := t.origin.AddTrustedOrigin(o); err != nil {
				return fmt.Errorf("tickets: origin %.100q: %w", o, err)
			}
		}
		return nil
	}
}

// NewTickets returns Tickets that are kept in store.
func NewTickets(store TicketStore, opts ...TicketOption) (*Tickets, error) {
	if store == nil {
		return nil, errors.New("tickets: the store is nil; use NewMemoryTickets() for one process")
	}
	t := &Tickets{store: store, ttl: DefaultTicketTTL, origin: http.NewCrossOriginProtection()}
	for _, opt := range opts {
		if err := opt(t); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Mint returns a new ticket for id and until when it is good: the TTL, or less where the identity expires before. The
// caller has authenticated the user. An IssuedAt that is zero becomes the present, so that a revocation of what was
// issued before covers this ticket and none that come after.
//
// It fails with [ErrUnauthenticated] when the ID is not a [ValidID], with [ErrExpired] when the identity has expired,
// and as the store does.
func (t *Tickets) Mint(ctx context.Context, id Identity) (ticket string, expiresAt time.Time, err error) {
	now := time.Now()
	switch {
	case !ValidID(id.ID):
		return "", time.Time{}, fmt.Errorf("%w: no valid user ID", ErrUnauthenticated)
	case id.Expired(now):
		return "", time.Time{}, ErrExpired
	}
	if id.IssuedAt.IsZero() {
		id.IssuedAt = now
	}
	expiresAt = now.Add(t.ttl)
	if !id.ExpiresAt.IsZero() && id.ExpiresAt.Before(expiresAt) {
		expiresAt = id.ExpiresAt
	}
	ticket = TicketPrefix + rand.Text()
	if err := t.store.Put(ctx, ticketKey(ticket), Ticket{Identity: id, ExpiresAt: expiresAt}); err != nil {
		return "", time.Time{}, fmt.Errorf("ticket store: %w", err)
	}
	return ticket, expiresAt, nil
}

// Authenticate implements [Authenticator]. A ticket is good once: a second use fails with [ErrUnauthenticated], as does
// a token that is no ticket, and a ticket in a cookie, where it would have the weakness that it is there to avoid.
func (t *Tickets) Authenticate(ctx context.Context, c Credentials) (Identity, error) {
	if !isTicket(c.Token) {
		return Identity{}, fmt.Errorf("%w: the token is no ticket", ErrUnauthenticated)
	}
	if c.Source == SourceCookie {
		return Identity{}, fmt.Errorf("%w: a ticket in a cookie", ErrUnauthenticated)
	}
	kept, err := t.store.Take(ctx, ticketKey(c.Token))
	switch {
	case errors.Is(err, ErrTicketNotFound):
		return Identity{}, fmt.Errorf("%w: %w", ErrUnauthenticated, err)
	case err != nil:
		return Identity{}, fmt.Errorf("%w: ticket store: %w", ErrUnavailable, err)
	}
	now := time.Now()
	switch {
	case !now.Before(kept.ExpiresAt):
		return Identity{}, fmt.Errorf("%w: %w", ErrUnauthenticated, ErrTicketNotFound)
	case kept.Identity.Expired(now):
		return Identity{}, ErrExpired
	}
	return kept.Identity, nil
}

// ticketLength is that of the prefix and of rand.Text, 130 bits in base32.
const ticketLength = len(TicketPrefix) + 26

func isTicket(token string) bool {
	return len(token) == ticketLength && strings.HasPrefix(token, TicketPrefix)
}

// ticketKey is what a ticket is kept by.
func ticketKey(ticket string) string {
	digest := sha256.Sum256([]byte(ticket))
	return hex.EncodeToString(digest[:])
}
