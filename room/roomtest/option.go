package roomtest

import (
	"crypto/rand"
	"net/http"
	"net/netip"
	"time"

	"github.com/wardroom/wardroom/auth"
)

// DialOption says how a client connects.
type DialOption func(*dialing)

// dialing is a client about to connect.
type dialing struct {
	identity auth.Identity
	token    *string // nil: of the identity
	header   http.Header
	address  string
	target   string
	url      string // for TCP
	overTCP  bool
	compress bool
	patience time.Duration
}

// WithRoles gives the user roles.
func WithRoles(roles ...string) DialOption {
	return func(d *dialing) { d.identity.Roles = roles }
}

// WithName gives the user a display name.
func WithName(name string) DialOption {
	return func(d *dialing) { d.identity.Name = name }
}

// WithIdentity makes the user's token say this. An empty ID stands for the
// user that is connected.
func WithIdentity(id auth.Identity) DialOption {
	return func(d *dialing) { d.identity = id }
}

// WithToken presents a token in place of one of this package.
func WithToken(token string) DialOption {
	return func(d *dialing) { d.token = &token }
}

// WithoutToken presents no token. Where the server allows a token in the first
// message the client is connected but not welcomed; see [Client.Auth].
func WithoutToken() DialOption { return WithToken("") }

// WithHeader adds a header to the handshake: an Origin, a cookie.
func WithHeader(key, value string) DialOption {
	return func(d *dialing) { d.header.Add(key, value) }
}

// WithAddress makes the client come from an address, such as 192.0.2.7. Without
// it every client has one of its own, so that limits by address are in nobody's
// way. Over TCP it has no effect.
func WithAddress(ip string) DialOption {
	return func(d *dialing) { d.address = netip.AddrPortFrom(netip.MustParseAddr(ip), clientPort).String() }
}

// WithTarget is the path, and query, of the handshake. The default is "/".
func WithTarget(target string) DialOption {
	return func(d *dialing) { d.target = target }
}

// WithCompression offers permessage-deflate, which browsers do.
func WithCompression() DialOption {
	return func(d *dialing) { d.compress = true }
}

// WithPatience is how long the client waits for what it expects. The default
// is 5 seconds.
func WithPatience(d time.Duration) DialOption {
	return func(dial *dialing) { dial.patience = d }
}

// OverTCP connects a client of [Server.Connect] through a port of this machine,
// as a real one would. It does not work inside a bubble of testing/synctest.
func OverTCP() DialOption {
	return func(d *dialing) { d.overTCP = true }
}

const (
	defaultPatience = 5 * time.Second
	clientPort      = 50_000
)

func newDialing(opts []DialOption) *dialing {
	d := &dialing{header: make(http.Header), address: someAddress(), target: "/", patience: defaultPatience}
	for _, opt := range opts {
		opt(d)
	}
	return d
}

// someAddress is a random one in a /64 of its own of the prefix for
// documentation (RFC 3849): addresses of IPv6 are counted by /64.
func someAddress() string {
	ip := [16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 15: 1}
	_, _ = rand.Read(ip[4:8])
	return netip.AddrPortFrom(netip.AddrFrom16(ip), clientPort).String()
}
