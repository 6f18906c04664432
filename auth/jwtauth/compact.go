package jwtauth

import (
	"encoding/base64"
	"strings"

	"github.com/go-json-experiment/json"
)

const (
	maxHeader = 1 << 10 // bytes of a decoded header
	maxKeyID  = 256     // bytes of a kid
)

// compact is a token whose shape is right and whose signature was not looked at.
type compact struct {
	raw    string
	alg    string
	kid    string // empty: none
	claims map[string]any
}

// segment decodes canonical base64url: no padding, no line breaks, no stray bits at the end, so that one token has one
// spelling.
var segment = base64.RawURLEncoding.Strict()

// parseCompact reads a JWS in the compact serialisation (RFC 7515 section 7.1) whose length was checked. ignored are names of header parameters
// that are passed over.
func parseCompact(token string, ignored map[string]struct{}) (compact, error) {
	head, rest, _ := strings.Cut(token, ".")
	body, signature, ok := strings.Cut(rest, ".")
	if !ok || head == "" || body == "" || signature == "" {
		return compact{}, refuse("the token does not have three segments")
	}
	if len(head) > segment.EncodedLen(maxHeader) {
		return compact{}, refuse("the token's header is too long")
	}
	c := compact{raw: token}
	text, err := decode(head)
	if err != nil {
		return compact{}, err
	}
	if err := c.parseHeader(text, ignored); err != nil {
		return compact{}, err
	}
	if _, err := decode(signature); err != nil {
		return compact{}, err
	}
	if text, err = decode(body); err != nil {
		return compact{}, err
	}
	// This refuses duplicate names and invalid UTF-8, which two readers could take for different claims.
	if err := json.Unmarshal(text, &c.claims); err != nil || c.claims == nil {
		return compact{}, refuse("the token's claims are not a JSON object")
	}
	return c, nil
}

func decode(s string) ([]byte, error) {
	// The decoder passes over line breaks, also when it is strict.
	if strings.ContainsAny(s, "\r\n") {
		return nil, refuse("the token is not base64url")
	}
	text, err := segment.DecodeString(s)
	if err != nil {
		return nil, refuse("the token is not base64url")
	}
	return text, nil
}

func (c *compact) parseHeader(text []byte, ignored map[string]struct{}) error {
	var header map[string]any
	if err := json.Unmarshal(text, &header); err != nil || header == nil {
		return refuse("the token's header is not a JSON object")
	}
	for name, value := range header {
		s, isString := value.(string)
		switch name {
		case "alg":
			if _, ok := algorithm(s); !ok {
				return refuse("the token's algorithm is unknown")
			}
			c.alg = s
		case "typ":
			if !isString || !isJWT(s) {
				return refuse("the token's type is not JWT")
			}
		case "kid":
			if !isString || s == "" || len(s) > maxKeyID {
				return refuse("the token's key ID is not a string of 1 to 256 bytes")
			}
			c.kid = s
		default:
			if _, ok := ignored[name]; !ok {
				return refuse("the token's header has a parameter that is not accepted")
			}
		}
	}
	if c.alg == "" {
		return refuse("the token names no algorithm")
	}
	return nil
}

// isJWT accepts JWT (RFC 7519 section 5.1) and at+jwt (RFC 9068 section 2.1), in any case and with application/ in front.
func isJWT(typ string) bool {
	typ = strings.ToLower(typ)
	typ = strings.TrimPrefix(typ, "application/")
	return typ == "jwt" || typ == "at+jwt"
}
