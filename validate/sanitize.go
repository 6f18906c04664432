package validate

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// A Sanitizer rewrites the strings inside a raw JSON value, its keys
// included, and leaves everything else byte for byte as it is.
//
// It never writes to data. It returns data itself, without allocating, when
// there is nothing to change, and a new slice otherwise; the first byte of
// the result tells the two apart. It must be safe for concurrent use.
//
// data is a value that [Limits.JSON] accepted. With any other input the
// sanitisers of this package do not panic, and promise no more.
type Sanitizer func(data []byte) []byte

// Chain returns a Sanitizer that applies each of sanitizers to the result of
// the one before. Nil ones are left out.
func Chain(sanitizers ...Sanitizer) Sanitizer {
	all := slices.DeleteFunc(slices.Clone(sanitizers), func(s Sanitizer) bool { return s == nil })
	return func(data []byte) []byte {
		for _, s := range all {
			data = s(data)
		}
		return data
	}
}

// Sanitize is the Sanitizer for message data where a host names no other. It
// is [Controls].
func Sanitize(data []byte) []byte { return Controls(data) }

// AllowControls is a Sanitizer that changes nothing. With it the control and
// bidirectional characters of a message reach everyone who reads it.
func AllowControls(data []byte) []byte { return data }

// Controls is a Sanitizer that removes the characters that are not text but
// change how text is shown: the C0 and C1 control characters (U+0000 to
// U+001F and U+007F to U+009F) except line feed and tab, and the
// bidirectional controls (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to
// U+2069; Unicode Standard Annex #9). It finds them both as they are and as
// escapes ("\u202e").
//
// Zero-width characters stay, because emoji and several scripts need them.
// Applying Controls twice is applying it once.
func Controls(data []byte) []byte {
	return rewriter{nextControl, func(r rune) (string, bool) { return "", control(r) }}.rewrite(data)
}

func control(r rune) bool {
	switch {
	case r < ' ':
		return r != '\n' && r != '\t'
	case r < 0x7F:
		return false
	case r <= 0x9F:
		return true
	}
	return bidiControl(r)
}

// bidiControl reports the Unicode property Bidi_Control.
func bidiControl(r rune) bool {
	switch {
	case r == 0x061C, r == 0x200E, r == 0x200F, 0x202A <= r && r <= 0x202E, 0x2066 <= r && r <= 0x2069:
		return true
	}
	return false
}

// nextControl finds what Controls must look at: escapes, and the bytes that
// are or begin a character that it removes. Line feed, tab and carriage
// return are not among them, because as bytes they only ever stand between
// tokens.
func nextControl(data []byte, i int) int {
	for i < len(data) {
		// Most text has nothing of interest for long stretches; specials
		// explains the arithmetic. Adding one finds U+007F.
		if i+8 <= len(data) {
			w := binary.LittleEndian.Uint64(data[i:])
			special := ((w - ' '*ones) | ((w ^ '\\'*ones) - ones) | (w + ones) | w) & highs
			if special == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(special) / 8
		}
		switch c := data[i]; {
		case c == '\\', c == 0x7F, c == 0xC2, c == 0xD8, c == 0xE2:
			return i
		case c < ' ' && c != '\n' && c != '\t' && c != '\r':
			return i
		}
		i++
	}
	return i
}
