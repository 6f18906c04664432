package validate

// EscapeHTML is a Sanitizer that replaces < > & " and ' by their HTML
// character references, however they are written in the JSON. The strings can
// then be put into HTML text and quoted attributes as they are, and show what
// was typed. It is for pages that cannot escape by themselves: a page that
// does, as every page should, would show the references. It is not idempotent
// and it leaves control characters alone: Chain(Controls, EscapeHTML).
func EscapeHTML(data []byte) []byte {
	return rewriter{nextHTML, htmlReference}.rewrite(data)
}

// nextHTML finds escapes and HTML's special characters. A quotation mark is
// only ever inside a string as an escape.
func nextHTML(data []byte, i int) int {
	for ; i < len(data); i++ {
		switch data[i] {
		case '\\', '<', '>', '&', '\'':
			return i
		}
	}
	return i
}

// The references for quotes are numeric because &apos; is unknown to HTML 4.
func htmlReference(r rune) (string, bool) {
	switch r {
	case '<':
		return "&lt;", true
	case '>':
		return "&gt;", true
	case '&':
		return "&amp;", true
	case '"':
		return "&#34;", true
	case '\'':
		return "&#39;", true
	}
	return "", false
}
