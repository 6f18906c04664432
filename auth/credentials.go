package auth

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
)

// MaxToken is the length in bytes above which a token is refused before anything looks into it.
const MaxToken = 8 << 10

// Credentials is what a client presented. The token is a secret: fmt, log/slog and encoding/json show the other fields
// only. (A Credentials in an unexported field of another struct is beyond the reach of fmt's methods; do not print it.)
type Credentials struct {
	// Token is empty when the client presented none.
	Token string `json:"-"`

	// Source is where the token stood.
	Source Source `json:"source"`

	// Request is the handshake's request, for authenticators that look at more than the token. It is nil when the
	// token came in a frame. It must not be kept, and its body must not be read.
	Request *http.Request `json:"-"`

	// RemoteIP is the client's address as the host's proxy policy sees it. The zero Addr means that it is not known.
	RemoteIP netip.Addr `json:"remote_ip"`
}

// FromFrame returns the credentials of a token that came in an auth frame. The error is an [ErrMalformed] when the
// token is empty, longer than [MaxToken] or has bytes that are not visible ASCII.
func FromFrame(token string, remote netip.Addr) (Credentials, error) {
	if err := checkToken(token); err != nil {
		return Credentials{}, err
	}
	return Credentials{Token: token, Source: SourceFrame, RemoteIP: remote}, nil
}

// String shows the source and whether there is a token, never the token.
func (c Credentials) String() string {
	if c.Token == "" {
		return "credentials(" + c.Source.String() + ", no token)"
	}
	return "credentials(" + c.Source.String() + ", token hidden)"
}

// GoString is String.
func (c Credentials) GoString() string {
	return c.String()
}

// Format implements [fmt.Formatter]. It writes String for every verb: without it %d, for one, would show the fields.
func (c Credentials) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, c.String())
}

// LogValue implements [slog.LogValuer]. It shows the source, the remote address and whether there is a token.
func (c Credentials) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("source", c.Source.String()),
		slog.Bool("token", c.Token != ""),
		slog.String("remote_ip", c.RemoteIP.String()),
	)
}
