package validate

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestDisplayName(t *testing.T) {
	tests := []struct{ in, want, code string }{
		{in: "Ada", want: "Ada"},
		{in: "Ada Lovelace", want: "Ada Lovelace"},
		{in: "李小龍", want: "李小龍"},
		{in: "Nguyễn Thị Ánh", want: "Nguyễn Thị Ánh"},
		{in: "שָׁלוֹם", want: "שָׁלוֹם"},
		{in: "🦊 fox", want: "🦊 fox"},
		{in: strings.Repeat("é", 64), want: strings.Repeat("é", 64)},

		// White space.
		{in: "  Ada  ", want: "Ada"},
		{in: "Ada \t\n Lovelace", want: "Ada Lovelace"},
		{in: "Ada\u00a0\u2003\u3000Lovelace\u2028", want: "Ada Lovelace"},

		// What is not seen.
		{in: "Ada\u202e", want: "Ada"},
		{in: "\u2066Ada\u2069", want: "Ada"},
		{in: "A\u200bd\u200da\ufeff\u00ad", want: "Ada"},
		{in: "Ada\x00\x1b\x7f\u009b", want: "Ada"},
		{in: "Ada\ufe0f\U000e0100\u034f\u3164\u115f\u2800", want: "Ada"},
		{in: "Ada\U000e0041\U000e007f", want: "Ada"},

		// Nothing left.
		{in: "", code: CodeBadRequest},
		{in: " \t ", code: CodeBadRequest},
		{in: "\u200b\u3164", code: CodeBadRequest},

		// Too much, or not showable.
		{in: strings.Repeat("é", 65), code: CodeTooLarge},
		{in: strings.Repeat("x", 65), code: CodeTooLarge},
		{in: "a\xffb", code: CodeInvalidUTF8},
		{in: "\xed\xa0\x80", code: CodeInvalidUTF8},
		{in: "a\ue000", code: CodeBadRequest},
		{in: "a\u0378", code: CodeBadRequest},
		{in: "\u0301a", code: CodeBadRequest},
		{in: "a \u0301", code: CodeBadRequest},
		{in: "a" + strings.Repeat("\u0301", 4), want: "a" + strings.Repeat("\u0301", 4)},
		{in: "a" + strings.Repeat("\u0301", 5), code: CodeBadRequest},
	}
	for _, test := range tests {
		got, e := DisplayName(test.in)
		code := ""
		if e != nil {
			code = e.Code
			if e.Path != "name" {
				t.Errorf("%q: path %q", test.in, e.Path)
			}
		}
		if got != test.want || code != test.code {
			t.Errorf("DisplayName(%q) = %q, %v, want %q, %q", test.in, got, e, test.want, test.code)
		}
		checkName(t, test.in)
	}
}

// Sixty-four counts what is left.
func TestDisplayNameCountsAfterCleaning(t *testing.T) {
	in := strings.Repeat("x\u200b", 64) + "   "
	if got, e := DisplayName(in); e != nil || got != strings.Repeat("x", 64) {
		t.Errorf("%q, %v", got, e)
	}
}

func TestTextLines(t *testing.T) {
	tests := []struct{ in, want string }{
		{"one\ntwo", "one\ntwo"},
		{"one\r\ntwo\rthree", "one\ntwo\nthree"},
		{"one \t\n  two", "one\ntwo"},
		{"one\n\n\n\ntwo\n", "one\n\ntwo"},
		{"\n\none", "one"},
		{"one\u2028two\u2029three\u0085four", "one\ntwo\nthree\nfour"},
	}
	for _, test := range tests {
		got, e := Text{Lines: true}.Clean("note", test.in)
		if e != nil || got != test.want {
			t.Errorf("%q: %q, %v, want %q", test.in, got, e, test.want)
		}
		checkLines(t, test.in)
	}
}

func TestTextBounds(t *testing.T) {
	rule := Text{MinChars: 2, MaxChars: 3}
	for in, code := range map[string]string{
		"":      CodeBadRequest,
		"a":     CodeBadRequest,
		"é":     CodeBadRequest,
		"ab":    "",
		"éèê":   "",
		"abcd":  CodeTooLarge,
		" abc ": "",
	} {
		_, e := rule.Clean("reason", in)
		if code == "" && e != nil || code != "" && (e == nil || e.Code != code || e.Path != "reason") {
			t.Errorf("%q: %v, want %q", in, e, code)
		}
	}
	if got, e := (Text{}).Clean("reason", ""); got != "" || e != nil {
		t.Errorf("an empty text where none is needed: %q, %v", got, e)
	}
	if _, e := (Text{}).Clean("reason", strings.Repeat("x", 1_000)); e != nil {
		t.Errorf("1,000 characters: %v", e)
	}
	if _, e := (Text{}).Clean("reason", strings.Repeat("x", 1_001)); e == nil || e.Code != CodeTooLarge {
		t.Errorf("1,001 characters: %v", e)
	}
	if _, e := (Text{MaxChars: Unlimited}).Clean("reason", strings.Repeat("x", 100_000)); e != nil {
		t.Errorf("unlimited: %v", e)
	}
}

// checkName checks what holds for the display name made of any string.
func checkName(t *testing.T, in string) {
	t.Helper()
	got, e := DisplayName(in)
	if e != nil {
		if got != "" || e.Code == "" || e.Message == "" {
			t.Errorf("%q: %q, %#v", in, got, e)
		}
		return
	}
	if again, e := DisplayName(got); e != nil || again != got {
		t.Errorf("%q: %q becomes %q, %v", in, got, again, e)
	}
	if n := utf8.RuneCountInString(got); n < 1 || n > 64 || !utf8.ValidString(got) {
		t.Errorf("%q: %q has %d characters", in, got, n)
	}
	if strings.TrimSpace(got) != got || strings.Contains(got, "  ") {
		t.Errorf("%q: %q has loose white space", in, got)
	}
	for _, r := range got {
		if r != ' ' && unicode.IsSpace(r) || !unicode.IsGraphic(r) || control(r) ||
			unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			t.Errorf("%q: %q has %U", in, got, r)
		}
	}
}

// checkLines does so for text with line breaks.
func checkLines(t *testing.T, in string) {
	t.Helper()
	rule := Text{Lines: true}
	got, e := rule.Clean("note", in)
	if e != nil {
		return
	}
	if again, e := rule.Clean("note", got); e != nil || again != got {
		t.Errorf("%q: %q becomes %q, %v", in, got, again, e)
	}
	if strings.ContainsAny(got, "\r\t\v\f") || strings.Contains(got, "\n\n\n") {
		t.Errorf("%q: %q", in, got)
	}
}
