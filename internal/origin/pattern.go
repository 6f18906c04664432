package origin

import (
	"fmt"
	"strings"
)

// stand is put for * while a pattern is parsed, so that a pattern is checked as strictly as an origin. It is no longer
// than a label may be and cannot end a host, since the last label must not be *.
const stand = "wildcard"

// parsePattern reads a pattern of [New]. Its errors tell the host's author what to write instead.
func parsePattern(s string) (tuple, error) {
	bad := func(advice string) (tuple, error) {
		return tuple{}, fmt.Errorf("origin %.*q: %s", maxOrigin, s, advice)
	}
	switch {
	case s == "":
		return bad("it is empty; write an origin such as https://app.example.com")
	case s == "*":
		return bad("it would let every site connect as the user; list the sites, such as https://app.example.com or https://*.example.com")
	case s == "null":
		return bad("sandboxed pages and local files of everyone send null; serve the page from a site and list that")
	case strings.Trim(s, visible) != "":
		return bad("it has characters that no origin has; write names beyond ASCII in their xn-- form, without spaces")
	case len(s) > maxOrigin:
		return bad("it is too long for an origin")
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		return bad("the scheme is missing; write https:// in front")
	}
	switch lower(scheme) {
	case "ws":
		return bad("an origin is the page's, not the socket's; write http:// in place of ws://")
	case "wss":
		return bad("an origin is the page's, not the socket's; write https:// in place of wss://")
	case "file":
		return bad("pages in files have no origin of their own; serve the page over http")
	}
	switch {
	case strings.ContainsAny(rest, "@"):
		return bad("an origin has no user; write scheme://host or scheme://host:port only")
	case strings.ContainsAny(rest, "/?#"):
		return bad("an origin has no path, not even a slash at the end; write scheme://host or scheme://host:port only")
	case strings.HasSuffix(rest, ":*"), strings.Contains(scheme, "*"):
		return bad("* stands for a label of the host only; list each scheme and port as an origin of its own")
	}
	host, port, advice := wildcards(rest)
	if advice != "" {
		return bad(advice)
	}
	t, ok := parseOrigin(scheme + "://" + host + port)
	if !ok {
		return bad("it is not an origin; write scheme://host or scheme://host:port, such as https://app.example.com")
	}
	if strings.Contains(rest, "*") {
		t.host = lower(strings.TrimSuffix(rest, port))
	}
	return t, nil
}

// visible is every byte between space and delete.
const visible = "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"

// wildcards returns host and port of a pattern with [stand] in place of each *, or advice.
func wildcards(s string) (host, port, advice string) {
	if !strings.Contains(s, "*") {
		return s, "", ""
	}
	host, port = s, ""
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		host, port = s[:i], s[i:]
	}
	labels := strings.Split(host, ".")
	literal := 0 // labels after the last *
	for i, label := range labels {
		switch {
		case label == "*":
			labels[i] = stand
			literal = 0
		case strings.Contains(label, "*"):
			return "", "", "* stands for a whole label; write https://*.example.com, or list the hosts"
		default:
			literal++
		}
	}
	last := lower(labels[len(labels)-1])
	if literal == 0 || literal == 1 && !reserved(last) {
		return "", "", "* is too near the end and would match the sites of strangers; at least two labels must follow it, as in https://*.example.com"
	}
	return strings.Join(labels, "."), port, ""
}

// reserved reports whether a top-level name is one that no registry hands out (RFC 6761, RFC 6762, and .internal, which
// ICANN set aside in 2024).
func reserved(tld string) bool {
	switch tld {
	case "localhost", "test", "internal", "local":
		return true
	}
	return false
}

// matches reports whether o is what the pattern t describes. Scheme and port are compared as they are.
func (t tuple) matches(o tuple) bool {
	if t.scheme != o.scheme || t.port != o.port {
		return false
	}
	pattern, host := t.host, o.host
	for {
		p, patternRest, patternMore := strings.Cut(pattern, ".")
		h, hostRest, hostMore := strings.Cut(host, ".")
		switch {
		case p != "*" && p != h, patternMore != hostMore:
			return false
		case !patternMore:
			return true
		}
		pattern, host = patternRest, hostRest
	}
}
