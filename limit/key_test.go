package limit

import (
	"net/netip"
	"testing"
)

func TestKey(t *testing.T) {
	tests := []struct{ addr, want string }{
		{"192.0.2.1", "192.0.2.1"},
		{"192.0.2.2", "192.0.2.2"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{"2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"},
		{"2001:db8:1:2::", "2001:db8:1:2::/64"},
		{"2001:db8:1:3::", "2001:db8:1:3::/64"},
		{"fe80::1%eth0", "fe80::/64"},
		{"::1", "::/64"},
		{"64:ff9b::192.0.2.1", "192.0.2.1"},
		{"64:ff9b::1:c000:201", "64:ff9b::/64"},    // outside the /96
		{"64:ff9b:1::192.0.2.1", "64:ff9b:1::/64"}, // RFC 8215, not well-known
	}
	for _, tt := range tests {
		if got := Key(netip.MustParseAddr(tt.addr)); got != tt.want {
			t.Errorf("Key(%s) = %q, want %q", tt.addr, got, tt.want)
		}
	}
	if got := Key(netip.Addr{}); got != "unknown" {
		t.Errorf("Key of the zero Addr = %q, want unknown", got)
	}
	if got := NewClientIP().Key(request("[2001:db8::1]:80", "")); got != "2001:db8::/64" {
		t.Errorf("ClientIP.Key = %q", got)
	}
}
