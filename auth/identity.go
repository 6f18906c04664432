package auth

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"
)

// MaxID is the length in bytes of the longest user ID.
const MaxID = 128

// Identity is who a client is, as an [Authenticator] found it. It is a value that is passed around and kept for the
// life of a connection; its maps and slices are shared and must not be modified.
type Identity struct {
	// ID names the user. It is the same on every device of the user; see [ValidID].
	ID string `json:"id"`

	// Name is what other users are shown. It may be empty. It is text from outside and is not checked here.
	Name string `json:"name,omitempty"`

	// Roles are the user's roles in the whole application. Roles within a room are the room's.
	Roles []string `json:"roles,omitempty"`

	// Claims are further verified claims, for the host's own handlers.
	Claims map[string]any `json:"claims,omitempty"`

	// Capabilities narrow what the user may do. Nil: no narrowing, the rooms' permissions alone decide. Not nil: only
	// what one of them allows, so that an empty list allows nothing.
	Capabilities []Capability `json:"capabilities"`

	// IssuedAt is when the credential was issued: for a session of the host's own, when the user signed in. A
	// revocation of everything that was issued before some time, as room.User.Revoke makes one, covers an identity
	// whose IssuedAt is zero, also one that is issued afterwards: its user stays out.
	IssuedAt time.Time `json:"issued_at,omitzero"`

	// ExpiresAt is the instant from which the identity is no longer good. Zero: it never expires.
	ExpiresAt time.Time `json:"expires_at,omitzero"`

	// TokenID tells the user's credentials apart, so that one of them can be revoked: a JWT's jti, for instance. It
	// is not a secret. Empty: there is no such ID.
	TokenID string `json:"token_id,omitempty"`
}

// HasRole reports whether role is among the identity's roles, byte by byte.
func (id Identity) HasRole(role string) bool {
	return slices.Contains(id.Roles, role)
}

// Expired reports whether the identity is no longer good at now.
func (id Identity) Expired(now time.Time) bool {
	return !id.ExpiresAt.IsZero() && !now.Before(id.ExpiresAt)
}

// Can reports whether the identity's capabilities leave room for v in the named room. It is true for every room and
// verb when Capabilities is nil. When v has several bits each of them must be allowed, by one capability or by several
// together; no bit at all is never allowed. Can only narrows: the room's permission decides after it.
func (id Identity) Can(room string, v Verb) bool {
	if v == 0 {
		return false
	}
	if id.Capabilities == nil {
		return true
	}
	for _, c := range id.Capabilities {
		if c.Matches(room) {
			v &^= c.Verbs
			if v == 0 {
				return true
			}
		}
	}
	return false
}

// String returns the user's ID. Names and claims are personal data and stay out of logs.
func (id Identity) String() string {
	return id.ID
}

// GoString is String.
func (id Identity) GoString() string {
	return id.ID
}

// Format implements [fmt.Formatter]. It writes String for every verb.
func (id Identity) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, id.ID)
}

// LogValue implements [slog.LogValuer]. It shows the ID, the token's ID and the expiry.
func (id Identity) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("id", id.ID)}
	if id.TokenID != "" {
		attrs = append(attrs, slog.String("token_id", id.TokenID))
	}
	if !id.ExpiresAt.IsZero() {
		attrs = append(attrs, slog.Time("expires_at", id.ExpiresAt))
	}
	return slog.GroupValue(attrs...)
}

// ValidID reports whether id can be a user ID: 1 to [MaxID] bytes of A-Z a-z 0-9 _ - . : @ + |.
func ValidID(id string) bool {
	if id == "" || len(id) > MaxID {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '_', c == '-', c == '.', c == ':', c == '@', c == '+', c == '|':
		default:
			return false
		}
	}
	return true
}
