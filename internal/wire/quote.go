package wire

import (
	"bytes"
	"unicode/utf8"
)

// special marks the bytes below 64 that a JSON string does not carry as they
// are: the control characters (RFC 8259, section 7), the quote, and what has a
// meaning in HTML. Of those above, it is the backslash.
const special = 1<<' ' - 1 | 1<<'"' | 1<<'&' | 1<<'<' | 1<<'>'

// plain says whether c stands for itself in a JSON string.
func plain(c byte) bool {
	if c < 64 {
		return uint64(special)>>c&1 == 0
	}
	return c < utf8.RuneSelf && c != '\\'
}

// appendString appends s as a JSON string that is safe in HTML and JavaScript.
// Each byte that is not UTF-8 becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	done := 0 // s[:done] has been appended
	for i := 0; i < len(s); {
		c := s[i]
		if plain(c) {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = append(dst, s[done:i]...)
			dst = appendEscape(dst, c)
			i++
			done = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, s[done:i]...)
			dst = append(dst, "\uFFFD"...)
		case r == '\u2028' || r == '\u2029':
			dst = append(dst, s[done:i]...)
			dst = appendLineEscape(dst, byte(r))
		default:
			i += size
			continue
		}
		i += size
		done = i
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"')
}

// appendEscape appends the escape of an ASCII character.
func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// appendLineEscape appends the escape of U+2028 or U+2029, which the last bit
// of either tells apart, in UTF-8 too. JavaScript before ES2019 ends a line at
// them, even inside a string.
func appendLineEscape(dst []byte, last byte) []byte {
	return append(dst, '\\', 'u', '2', '0', '2', '8'+last&1)
}

// lineSeparator is what the UTF-8 forms of U+2028 and U+2029 (E2 80 A8 and
// E2 80 A9) begin with.
const lineSeparator = "\xE2\x80"

// appendRaw appends a JSON value, null for none, and escapes in it what
// appendString would. Outside of its strings a JSON value has none of these
// characters, and within them none can follow a backslash, so their bytes can
// be replaced wherever they are.
func appendRaw(dst, raw []byte) []byte {
	if len(raw) == 0 {
		return append(dst, "null"...)
	}
	// Four vectorised searches cost a fraction of one loop over the bytes.
	// Only a value that passes none of them is worth the loop, and is never
	// searched twice, which keeps hostile ones linear.
	if bytes.IndexByte(raw, '<') < 0 && bytes.IndexByte(raw, '>') < 0 &&
		bytes.IndexByte(raw, '&') < 0 && bytes.IndexByte(raw, lineSeparator[0]) < 0 {
		return append(dst, raw...)
	}
	done := 0
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; c {
		case '<', '>', '&':
			dst = append(dst, raw[done:i]...)
			dst = appendEscape(dst, c)
			done = i + 1
		case lineSeparator[0]:
			if len(raw)-i < 3 || raw[i+1] != lineSeparator[1] || raw[i+2]|1 != 0xA9 {
				continue
			}
			dst = append(dst, raw[done:i]...)
			dst = appendLineEscape(dst, raw[i+2])
			i += 2
			done = i + 1
		}
	}
	return append(dst, raw[done:]...)
}
