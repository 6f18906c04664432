package limit

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"
)

// forwardedFor is the header that each proxy appends the address of its own
// peer to. It is older than RFC 7239 and still what proxies send.
const forwardedFor = "X-Forwarded-For"

// maxAddrLen is more than any address with a zone or a port that a proxy would
// write.
const maxAddrLen = 128

// A ClientIP finds the address that a request comes from.
//
// That is the peer of the connection, unless the peer is one of the trusted
// proxies. Only then is a header read, because anybody can write one. Whatever
// is wrong with the header, the answer is an address that a trusted hop vouches
// for: a client can never choose its own.
//
// The zero ClientIP trusts nobody. A ClientIP is safe for concurrent use.
type ClientIP struct {
	trusted []netip.Prefix
	header  string // canonical; "" is forwardedFor
}

// NewClientIP returns a ClientIP that believes the X-Forwarded-For of the
// trusted proxies. An IPv4-mapped IPv6 prefix stands for the IPv4 one. A prefix
// that is invalid, or of length zero and so meant to trust everybody, matches
// nothing; [ParseTrusted] makes an error of these.
//
// Every address in trusted must be one that only proxies under the host's
// control can have. With a whole private network in it, any machine on that
// network can claim to be anybody.
func NewClientIP(trusted ...netip.Prefix) *ClientIP {
	c := &ClientIP{}
	for _, p := range trusted {
		if p = unmapPrefix(p); p.IsValid() && p.Bits() > 0 {
			c.trusted = append(c.trusted, p.Masked())
		}
	}
	return c
}

// FromHeader returns a copy of c that reads the header called name in place of
// X-Forwarded-For. Any other name is one whose whole value is the address, such
// as X-Real-IP or CF-Connecting-IP. The header must be there once, with one
// address; otherwise the answer is the peer.
//
// The proxy must set the header on every request, and overwrite what the client
// sent: a proxy that knows nothing of it passes the client's own through.
func (c *ClientIP) FromHeader(name string) *ClientIP {
	return &ClientIP{
		trusted: slices.Clone(c.trusted),
		header:  textproto.CanonicalMIMEHeaderKey(name),
	}
}

// Addr returns the address that r comes from, without a zone, and IPv4 where it
// is IPv4-mapped IPv6. It reads r.RemoteAddr and r.Header.
//
// X-Forwarded-For is walked from the right, as if its lines were one list, over
// the trusted addresses to the first that is not: that one was written by a
// trusted proxy and is its peer. Where an element on the way is no address, the
// answer is the last one before it. Where all are trusted it is the leftmost.
//
// The zero Addr is returned if r.RemoteAddr holds no IP address: on a Unix
// socket, or where a middleware put something else there.
func (c *ClientIP) Addr(r *http.Request) netip.Addr {
	peer := parseAddr(r.RemoteAddr)
	if !c.trusts(peer) {
		return peer
	}
	if c.header == "" || c.header == forwardedFor {
		return c.walk(peer, r.Header[forwardedFor])
	}
	if values := r.Header[c.header]; len(values) == 1 {
		if addr := parseAddr(trimSpace(values[0])); addr.IsValid() {
			return addr
		}
	}
	return peer
}

// Key returns Key(c.Addr(r)), a key for a [Limiter] or a [Gauge] that counts
// per client address.
func (c *ClientIP) Key(r *http.Request) string { return Key(c.Addr(r)) }

// walk follows the list in lines from its right end, starting at the trusted
// address last.
func (c *ClientIP) walk(last netip.Addr, lines []string) netip.Addr {
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			element := rest
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, element = rest[:comma], rest[comma+1:]
			} else {
				more = false
			}
			addr := parseAddr(trimSpace(element))
			if !addr.IsValid() {
				return last
			}
			if !c.trusts(addr) {
				return addr
			}
			last = addr
		}
	}
	return last
}

func (c *ClientIP) trusts(addr netip.Addr) bool {
	for _, p := range c.trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// ParseTrusted parses the addresses of trusted proxies for [NewClientIP]: each
// one a CIDR prefix ("10.0.0.0/8", "2001:db8::/32") or a single address. It
// refuses a prefix with bits set past its length, since that is a slip of the
// pen in one of two ways, and one of length zero, which would trust everybody.
func ParseTrusted(prefixes ...string) ([]netip.Prefix, error) {
	trusted := make([]netip.Prefix, 0, len(prefixes))
	for _, s := range prefixes {
		p, err := parsePrefix(s)
		if err != nil {
			return nil, err
		}
		trusted = append(trusted, p)
	}
	return trusted, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf("limit: trusted proxy %q: use an address such as 10.0.0.7 or a prefix such as 10.0.0.0/8; names of hosts are not looked up: %w", s, err)
		}
		addr = normal(addr)
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("limit: trusted proxy %q: use a prefix such as 10.0.0.0/8 or an address: %w", s, err)
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("limit: trusted prefix %v has bits set past its length: %v or a single address?", p, p.Masked())
	}
	if p = unmapPrefix(p); !p.IsValid() || p.Bits() == 0 {
		return netip.Prefix{}, fmt.Errorf("limit: trusted prefix %s trusts every address: name those of your proxies only", s)
	}
	return p, nil
}

// unmapPrefix returns the IPv4 prefix that an IPv4-mapped one stands for. It is
// invalid if the mapped one is too short to stand for any.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if !p.Addr().Is4In6() {
		return p
	}
	return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
}

// parseAddr parses an address with or without a port. It returns the zero Addr
// for anything else.
func parseAddr(s string) netip.Addr {
	if s == "" || len(s) > maxAddrLen {
		return netip.Addr{}
	}
	if addr, err := netip.ParseAddr(s); err == nil {
		return normal(addr)
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return normal(ap.Addr())
	}
	// "[2001:db8::1]" is what is left of a port that was cut off.
	if s[0] == '[' && s[len(s)-1] == ']' {
		if addr, err := netip.ParseAddr(s[1 : len(s)-1]); err == nil && addr.Is6() {
			return normal(addr)
		}
	}
	return netip.Addr{}
}

// normal gives each address one form, so that one client has one key.
func normal(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

// trimSpace cuts optional white space, RFC 9110 section 5.6.3.
func trimSpace(s string) string { return strings.Trim(s, " \t") }
