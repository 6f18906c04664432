package validate

import (
	"bytes"
	"unicode/utf8"
)

// rewriter replaces characters inside the strings of a JSON value. It needs
// no parser: what it looks for occurs nowhere else in valid JSON.
type rewriter struct {
	// next returns the offset of the first byte from data[i] on at which an
	// escape, or a character that might be replaced, begins.
	next func(data []byte, i int) int
	// replace returns what is to stand in the place of r, as JSON text, and
	// whether r is to be replaced at all.
	replace func(r rune) (string, bool)
}

// rewrite returns data, or a rewritten copy.
func (w rewriter) rewrite(data []byte) []byte {
	for i := w.next(data, 0); i < len(data); i = w.next(data, i) {
		r, n := character(data, i)
		if _, ok := w.replace(r); ok {
			return w.rewritten(data)
		}
		i += n
	}
	return data
}

// rewritten is the copy. In one that is made at all, halves of characters and
// escapes become U+FFFD and an escaped backslash, so that leaving out what
// stands between two of them cannot make a whole.
func (w rewriter) rewritten(data []byte) []byte {
	if !utf8.Valid(data) {
		data = bytes.ToValidUTF8(data, []byte("\uFFFD"))
	}
	out := make([]byte, 0, len(data))
	kept := 0
	for i := w.next(data, 0); i < len(data); i = w.next(data, i) {
		r, n := character(data, i)
		with, ok := w.replace(r)
		if !ok && r == utf8.RuneError && data[i] == '\\' {
			switch n {
			case 1:
				with, ok = `\\`, true
			case 6:
				with, ok = `\ufffd`, true
			}
		}
		if ok {
			out = append(append(out, data[kept:i]...), with...)
			kept = i + n
		}
		i += n
	}
	return append(out, data[kept:]...)
}

// character returns the character at data[i], escaped or not, and its length
// in bytes. It is U+FFFD for what is none.
func character(data []byte, i int) (rune, int) {
	switch c := data[i]; {
	case c == '\\':
		return escapedRune(data, i)
	case c < utf8.RuneSelf:
		return rune(c), 1
	}
	return utf8.DecodeRune(data[i:])
}
