package transport

// Close codes that this package itself uses: those of RFC 6455, section 7.4.1,
// and wardroom's own from docs/PROTOCOL.md.
const (
	CloseGoingAway     = 1001
	CloseProtocolError = 1002
	CloseInvalidUTF8   = 1007
	CloseTooBig        = 1009
	closeNoStatus      = 1005
	closeAbnormal      = 1006

	ClosePolicy        = 4008
	CloseHeartbeatLost = 4102
	CloseSlowConsumer  = 4103
)

// Closing says how a connection ended.
type Closing struct {
	// Code is the close code that was sent, or the peer's own when it closed
	// first; 1006 when the socket ended without a close frame.
	Code   int
	Reason string
	ByPeer bool
}
