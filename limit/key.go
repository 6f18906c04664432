package limit

import "net/netip"

// Key returns the key under which to count a client address.
//
// IPv4 addresses stand for themselves. IPv6 addresses are grouped per /64, the
// least that a network hands to a customer (RFC 6177), who would otherwise have
// 2^64 keys. An IPv4 address in IPv6 clothes has the key of the IPv4 address,
// or all of IPv4 would share one /64: that is an IPv4-mapped one, and one
// behind NAT64 with the well-known prefix 64:ff9b::/96 (RFC 6052).
//
// The zero Addr has the key "unknown": what cannot be told apart is counted
// together.
func Key(addr netip.Addr) string {
	addr = normal(addr)
	if !addr.IsValid() {
		return "unknown"
	}
	if addr.Is4() {
		return addr.String()
	}
	b := addr.As16()
	if [12]byte(b[:12]) == [12]byte{0x00, 0x64, 0xff, 0x9b} {
		return netip.AddrFrom4([4]byte(b[12:])).String()
	}
	clear(b[8:])
	return netip.PrefixFrom(netip.AddrFrom16(b), 64).String()
}
