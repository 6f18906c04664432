package auth

import "strconv"

// Source says where a token stood. It matters to the check of the Origin header: a browser adds cookies to requests
// that a foreign page starts, and adds nothing else.
type Source uint8

// The places a token can come from, in the order in which [Sources.Find] looks.
const (
	SourceNone        Source = iota // no token was presented
	SourceHeader                    // Authorization: Bearer
	SourceCookie                    // the configured cookie
	SourceSubprotocol               // an entry bearer.T of Sec-WebSocket-Protocol
	SourceQuery                     // the query parameter token
	SourceFrame                     // an auth frame, after the upgrade
)

// String returns the name that logs use: none, header, cookie, subprotocol, query or frame.
func (s Source) String() string {
	switch s {
	case SourceNone:
		return "none"
	case SourceHeader:
		return "header"
	case SourceCookie:
		return "cookie"
	case SourceSubprotocol:
		return "subprotocol"
	case SourceQuery:
		return "query"
	case SourceFrame:
		return "frame"
	default:
		return "source(" + strconv.Itoa(int(s)) + ")"
	}
}

// MarshalText implements [encoding.TextMarshaler] with the form of String.
func (s Source) MarshalText() ([]byte, error) {
	return []byte(s.String()), nil
}
