package validate

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

func TestControls(t *testing.T) {
	tests := []struct{ in, want string }{
		{`"plain"`, `"plain"`},
		{`"é ’ ∑ 🦊 שלום"`, `"é ’ ∑ 🦊 שלום"`},
		{`"a\nb\tc"`, `"a\nb\tc"`},
		{`"a\u000ab\u0009c"`, `"a\u000ab\u0009c"`},
		{`"a\"b\\c\/d"`, `"a\"b\\c\/d"`},
		{`"a\u0000b"`, `"ab"`},
		{`"a\rb\bc\fd"`, `"abcd"`},
		{`"\u001B[31mred\u001b[0m"`, `"[31mred[0m"`},
		{"\"a\u007fb\"", `"ab"`},
		{"\"a\u0080b\u009fc\u00a0d\"", "\"abc\u00a0d\""},
		{"\"a\u202eb\u2066c\u2069d\u061ce\u200ef\u200fg\"", `"abcdefg"`},
		{`"a\u202Eb\u2066c\u2069d\u061Ce\u200ef\u200Fg"`, `"abcdefg"`},
		{"\"a\u200bb\u200dc\u2028d\u2065e\u206ae\"", "\"a\u200bb\u200dc\u2028d\u2065e\u206ae\""},
		{`"\\u202e"`, `"\\u202e"`},
		{`"\\\u202e"`, `"\\"`},
		{`"\ud83e\udd8a\u0000"`, `"\ud83e\udd8a"`},
		{"{\r\n\t\"a\" : \"x\"\r\n}", "{\r\n\t\"a\" : \"x\"\r\n}"},
		{"{\r\n\"a\":\"x\\u0000\"\r\n}", "{\r\n\"a\":\"x\"\r\n}"},
		{`{"k\u0000":["v\u202e",{"w":"\u0007"}]}`, `{"k":["v",{"w":""}]}`},
		{`[1.5e3,true,null]`, `[1.5e3,true,null]`},
		{``, ``},
	}
	for _, test := range tests {
		in := []byte(test.in)
		got := Controls(in)
		if string(got) != test.want {
			t.Errorf("%s: %s, want %s", test.in, got, test.want)
		}
		if test.in == test.want && !same(got, in) {
			t.Errorf("%s: a copy of what needs no change", test.in)
		}
		if string(in) != test.in {
			t.Errorf("%s: the input was changed", test.in)
		}
		if string(Sanitize(in)) != test.want {
			t.Errorf("Sanitize(%s) is not Controls", test.in)
		}
	}
}

// Exactly these code points go, raw and escaped.
func TestControlsCodePoints(t *testing.T) {
	for r := rune(0); r <= 0x10FFFF; r++ {
		if r >= 0xD800 && r <= 0xDFFF {
			continue
		}
		forbidden := r < 0x20 && r != '\n' && r != '\t' || r >= 0x7F && r <= 0x9F ||
			strings.ContainsRune("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", r)
		if control(r) != forbidden {
			t.Fatalf("control(%U) = %t", r, !forbidden)
		}
		if r < 0x20 || r == '"' || r == '\\' {
			continue
		}
		if in := []byte(`"` + string(r) + `"`); len(Controls(in)) == 2 != forbidden {
			t.Fatalf("%U: %s", r, Controls(in))
		}
		// At a place that moves through the words that are read at once.
		if r < 0x3000 {
			in := `"` + strings.Repeat("x", int(r%16)) + string(r) + strings.Repeat("y", 16) + `"`
			want := in
			if forbidden {
				want = strings.ReplaceAll(in, string(r), "")
			}
			if got := string(Controls([]byte(in))); got != want {
				t.Fatalf("%U: %q, want %q", r, got, want)
			}
		}
	}
}

// What is not JSON cannot be put together from halves by removing something.
func TestControlsMakesNothingWhole(t *testing.T) {
	for _, in := range []string{
		"\"\xe2\x80\x7f\xae\"",
		"\"\xe2\x7f\x80\xae\"",
		"\"\\\x7fu202e\"",
		"\"\\u20\x7f2e\"",
		"\"\\u\x1b202e\"",
		`"\ud83e` + "\x7f" + `\udd8a"`,
	} {
		out := Controls([]byte(in))
		again := Controls(out)
		if !bytes.Equal(again, out) {
			t.Errorf("%q becomes %q and that %q", in, out, again)
		}
		if s := unescape(nil, bytes.Trim(out, `"`)); bytes.ContainsRune(s, 0x202E) || bytes.ContainsRune(s, '🦊') {
			t.Errorf("%q becomes %q", in, out)
		}
	}
}

func TestEscapeHTML(t *testing.T) {
	tests := []struct{ in, want string }{
		{`"plain é 🦊 \n\\"`, `"plain é 🦊 \n\\"`},
		{`"<b class=\"x\">it's & so</b>"`, `"&lt;b class=&#34;x&#34;&gt;it&#39;s &amp; so&lt;/b&gt;"`},
		{`"\u003cscript\u003E\u0026\u0022\u0027"`, `"&lt;script&gt;&amp;&#34;&#39;"`},
		{`"\\u003c"`, `"\\u003c"`},
		{`"\\\u003c"`, `"\\&lt;"`},
		{`{"<k>":["&",1,{"a":">"}]}`, `{"&lt;k&gt;":["&amp;",1,{"a":"&gt;"}]}`},
		{`"&amp;"`, `"&amp;amp;"`},
		{`{"a":[1,true]}`, `{"a":[1,true]}`},
	}
	for _, test := range tests {
		in := []byte(test.in)
		got := EscapeHTML(in)
		if string(got) != test.want {
			t.Errorf("%s: %s, want %s", test.in, got, test.want)
		}
		if test.in == test.want && !same(got, in) {
			t.Errorf("%s: a copy of what needs no change", test.in)
		}
		if string(in) != test.in {
			t.Errorf("%s: the input was changed", test.in)
		}
	}
}

