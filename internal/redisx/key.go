// Package redisx is what the Redis stores have in common: how keys are made,
// how scripts are run, and what an error means.
package redisx

import "strings"

// DefaultPrefix begins every key unless the host chose another.
const DefaultPrefix = "wardroom:"

// Keys makes the keys of one deployment. Everything that belongs together has
// the same tag, and so lives in the same slot of a Redis Cluster.
type Keys struct{ prefix string }

// NewKeys returns the keys that begin with prefix; empty means DefaultPrefix.
// A brace in the prefix would be taken for the tag, so it is escaped.
func NewKeys(prefix string) Keys {
	if prefix == "" {
		prefix = DefaultPrefix
	}
	return Keys{escape(prefix)}
}

// Key returns PREFIX{kind:tag}:part:part. The tag and the parts may be any
// text: what could end a tag or look like another key is escaped.
func (k Keys) Key(kind, tag string, parts ...string) string {
	var b strings.Builder
	b.WriteString(k.prefix)
	b.WriteByte('{')
	b.WriteString(kind)
	b.WriteByte(':')
	b.WriteString(escape(tag))
	b.WriteByte('}')
	for _, p := range parts {
		b.WriteByte(':')
		b.WriteString(escape(p))
	}
	return b.String()
}

// escape writes every byte that names are not made of as %XX. A name that
// needs none is returned as it is.
func escape(s string) string {
	for i := range len(s) {
		if !plain(s[i]) {
			return escaped(s)
		}
	}
	return s
}

func escaped(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

func plain(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("_-.:@+|/", c) >= 0
}
