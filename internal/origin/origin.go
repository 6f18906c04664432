// Package origin decides whether the page that opens a WebSocket may do so.
//
// A browser lets every page open a connection to every host and sends the user's cookies along, so the Origin header
// (RFC 6454, RFC 6455 section 10.2) is what stands between a signed-in user and a hostile page. The header is therefore
// read strictly: what is not exactly a scheme, a host and at most a port is refused, never repaired.
package origin

import (
	"errors"
	"net/http"
	"strings"
)

// The reasons for a refusal. Each is an [ErrForbidden] by errors.Is. Their texts are constant and hold nothing of the
// request.
var (
	// ErrForbidden is every refusal.
	ErrForbidden = errors.New("origin forbidden")

	errAbsent         = refusal("the request has no Origin")
	errAbsentOnCookie = refusal("the request has no Origin and the credential is a cookie")
	errRepeated       = refusal("the request has more than one Origin")
	errMalformed      = refusal("the Origin is not a scheme, a host and a port")
	errForeign        = refusal("the Origin is none of those that WithOrigins names, or not the Host where it names none")
)

type refusal string

func (r refusal) Error() string { return ErrForbidden.Error() + ": " + string(r) }

func (r refusal) Is(target error) bool { return target == ErrForbidden }

// Policy says which origins may connect. It is safe for concurrent use once its field is set.
type Policy struct {
	// RequireOrigin refuses requests without an Origin also when the credential is no cookie. Clients that are no
	// browsers send none, so this shuts them out. Set it before the first Check.
	RequireOrigin bool

	// sameOrigin is the rule when no pattern was given.
	sameOrigin bool
	exact      map[tuple]struct{}
	wild       []tuple
}

// New returns the policy that allows the origins that match one of the patterns.
//
// A pattern is an origin: scheme://host or scheme://host:port, such as https://app.example.com. A label of the host may
// be *, which stands for exactly one label: https://*.example.com matches https://a.example.com but neither
// https://example.com nor https://a.b.example.com. At least two labels without * must follow it, or one if that is a
// name that no registry hands out (localhost, test, internal, local). Letter case does not matter, and the port may be
// left out where it is the scheme's default (80 for http, 443 for https). Hosts beyond ASCII are written in their xn--
// form, as browsers send them.
//
// With no pattern the policy is same-origin: the Origin's host and port are those of the request's Host. Its scheme
// must be https when the request came over TLS, and http or https when it did not, since a proxy may have ended TLS in
// front. Host is under the control of whoever resolves the name, so a server that can be reached by names that are
// not its own (DNS rebinding) should give patterns; then Host is not looked at.
func New(patterns ...string) (*Policy, error) {
	p := &Policy{sameOrigin: len(patterns) == 0, exact: make(map[tuple]struct{}, len(patterns))}
	for _, s := range patterns {
		t, err := parsePattern(s)
		if err != nil {
			return nil, err
		}
		if strings.Contains(t.host, "*") {
			p.wild = append(p.wild, t)
		} else {
			p.exact[t] = struct{}{}
		}
	}
	return p, nil
}

// Check returns nil when the request may go on and an [ErrForbidden] with the reason when not. cookieCredential says
// that the client's credential is a cookie, which a browser sends whoever asked for the connection; then an Origin is
// required.
func (p *Policy) Check(r *http.Request, cookieCredential bool) error {
	values := r.Header["Origin"]
	switch len(values) {
	case 0:
		switch {
		case cookieCredential:
			return errAbsentOnCookie
		case p.RequireOrigin:
			return errAbsent
		}
		return nil
	case 1:
	default:
		return errRepeated
	}
	o, ok := parseOrigin(values[0])
	if !ok {
		return errMalformed
	}
	if p.allows(o, r) {
		return nil
	}
	return errForeign
}

func (p *Policy) allows(o tuple, r *http.Request) bool {
	if p.sameOrigin {
		return sameOrigin(o, r)
	}
	if _, ok := p.exact[o]; ok {
		return true
	}
	for _, pattern := range p.wild {
		if pattern.matches(o) {
			return true
		}
	}
	return false
}

func sameOrigin(o tuple, r *http.Request) bool {
	if o.scheme != "https" && (o.scheme != "http" || r.TLS != nil) {
		return false
	}
	// A Host without a port means the default port of the scheme that the page used.
	host, ok := parseHostPort(o.scheme, r.Host)
	return ok && host == o
}