func TestStrings(t *testing.T) {
	upper := Strings(func(s string) string { return strings.ReplaceAll(s, "a", "\"\\<\u2028\x00\né🦊\xff") })
	const a = `\"\\\u003c\u2028\u0000\u000aé🦊` + "\ufffd"
	tests := []struct{ in, want string }{
		{`"x"`, `"x"`},
		{`"a"`, `"` + a + `"`},
		{`"\u0061"`, `"` + a + `"`},
		{`{"b\u0062":"x","a" : [1,"xa",null]} `, `{"b\u0062":"x","` + a + `" : [1,"x` + a + `",null]} `},
		{`[12,true]`, `[12,true]`},
		{``, ``},
		{`"a`, `"a`},
		{`["b","\x"]`, `["b","\x"]`},
	}
	for _, test := range tests {
		in := []byte(test.in)
		got := upper(in)
		if string(got) != test.want {
			t.Errorf("%s: %s, want %s", test.in, got, test.want)
		}
		if test.in == test.want && !same(got, in) {
			t.Errorf("%s: a copy of what needs no change", test.in)
		}
		if string(in) != test.in {
			t.Errorf("%s: the input was changed", test.in)
		}
	}
}

func TestChain(t *testing.T) {
	both := Chain(nil, Controls, EscapeHTML, nil)
	if got, want := string(both([]byte(`"<\u0000b>"`))), `"&lt;b&gt;"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	in := []byte(`"as it is"`)
	if !same(both(in), in) || !same(Chain()(in), in) || !same(AllowControls(in), in) {
		t.Error("a copy of what needs no change")
	}
	if in := []byte(`"\u202e"`); !same(AllowControls(in), in) {
		t.Error("AllowControls changes something")
	}
	// The chain is what it was when it was made.
	list := []Sanitizer{Controls, Controls}
	chain := Chain(list...)
	list[0], list[1] = EscapeHTML, EscapeHTML
	if got := string(chain([]byte(`"<"`))); got != `"<"` {
		t.Errorf("the chain changed with the slice: %s", got)
	}
}

func FuzzSanitize(f *testing.F) {
	for _, s := range []string{
		`"a\u202eb"`, "\"a\u202eb\u0085\"", `{"k\u0000":"<b>\"&'\u003c"}`, `"\ud83e\udd8a\r"`,
		"\"\xe2\x80\x7f\xae\"", "\"\\\x7fu202e\"", "[\"\\\\u202e\",\r\n\"\\\\\\u202e\"]", `"\ud83e` + "\x7f" + `\udd8a"`, `"\`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkSanitizer(t, "Controls", Controls, data, func(s string) string {
			return strings.Map(func(r rune) rune {
				if control(r) {
					return -1
				}
				return r
			}, s)
		})
		checkSanitizer(t, "EscapeHTML", EscapeHTML, data,
			strings.NewReplacer("<", "&lt;", ">", "&gt;", "&", "&amp;", `"`, "&#34;", "'", "&#39;").Replace)
		double := func(s string) string { return strings.ReplaceAll(s, "a", `a<"\`) }
		checkSanitizer(t, "Strings", Strings(double), data, double)

		out := Controls(data)
		if again := Controls(out); !bytes.Equal(again, out) {
			t.Errorf("%q: %q, and then %q", data, out, again)
		}
		if anything().JSON(out) == nil {
			for _, token := range tokens(t, out) {
				if i := strings.IndexFunc(token, control); i >= 0 {
					t.Errorf("%q: %q still has %q", data, out, token[i:])
				}
			}
		}
	})
}

// checkSanitizer compares a sanitiser with what it should do to each string.
func checkSanitizer(t *testing.T, name string, sanitize Sanitizer, data []byte, want func(string) string) {
	t.Helper()
	before := bytes.Clone(data)
	out := sanitize(data)
	if !bytes.Equal(data, before) {
		t.Fatalf("%s(%q) changed its input to %q", name, before, data)
	}
	if bytes.Equal(out, data) != same(out, data) {
		t.Errorf("%s(%q): a copy of what needs no change", name, data)
	}
	if anything().JSON(data) != nil {
		return
	}
	if e := anything().JSON(out); e != nil && e.Code != CodeDuplicateKey {
		t.Fatalf("%s(%q) = %q: %v", name, data, out, e)
	}
	in, got := tokens(t, data), tokens(t, out)
	if len(in) != len(got) {
		t.Fatalf("%s(%q) = %q", name, data, out)
	}
	for i := range in {
		if s, ok := strings.CutPrefix(in[i], `"`); ok {
			in[i] = `"` + want(s)
		}
		if in[i] != got[i] {
			t.Errorf("%s(%q) = %q: %q is not %q", name, data, out, got[i], in[i])
		}
	}
}

// tokens returns the tokens of a JSON value: strings unescaped and behind a
// quotation mark, everything else as it is.
func tokens(t *testing.T, data []byte) []string {
	t.Helper()
	var all []string
	dec := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true))
	for {
		token, err := dec.ReadToken()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		if token.Kind() == '"' {
			all = append(all, `"`+token.String())
		} else {
			all = append(all, token.String())
		}
	}
}
