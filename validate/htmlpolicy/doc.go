// Package htmlpolicy lets users write some HTML: a sanitiser for the data of
// wardroom messages that keeps an allow-list of elements and attributes, on
// github.com/microcosm-cc/bluemonday. It is a module of its own, so that
// programs without it do not compile an HTML tokenizer.
//
//	rules := validate.Rules{Sanitize: htmlpolicy.New(htmlpolicy.Chat())}
//
// With it every string of a message is HTML and no longer plain text: "a & b"
// becomes "a &amp; b". So it belongs to events whose page puts the strings
// into the document as HTML. Where a page shows text, let it escape, and use
// no sanitiser but the default.
//
// The policy decides element by element and does not balance them: text may
// end with an element open, or close one it did not open. Give each text an
// element of its own and set its innerHTML, which keeps both inside.
package htmlpolicy
