package origin

import (
	"net/netip"
	"strconv"
	"strings"
)

// tuple is an origin in its normal form: lower case, the port written out where the scheme has a default. Two origins
// are the same when their tuples are equal.
type tuple struct {
	scheme string
	host   string // a name, a dotted IPv4 address, or an IPv6 address without brackets
	port   uint16 // 0: none, for a scheme without a default port
}

// maxOrigin is longer than any scheme, name (253) and port together.
const maxOrigin = 300

// parseOrigin reads an Origin header's value (RFC 6454 section 6.1): scheme "://" host [ ":" port ] and nothing else.
func parseOrigin(s string) (tuple, bool) {
	if len(s) > maxOrigin {
		return tuple{}, false
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || !isScheme(scheme) {
		return tuple{}, false
	}
	return parseHostPort(lower(scheme), rest)
}

// parseHostPort reads host [ ":" port ], the form of a Host header (RFC 9110 section 7.2) too. Userinfo, paths, queries
// and fragments fail because their delimiters are in no host.
func parseHostPort(scheme, s string) (tuple, bool) {
	if len(s) > maxOrigin {
		return tuple{}, false
	}
	var host, port string
	var hasPort bool
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return tuple{}, false
		}
		host = s[:end+1]
		if rest := s[end+1:]; rest != "" {
			if rest[0] != ':' {
				return tuple{}, false
			}
			port, hasPort = rest[1:], true
		}
	} else {
		host, port, hasPort = strings.Cut(s, ":")
	}
	host, ok := normalHost(host)
	if !ok {
		return tuple{}, false
	}
	t := tuple{scheme: scheme, host: host, port: defaultPort(scheme)}
	if hasPort {
		if t.port, ok = parsePort(port); !ok {
			return tuple{}, false
		}
	}
	return t, true
}

func defaultPort(scheme string) uint16 {
	switch scheme {
	case "http":
		return 80
	case "https":
		return 443
	default:
		return 0
	}
}

func parsePort(s string) (uint16, bool) {
	if s == "" || s[0] == '0' || len(s) > 5 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil
}

// normalHost returns the normal form of a name or an address.
func normalHost(s string) (string, bool) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		addr, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", false
		}
		return addr.String(), true
	}
	s = lower(s)
	if len(s) > 253 {
		return "", false
	}
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return "", false
		}
		last = label
	}
	if isNumeric(last) {
		// Browsers take a name that ends in a number for an IPv4 address in one of many spellings, and always
		// send the dotted one.
		addr, err := netip.ParseAddr(s)
		if err != nil || !addr.Is4() {
			return "", false
		}
	}
	return s, true
}

// isLabel reports whether s is a label of a host name. The underscore is in no host name by RFC 1123, but names with one
// are in use and browsers send them.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// isNumeric is the test of the URL standard's "ends in a number" checker, for a label in lower case.
func isNumeric(label string) bool {
	if strings.Trim(label, "0123456789") == "" {
		return true
	}
	hex, ok := strings.CutPrefix(label, "0x")
	return ok && strings.Trim(hex, "0123456789abcdef") == ""
}

// isScheme is RFC 3986 section 3.1.
func isScheme(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return true
}

// lower is ASCII only: folding a Kelvin sign to k would make a look-alike equal.
func lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
