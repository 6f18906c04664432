package wire

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestAppendString(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{``, `""`},
		{`plain text, 100 % of it: ~!@#$^*()_+-=[]{}|;'/?.,`, `"plain text, 100 % of it: ~!@#$^*()_+-=[]{}|;'/?.,"`},
		{`"\`, `"\"\\"`},
		{"\b\f\n\r\t", `"\b\f\n\r\t"`},
		{"\x00\x01\x1f\x7f", "\"\\u0000\\u0001\\u001f\x7f\""},
		{`<a href="x">&</a>`, `"\u003ca href=\"x\"\u003e\u0026\u003c/a\u003e"`},
		{"\u2027\u2028\u2029\u202a", "\"\u2027\\u2028\\u2029\u202a\""},
		{"é漢😀\u00ad\ufffd", "\"é漢😀\u00ad\ufffd\""},
		{"a\xffb\xc3", "\"a\ufffdb\ufffd\""},
		{"\xe2\x80", "\"\ufffd\ufffd\""},
		{"\xed\xa0\x80", "\"\ufffd\ufffd\ufffd\""},
	} {
		if got := string(appendString(nil, test.in)); got != test.want {
			t.Errorf("%q: got %s, want %s", test.in, got, test.want)
		}
	}
}

// Every character comes back as it was.
func TestAppendStringRoundTrip(t *testing.T) {
	var all strings.Builder
	for r := range rune(0x3000) {
		all.WriteRune(r)
	}
	all.WriteString("\ufeff\uffff\U0001F600\U0010FFFF")
	out := appendString(nil, all.String())
	var back string
	if err := json.Unmarshal(out, &back); err != nil {
		t.Fatal(err)
	}
	if back != all.String() {
		t.Error("the text has changed")
	}
	if strings.ContainsAny(string(out), "<>&\u2028\u2029") {
		t.Error("the output is not safe in HTML")
	}
}

func TestAppendRaw(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{``, `null`},
		{`0`, `0`},
		{`{"a": [1, "é"]}`, `{"a": [1, "é"]}`},
		{`"<>&"`, `"\u003c\u003e\u0026"`},
		{`{"<":">"}`, `{"\u003c":"\u003e"}`},
		{`"\u003c\\&"`, `"\u003c\\\u0026"`},
		{"\"\u2027\u2028x\u2029\u202a\"", "\"\u2027\\u2028x\\u2029\u202a\""},
		{"\"“quotes” — and € and ≤\"", "\"“quotes” — and € and ≤\""},
		{"\"\xe2\xe2\x80\xa8\"", "\"\xe2\\u2028\""},
		{"\xe2", "\xe2"},
		{"\xe2\x80", "\xe2\x80"},
		{"<", `\u003c`},
	} {
		if got := string(appendRaw([]byte("x"), []byte(test.in))); got != "x"+test.want {
			t.Errorf("%q: got %s, want x%s", test.in, got, test.want)
		}
	}
}

// Data in which everything has to be escaped takes time that grows with its
// length, not with its square: 16 times the length in (much) less than 256
// times the time.
func TestAppendRawIsLinear(t *testing.T) {
	measure := func(n int) time.Duration {
		raw := []byte(`"` + strings.Repeat("<\u2028", n) + `"`)
		dst := make([]byte, 0, 6*len(raw))
		best := time.Hour
		for range 5 {
			start := time.Now()
			dst = appendRaw(dst[:0], raw)
			best = min(best, time.Since(start))
		}
		return best
	}
	small, large := measure(8<<10), measure(128<<10)
	if large > 100*small {
		t.Errorf("32 KiB take %v, 512 KiB take %v", small, large)
	}
}
