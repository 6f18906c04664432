package htmlpolicy

import (
	"strings"

	"github.com/microcosm-cc/bluemonday"

	"github.com/wardroom/wardroom/validate"
)

// New returns a Sanitizer that applies policy to each string of a JSON value,
// keys included, and then removes control and bidirectional characters as
// [validate.Controls] does: HTML can write those as character references,
// which only the policy resolves. A nil policy is [Chat].
//
// policy must not be changed afterwards; then the Sanitizer is safe for
// concurrent use.
func New(policy *bluemonday.Policy) validate.Sanitizer {
	if policy == nil {
		policy = Chat()
	}
	return validate.Chain(
		validate.Strings(func(s string) string {
			if plain(s) {
				return s
			}
			return policy.Sanitize(s)
		}),
		validate.Controls,
	)
}

// plain reports whether s is HTML that every policy leaves as it is: text
// without any character that HTML writes or reads in another way.
func plain(s string) bool {
	return !strings.ContainsAny(s, "<>&\"'\r\x00")
}

// Chat returns a new policy for what people say to each other: paragraphs and
// line breaks, emphasis, code, quotations, lists, and links to http, https
// and mailto addresses that are spelled out. A page opens in a new tab and is
// told nothing about the one that linked to it. There are no images or other
// media, which would show their host the address of every reader, no styles,
// classes or identifiers, and nothing that runs.
func Chat() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements(
		"p", "br",
		"b", "strong", "i", "em", "u", "s", "del", "sub", "sup",
		"code", "pre", "kbd", "blockquote",
		"ul", "ol", "li",
	)
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("http", "https", "mailto")
	p.RequireParseableURLs(true)
	p.AllowRelativeURLs(false)
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	p.AddTargetBlankToFullyQualifiedLinks(true)
	return p
}
