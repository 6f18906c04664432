package validate

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// scanString reads a JSON string whose opening quote is at data[i-1] and
// returns the offset behind its closing quote, whether it has escapes, and
// its length in characters.
func scanString(data []byte, i int) (end int, escaped bool, chars int, f fault) {
	start := i
	// extra counts the bytes that add no character: continuation bytes, and
	// what an escape is longer than its character.
	extra := 0
	for {
		i = skipPlain(data, i)
		if i == len(data) {
			return i, escaped, 0, badSyntax
		}
		switch c := data[i]; {
		case c == '"':
			return i + 1, escaped, i - start - extra, noFault
		case c == '\\':
			escaped = true
			n, f := scanEscape(data, i)
			if f != noFault {
				return i, escaped, 0, f
			}
			i += n
			extra += n - 1
		case c < ' ':
			return i, escaped, 0, badSyntax
		default:
			n := runeLen(data[i:])
			if n == 0 {
				return i, escaped, 0, badUTF8
			}
			i += n
			extra += n - 1
		}
	}
}

// shortString is scanString for a string of at most seven plain characters,
// as most keys are. It returns -1 for any other.
func shortString(data []byte, i int) int {
	if i+8 > len(data) {
		return -1
	}
	s := specials(binary.LittleEndian.Uint64(data[i:]))
	end := i + bits.TrailingZeros64(s)/8
	if s == 0 || data[end] != '"' {
		return -1
	}
	return end + 1
}

// Eight bytes at a time, as one word.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// specials has the high bit set in the lowest byte of w that is a quote, a
// backslash, a control character or not ASCII, and is 0 when there is none.
// Subtracting borrows into the high bit of a byte that is less. A borrow out
// of a byte can set bits above it as well, so only the lowest says anything.
func specials(w uint64) uint64 {
	return ((w - ' '*ones) | ((w ^ '"'*ones) - ones) | ((w ^ '\\'*ones) - ones) | w) & highs
}

// skipPlain returns the offset of the first byte from data[i] on that is a
// quote, a backslash, a control character or not ASCII.
func skipPlain(data []byte, i int) int {
	for ; i+8 <= len(data); i += 8 {
		if s := specials(binary.LittleEndian.Uint64(data[i:])); s != 0 {
			return i + bits.TrailingZeros64(s)/8
		}
	}
	for i < len(data) {
		if c := data[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			break
		}
		i++
	}
	return i
}

// runeLen returns the length of the UTF-8 sequence that begins p, which does
// not begin with an ASCII character. It is 0 when the sequence is not valid.
func runeLen(p []byte) int {
	// The sequences of two bytes, and of three without the special cases of
	// overlong forms and surrogates, are quick to see.
	switch c := p[0]; {
	case 0xC2 <= c && c <= 0xDF && len(p) >= 2 && p[1]&0xC0 == 0x80:
		return 2
	case 0xE1 <= c && c <= 0xEC && len(p) >= 3 && p[1]&0xC0 == 0x80 && p[2]&0xC0 == 0x80:
		return 3
	}
	_, n := utf8.DecodeRune(p)
	if n == 1 {
		return 0
	}
	return n
}

// scanEscape returns the length of the escape at data[i], which is a
// backslash. A surrogate pair is one escape.
func scanEscape(data []byte, i int) (int, fault) {
	if i+1 == len(data) {
		return 0, badSyntax
	}
	switch data[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2, noFault
	case 'u':
	default:
		return 0, badSyntax
	}
	u := hex4(data, i+2)
	switch {
	case u < 0:
		return 0, badSyntax
	case u < 0xD800 || u > 0xDFFF:
		return 6, noFault
	case u >= 0xDC00:
		return 0, badUTF8
	}
	if i+7 >= len(data) || data[i+6] != '\\' || data[i+7] != 'u' {
		return 0, badUTF8
	}
	switch low := hex4(data, i+8); {
	case low < 0:
		return 0, badSyntax
	case low < 0xDC00 || low > 0xDFFF:
		return 0, badUTF8
	}
	return 12, noFault
}

// hex4 reads four hexadecimal digits, or returns -1.
func hex4(data []byte, i int) rune {
	if len(data)-i < 4 {
		return -1
	}
	var u rune
	for _, c := range data[i : i+4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = (c | 0x20) - 'a' + 10
		default:
			return -1
		}
		u = u<<4 | rune(c)
	}
	return u
}

// unescape appends to dst the characters of a string that scanString
// accepted, without its quotes.
func unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			dst = append(dst, raw[i])
			i++
			continue
		}
		r, n := escapedRune(raw, i)
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return dst
}

// escapedRune returns the character and the length of the escape at raw[i],
// a backslash. What is not a valid escape is U+FFFD: a lone surrogate for its
// six bytes, anything else for the backslash alone.
func escapedRune(raw []byte, i int) (rune, int) {
	n, f := scanEscape(raw, i)
	switch {
	case f == badUTF8:
		return utf8.RuneError, 6
	case f != noFault:
		return utf8.RuneError, 1
	}
	if n == 2 {
		switch c := raw[i+1]; c {
		case 'b':
			return '\b', n
		case 'f':
			return '\f', n
		case 'n':
			return '\n', n
		case 'r':
			return '\r', n
		case 't':
			return '\t', n
		default:
			return rune(c), n
		}
	}
	r := hex4(raw, i+2)
	if n == 12 {
		r = (r-0xD800)<<10 + (hex4(raw, i+8) - 0xDC00) + 0x10000
	}
	return r, n
}
