package validate

import (
	"bytes"
	"unicode/utf8"
)

// Strings returns a Sanitizer that hands each string of a value, keys
// included, to f without its quotes and escapes, and writes what f returns in
// its place. Strings that f returns as they were keep their bytes. What
// changed is written so that it is safe inside an HTML script element as
// well. f must be safe for concurrent use.
func Strings(f func(string) string) Sanitizer {
	return func(data []byte) []byte {
		var out []byte
		kept := 0
		for i := 0; ; {
			quote := bytes.IndexByte(data[i:], '"')
			if quote < 0 {
				break
			}
			start := i + quote
			end, escaped, _, fault := scanString(data, start+1)
			if fault != noFault {
				break
			}
			raw := data[start+1 : end-1]
			if escaped {
				raw = unescape(nil, raw)
			}
			before := string(raw)
			if after := f(before); after != before {
				out = append(out, data[kept:start]...)
				out = appendQuoted(out, after)
				kept = end
			}
			i = end
		}
		if kept == 0 {
			return data
		}
		return append(out, data[kept:]...)
	}
}

// appendQuoted appends s as a JSON string. What would end a script element or
// a line of JavaScript is escaped, as encoding/json does it.
func appendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ' || r == 0x7F || r == '<' || r == '>' || r == '&' || r == 0x2028 || r == 0x2029:
			dst = append(dst, '\\', 'u', hex[r>>12], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
