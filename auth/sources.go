package auth

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Sources says where tokens may come from. The zero value takes them from the Authorization header and the
// subprotocol list, the two places that need no decision by the host.
type Sources struct {
	// Cookie is the name of the cookie that holds the token; empty: cookies are ignored. A name that begins with
	// __Host- keeps other hosts of the same site from setting it.
	Cookie string

	// AllowQuery takes tokens from the query parameter token. Queries end up in the logs of proxies and in browser
	// histories, so this is off unless the host opts in. Single-use tickets suffer least from it.
	AllowQuery bool

	// AllowFrame lets a client connect without a token and present it in its first frame. Find does not look at
	// frames; this tells the server to accept the connection for the time being.
	AllowFrame bool
}

// bearerEntry begins the subprotocol entry that carries a token. Browsers cannot set headers on a WebSocket handshake,
// but they can offer subprotocols.
const bearerEntry = "bearer."

// Find takes the token out of a handshake request. It looks at the Authorization header (RFC 6750 section 2.1), the
// configured cookie, the subprotocol entry bearer.T and, where the host opted in, the query parameter token, in this
// order; the first place that has one decides and the others are not looked at. Without a token anywhere the
// credentials have [SourceNone] and there is no error.
//
// The error is an [ErrMalformed] when the place that decides is ambiguous or broken: more than one Authorization header,
// the scheme Bearer with nothing or no token behind it, two cookies of the name with different values, two bearer
// entries, two token parameters, a token longer than [MaxToken] or with bytes that are not visible ASCII. An
// Authorization header of another scheme is ignored, since a proxy may have put it there, and so is an empty cookie,
// since that is how a sign-out leaves it.
//
// RemoteIP is left to the caller.
func (s Sources) Find(r *http.Request) (Credentials, error) {
	token, ok, err := headerToken(r.Header.Values("Authorization"))
	if ok || err != nil {
		return credentials(r, token, SourceHeader, err)
	}
	if s.Cookie != "" {
		token, ok, err = cookieToken(r.CookiesNamed(s.Cookie))
		if ok || err != nil {
			return credentials(r, token, SourceCookie, err)
		}
	}
	token, ok, err = subprotocolToken(r.Header.Values("Sec-WebSocket-Protocol"))
	if ok || err != nil {
		return credentials(r, token, SourceSubprotocol, err)
	}
	if s.AllowQuery && r.URL != nil {
		token, ok, err = queryToken(r.URL.RawQuery)
		if ok || err != nil {
			return credentials(r, token, SourceQuery, err)
		}
	}
	return Credentials{Request: r}, nil
}

// credentials keeps the source beside an error too, because the Origin check and the log want to know it.
func credentials(r *http.Request, token string, source Source, err error) (Credentials, error) {
	if err == nil {
		err = checkToken(token)
	}
	if err != nil {
		return Credentials{Source: source, Request: r}, err
	}
	return Credentials{Token: token, Source: source, Request: r}, nil
}

func headerToken(values []string) (token string, ok bool, err error) {
	switch len(values) {
	case 0:
		return "", false, nil
	case 1:
	default:
		return "", false, fmt.Errorf("%w: more than one Authorization header", ErrMalformed)
	}
	// RFC 9110 section 11.4: a scheme, which is case-insensitive, then one or more spaces, then the rest.
	scheme, rest, _ := strings.Cut(strings.Trim(values[0], " \t"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false, nil
	}
	token = strings.TrimLeft(rest, " ")
	if !isToken68(token) {
		return "", false, fmt.Errorf("%w: the Authorization header's Bearer token is empty or has characters that RFC 6750 does not allow", ErrMalformed)
	}
	return token, true, nil
}

func cookieToken(cookies []*http.Cookie) (token string, ok bool, err error) {
	for _, c := range cookies {
		switch {
		case c.Value == "" || c.Value == token:
		case token == "":
			token = c.Value
		default:
			// A page on a sibling host can set a cookie of the same name; which of the two the browser
			// sends first is not for us to trust.
			return "", false, fmt.Errorf("%w: two cookies of the same name with different values", ErrMalformed)
		}
	}
	return token, token != "", nil
}

func subprotocolToken(values []string) (token string, ok bool, err error) {
	for _, v := range values {
		for entry := range strings.SplitSeq(v, ",") {
			t, is := strings.CutPrefix(strings.Trim(entry, " \t"), bearerEntry)
			if !is {
				continue
			}
			if ok {
				return "", false, fmt.Errorf("%w: two bearer entries in Sec-WebSocket-Protocol", ErrMalformed)
			}
			token, ok = t, true
		}
	}
	return token, ok, nil
}

func queryToken(raw string) (token string, ok bool, err error) {
	if raw == "" {
		return "", false, nil
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		// The cause quotes the query, which may hold a token.
		return "", false, fmt.Errorf("%w: the query cannot be parsed", ErrMalformed)
	}
	switch values := query["token"]; len(values) {
	case 0:
		return "", false, nil
	case 1:
		return values[0], true, nil
	default:
		return "", false, fmt.Errorf("%w: two token parameters in the query", ErrMalformed)
	}
}

// checkToken holds for tokens from every place.
func checkToken(token string) error {
	switch {
	case token == "":
		return fmt.Errorf("%w: the token is empty", ErrMalformed)
	case len(token) > MaxToken:
		return fmt.Errorf("%w: the token is longer than %d bytes", ErrMalformed, MaxToken)
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return fmt.Errorf("%w: the token has bytes that are not visible ASCII", ErrMalformed)
		}
	}
	return nil
}

// isToken68 reports whether s is a b64token of RFC 6750 section 2.1 (token68 in RFC 9110).
func isToken68(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		switch c := body[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '.', c == '_', c == '~', c == '+', c == '/':
		default:
			return false
		}
	}
	return body != ""
}
