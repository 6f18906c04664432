package limit

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func mustTrust(t testing.TB, prefixes ...string) []netip.Prefix {
	t.Helper()
	trusted, err := ParseTrusted(prefixes...)
	if err != nil {
		t.Fatal(err)
	}
	return trusted
}

func request(remote, header string, values ...string) *http.Request {
	r := &http.Request{RemoteAddr: remote, Header: http.Header{}}
	for _, v := range values {
		r.Header.Add(header, v)
	}
	return r
}

func TestClientIPForwardedFor(t *testing.T) {
	proxies := NewClientIP(mustTrust(t, "10.0.0.0/8", "192.0.2.7", "2001:db8:1::/48", "::ffff:172.16.0.0/108")...)
	tests := []struct {
		name   string
		remote string
		xff    []string
		want   string // "" is the zero Addr
	}{
		{"no header", "198.51.100.1:1234", nil, "198.51.100.1"},
		{"untrusted peer forges", "198.51.100.1:1234", []string{"203.0.113.9"}, "198.51.100.1"},
		{"untrusted peer claims a proxy", "198.51.100.1:1234", []string{"203.0.113.9, 10.0.0.1"}, "198.51.100.1"},
		{"trusted peer without a header", "10.0.0.1:1234", nil, "10.0.0.1"},
		{"one hop", "10.0.0.1:1234", []string{"203.0.113.9"}, "203.0.113.9"},
		{"client's own header in front", "10.0.0.1:1234", []string{"1.1.1.1, 203.0.113.9"}, "203.0.113.9"},
		{"client claims to be a proxy", "10.0.0.1:1234", []string{"1.1.1.1, 10.0.0.3, 203.0.113.9"}, "203.0.113.9"},
		{"two proxies", "10.0.0.1:1234", []string{"1.1.1.1, 203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
		{"a trusted single address", "192.0.2.7:1", []string{"203.0.113.9"}, "203.0.113.9"},
		{"its neighbour is not trusted", "192.0.2.8:1", []string{"203.0.113.9"}, "192.0.2.8"},
		{"an IPv4-mapped prefix is the IPv4 one", "172.16.0.9:1", []string{"203.0.113.9"}, "203.0.113.9"},

		{"lines are one list", "10.0.0.1:1234", []string{"1.1.1.1", "203.0.113.9, 10.0.0.3", "10.0.0.2"}, "203.0.113.9"},
		{"forged line first", "10.0.0.1:1234", []string{"10.0.0.9, 10.0.0.8", "203.0.113.9"}, "203.0.113.9"},
		{"all trusted", "10.0.0.1:1234", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"all trusted on two lines", "10.0.0.1:1234", []string{"10.0.0.4", "10.0.0.3, 10.0.0.2"}, "10.0.0.4"},

		{"garbage to the left is not read", "10.0.0.1:1234", []string{"'; DROP TABLE, , 203.0.113.9"}, "203.0.113.9"},
		{"garbage from the proxy", "10.0.0.1:1234", []string{"203.0.113.9, unknown"}, "10.0.0.1"},
		{"garbage behind a trusted hop", "10.0.0.1:1234", []string{"203.0.113.9, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"obfuscated", "10.0.0.1:1234", []string{"_hidden"}, "10.0.0.1"},
		{"empty", "10.0.0.1:1234", []string{""}, "10.0.0.1"},
		{"empty element", "10.0.0.1:1234", []string{"203.0.113.9,"}, "10.0.0.1"},
		{"empty last line", "10.0.0.1:1234", []string{"203.0.113.9", " "}, "10.0.0.1"},
		{"leading zeros", "10.0.0.1:1234", []string{"203.0.113.009"}, "10.0.0.1"},
		{"a number", "10.0.0.1:1234", []string{"3405803785"}, "10.0.0.1"},
		{"a prefix", "10.0.0.1:1234", []string{"203.0.113.0/24"}, "10.0.0.1"},
		{"a name", "10.0.0.1:1234", []string{"localhost"}, "10.0.0.1"},
		{"space inside", "10.0.0.1:1234", []string{"203.0. 113.9"}, "10.0.0.1"},
		{"a newline is no white space here", "10.0.0.1:1234", []string{"203.0.113.9\n"}, "10.0.0.1"},
		{"endless", "10.0.0.1:1234", []string{"fe80::1%" + strings.Repeat("z", 200)}, "10.0.0.1"},
		{"two addresses without a comma", "10.0.0.1:1234", []string{"203.0.113.9 203.0.113.8"}, "10.0.0.1"},

		{"white space", "10.0.0.1:1234", []string{"1.1.1.1 ,\t 203.0.113.9 \t"}, "203.0.113.9"},
		{"port", "10.0.0.1:1234", []string{"203.0.113.9:5678"}, "203.0.113.9"},
		{"IPv6", "10.0.0.1:1234", []string{"2001:db8:2::9"}, "2001:db8:2::9"},
		{"IPv6 with brackets", "10.0.0.1:1234", []string{"[2001:db8:2::9]"}, "2001:db8:2::9"},
		{"IPv6 with port", "10.0.0.1:1234", []string{"[2001:db8:2::9]:5678"}, "2001:db8:2::9"},
		{"IPv4 in brackets", "10.0.0.1:1234", []string{"[203.0.113.9]"}, "10.0.0.1"},
		{"IPv4-mapped client", "10.0.0.1:1234", []string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		{"IPv4-mapped hop is trusted", "10.0.0.1:1234", []string{"203.0.113.9, ::ffff:10.0.0.2"}, "203.0.113.9"},
		{"zone", "10.0.0.1:1234", []string{"fe80::9%eth0"}, "fe80::9"},
		{"trusted IPv6 hop", "[2001:db8:1::1]:1234", []string{"203.0.113.9, 2001:db8:1:2::3"}, "203.0.113.9"},

		{"IPv4-mapped peer is trusted", "[::ffff:10.0.0.1]:1234", []string{"203.0.113.9"}, "203.0.113.9"},
		{"IPv4-mapped peer", "[::ffff:198.51.100.1]:1234", nil, "198.51.100.1"},
		{"peer with a zone", "[fe80::1%eth0]:1234", nil, "fe80::1"},
		{"peer without a port", "198.51.100.1", nil, "198.51.100.1"},
		{"Unix socket", "@", []string{"203.0.113.9"}, ""},
		{"no peer", "", []string{"203.0.113.9"}, ""},
		{"peer is a name", "proxy.example:80", []string{"203.0.113.9"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := proxies.Addr(request(tt.remote, "X-Forwarded-For", tt.xff...))
			want := netip.Addr{}
			if tt.want != "" {
				want = netip.MustParseAddr(tt.want)
			}
			if got != want {
				t.Errorf("%s with %q: %v, want %v", tt.remote, tt.xff, got, want)
			}
		})
	}
}

func TestClientIPTrustsNobodyByDefault(t *testing.T) {
	for name, c := range map[string]*ClientIP{
		"zero value":          {},
		"no prefix":           NewClientIP(),
		"invalid prefix":      NewClientIP(netip.Prefix{}),
		"everybody, IPv4":     NewClientIP(netip.MustParsePrefix("0.0.0.0/0")),
		"everybody, IPv6":     NewClientIP(netip.MustParsePrefix("::/0")),
		"everybody, mapped":   NewClientIP(netip.MustParsePrefix("::ffff:0.0.0.0/96")),
		"more than is mapped": NewClientIP(netip.MustParsePrefix("::ffff:0.0.0.0/90")),
		"another header":      NewClientIP().FromHeader("X-Real-IP"),
		"another name for it": (&ClientIP{}).FromHeader("x-forwarded-for"),
	} {
		t.Run(name, func(t *testing.T) {
			for _, remote := range []string{"10.0.0.1:1", "127.0.0.1:1", "[::1]:1"} {
				r := request(remote, "X-Forwarded-For", "203.0.113.9")
				r.Header.Set("X-Real-IP", "203.0.113.9")
				if got := c.Addr(r); got != netip.MustParseAddrPort(remote).Addr() {
					t.Errorf("%s: %v, want the peer", remote, got)
				}
			}
		})
	}
}

func TestClientIPFromHeader(t *testing.T) {
	proxies := NewClientIP(mustTrust(t, "10.0.0.0/8")...)
	tests := []struct {
		name   string
		header string
		remote string
		values []string
		want   string
	}{
		{"address", "CF-Connecting-IP", "10.0.0.1:1", []string{"203.0.113.9"}, "203.0.113.9"},
		{"any case of the name", "x-real-ip", "10.0.0.1:1", []string{" 2001:db8::9 "}, "2001:db8::9"},
		{"a trusted address is an answer", "X-Real-IP", "10.0.0.1:1", []string{"10.0.0.9"}, "10.0.0.9"},
		{"untrusted peer", "X-Real-IP", "198.51.100.1:1", []string{"203.0.113.9"}, "198.51.100.1"},
		{"absent", "X-Real-IP", "10.0.0.1:1", nil, "10.0.0.1"},
		{"empty", "X-Real-IP", "10.0.0.1:1", []string{""}, "10.0.0.1"},
		{"garbage", "X-Real-IP", "10.0.0.1:1", []string{"me"}, "10.0.0.1"},
		{"a list", "X-Real-IP", "10.0.0.1:1", []string{"203.0.113.9, 203.0.113.8"}, "10.0.0.1"},
		{"two lines", "X-Real-IP", "10.0.0.1:1", []string{"203.0.113.9", "203.0.113.9"}, "10.0.0.1"},
		{"the list header by name", "x-forwarded-for", "10.0.0.1:1", []string{"1.1.1.1, 203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := proxies.FromHeader(tt.header)
			if got := c.Addr(request(tt.remote, tt.header, tt.values...)); got != netip.MustParseAddr(tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
	t.Run("the default header is not read", func(t *testing.T) {
		c := proxies.FromHeader("X-Real-IP")
		if got := c.Addr(request("10.0.0.1:1", "X-Forwarded-For", "203.0.113.9")); got.String() != "10.0.0.1" {
			t.Errorf("%v, want the peer", got)
		}
	})
}

func TestParseTrusted(t *testing.T) {
	tests := []struct{ in, want string }{
		{"10.0.0.0/8", "10.0.0.0/8"},
		{"192.0.2.1", "192.0.2.1/32"},
		{"192.0.2.1/32", "192.0.2.1/32"},
		{"2001:db8::/32", "2001:db8::/32"},
		{"::1", "::1/128"},
		{"::ffff:10.0.0.0/104", "10.0.0.0/8"},
		{"::ffff:10.0.0.1", "10.0.0.1/32"},
		{"fe80::1%eth0", "fe80::1/128"},

		{"", ""},
		{"localhost", ""},
		{"10.0.0.0/33", ""},
		{"10.0.0/8", ""},
		{"10.1.2.3/8", ""},
		{"0.0.0.0/0", ""},
		{"::/0", ""},
		{"::ffff:0.0.0.0/96", ""},
		{"10.0.0.0/8 ", ""},
		{"10.0.0.0/8,192.0.2.1", ""},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := ParseTrusted("192.0.2.9", tt.in)
			if tt.want == "" {
				if err == nil {
					t.Errorf("%v, want an error", got)
				}
				return
			}
			if err != nil || len(got) != 2 || got[1].String() != tt.want {
				t.Errorf("%v, %v; want %s", got, err, tt.want)
			}
		})
	}
	if got, err := ParseTrusted(); err != nil || len(got) != 0 {
		t.Errorf("of nothing: %v, %v", got, err)
	}
}

// FuzzClientIP: whatever a client sends, it cannot choose the address that it
// is known by.
func FuzzClientIP(f *testing.F) {
	f.Add("198.51.100.1:1234", "1.1.1.1, 10.0.0.2", "10.0.0.3")
	proxies := NewClientIP(mustTrust(f, "10.0.0.0/8", "2001:db8:1::/48")...)
	const client = "203.0.113.9"
	f.Fuzz(func(t *testing.T, remote, first, second string) {
		// Anything at all gives an address in its one form, or none.
		addr := proxies.Addr(request(remote, "X-Forwarded-For", first, second))
		if addr.Is4In6() || addr.Zone() != "" {
			t.Fatalf("%v is not in its one form", addr)
		}
		peer := parseAddr(remote)
		if !proxies.trusts(peer) && addr != peer {
			t.Fatalf("untrusted peer %v is taken for %v", peer, addr)
		}
		if want := walked(proxies, peer, first+","+second); proxies.trusts(peer) && addr != want {
			t.Fatalf("%q and %q from %v: %v, want %v", first, second, peer, addr, want)
		}

		// A trusted proxy appends the client to the line or adds a line.
		for _, values := range [][]string{
			{first, second + ", " + client},
			{first, second, client},
			{first, second + "," + client + ":80", "10.0.0.2"},
			{first, second + "," + client + " , 10.0.0.2,10.0.0.3"},
		} {
			got := proxies.Addr(request("10.0.0.1:80", "X-Forwarded-For", values...))
			if got.String() != client {
				t.Fatalf("%q is taken for %v, want %s", values, got, client)
			}
		}
		for _, values := range [][]string{{first}, {first, second}} {
			got := proxies.FromHeader("X-Real-IP").Addr(request("198.51.100.1:80", "X-Real-IP", values...))
			if got.String() != "198.51.100.1" {
				t.Fatalf("%q from an untrusted peer is taken for %v", values, got)
			}
		}
	})
}

// walked is ClientIP.walk in the plainest words.
func walked(c *ClientIP, last netip.Addr, list string) netip.Addr {
	elements := strings.Split(list, ",")
	for len(elements) > 0 {
		addr := parseAddr(strings.Trim(elements[len(elements)-1], " \t"))
		elements = elements[:len(elements)-1]
		if !addr.IsValid() {
			break
		}
		last = addr
		if !c.trusts(addr) {
			break
		}
	}
	return last
}

func BenchmarkClientIP(b *testing.B) {
	proxies := NewClientIP(mustTrust(b, "10.0.0.0/8", "192.0.2.0/24", "2001:db8:1::/48")...)
	r := request("10.0.0.1:1234", "X-Forwarded-For", "1.1.1.1, 203.0.113.9, 10.0.0.2")
	b.ReportAllocs()
	for b.Loop() {
		proxies.Addr(r)
	}
}
