package validate

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// anything lets everything through that is JSON by the strict rules.
func anything() Limits {
	return Limits{
		TextChars: Unlimited, JSONBytes: Unlimited, BinaryBytes: Unlimited,
		Depth: Unlimited, Elements: Unlimited, Keys: Unlimited,
		AllowUnsafeNumbers: true,
	}
}

func nested(depth int) string {
	return strings.Repeat("[", depth) + strings.Repeat("]", depth)
}

func nestedObjects(depth int) string {
	return strings.Repeat(`{"k":`, depth) + "1" + strings.Repeat("}", depth)
}

func array(n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat("0,", n), ",") + "]"
}

func object(n int) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"key%d":%d`, i, i)
	}
	b.WriteByte('}')
	return b.String()
}

func text(n int) string { return `"` + strings.Repeat("x", n) + `"` }

func TestJSON(t *testing.T) {
	tests := []struct{ in, code, path string }{
		// Valid.
		{in: `null`},
		{in: `true`},
		{in: `false`},
		{in: `0`},
		{in: `-0`},
		{in: `12.50`},
		{in: `-1.5e+10`},
		{in: `1E-7`},
		{in: `0e0`},
		{in: `""`},
		{in: `"plain"`},
		{in: `"é ∑ 🦊"`},
		{in: `"\"\\\/\b\f\n\r\t\u00e9\uD83E\udd8a"`},
		{in: `[]`},
		{in: `{}`},
		{in: `[[],{},[{}]]`},
		{in: `{"":{"":[]}}`},
		{in: " \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : null } \n"},
		{in: ` "x" `},
		{in: ` 1 `},
		{in: `{"a":1,"A":1,"á":1,"a ":1}`},
		{in: `[{"a":1},{"a":1}]`},
		{in: `{"a":{"a":{"a":1}}}`},
		{in: `{"a":{"b":1,"c":2},"b":1,"c":2}`},

		// No JSON.
		{in: ``, code: CodeInvalidJSON, path: "data"},
		{in: ` `, code: CodeInvalidJSON, path: "data"},
		{in: `nul`, code: CodeInvalidJSON, path: "data"},
		{in: `nulll`, code: CodeInvalidJSON, path: "data"},
		{in: `True`, code: CodeInvalidJSON, path: "data"},
		{in: `1 2`, code: CodeInvalidJSON, path: "data"},
		{in: `{} {}`, code: CodeInvalidJSON, path: "data"},
		{in: `01`, code: CodeInvalidJSON, path: "data"},
		{in: `-`, code: CodeInvalidJSON, path: "data"},
		{in: `+1`, code: CodeInvalidJSON, path: "data"},
		{in: `1.`, code: CodeInvalidJSON, path: "data"},
		{in: `.5`, code: CodeInvalidJSON, path: "data"},
		{in: `1e`, code: CodeInvalidJSON, path: "data"},
		{in: `1e+`, code: CodeInvalidJSON, path: "data"},
		{in: `0x10`, code: CodeInvalidJSON, path: "data"},
		{in: `NaN`, code: CodeInvalidJSON, path: "data"},
		{in: `"`, code: CodeInvalidJSON, path: "data"},
		{in: `"abc`, code: CodeInvalidJSON, path: "data"},
		{in: `"abc\`, code: CodeInvalidJSON, path: "data"},
		{in: `"\x"`, code: CodeInvalidJSON, path: "data"},
		{in: `"\u12"`, code: CodeInvalidJSON, path: "data"},
		{in: `"\u12g4"`, code: CodeInvalidJSON, path: "data"},
		{in: "\"a\nb\"", code: CodeInvalidJSON, path: "data"},
		{in: "\"a\x00b\"", code: CodeInvalidJSON, path: "data"},
		{in: `'a'`, code: CodeInvalidJSON, path: "data"},
		{in: "\ufeff1", code: CodeInvalidJSON, path: "data"},
		{in: "\u00a01", code: CodeInvalidJSON, path: "data"},
		{in: `[`, code: CodeInvalidJSON, path: "data[0]"},
		{in: `]`, code: CodeInvalidJSON, path: "data"},
		{in: `[1`, code: CodeInvalidJSON, path: "data[0]"},
		{in: `[1,`, code: CodeInvalidJSON, path: "data[1]"},
		{in: `[1,]`, code: CodeInvalidJSON, path: "data[1]"},
		{in: `[,1]`, code: CodeInvalidJSON, path: "data[0]"},
		{in: `[1}`, code: CodeInvalidJSON, path: "data[0]"},
		{in: `[1 2]`, code: CodeInvalidJSON, path: "data[0]"},
		{in: `{`, code: CodeInvalidJSON, path: "data"},
		{in: `{]`, code: CodeInvalidJSON, path: "data"},
		{in: `{"a"`, code: CodeInvalidJSON, path: "data.a"},
		{in: `{"a":`, code: CodeInvalidJSON, path: "data.a"},
		{in: `{"a":}`, code: CodeInvalidJSON, path: "data.a"},
		{in: `{"a" 1}`, code: CodeInvalidJSON, path: "data.a"},
		{in: `{"a":1`, code: CodeInvalidJSON, path: "data.a"},
		{in: `{"a":1,`, code: CodeInvalidJSON, path: "data"},
		{in: `{"a":1,}`, code: CodeInvalidJSON, path: "data"},
		{in: `{"a":1]`, code: CodeInvalidJSON, path: "data.a"},
		{in: `{a:1}`, code: CodeInvalidJSON, path: "data"},
		{in: `{1:1}`, code: CodeInvalidJSON, path: "data"},
		{in: `{"a":1 "b":2}`, code: CodeInvalidJSON, path: "data.a"},
		{in: `{"a":[1,{"b":tru}]}`, code: CodeInvalidJSON, path: "data.a[1].b"},
		{in: `[1]]`, code: CodeInvalidJSON, path: "data"},

		// UTF-8.
		{in: "\"\xff\"", code: CodeInvalidUTF8, path: "data"},
		{in: "\"\xc0\xaf\"", code: CodeInvalidUTF8, path: "data"},
		{in: "\"\xe0\x80\xaf\"", code: CodeInvalidUTF8, path: "data"},
		{in: "\"\xed\xa0\x80\"", code: CodeInvalidUTF8, path: "data"},
		{in: "\"\xf4\x90\x80\x80\"", code: CodeInvalidUTF8, path: "data"},
		{in: "\"\xe2\x82\"", code: CodeInvalidUTF8, path: "data"},
		{in: "[\"ok\",\"\x80\"]", code: CodeInvalidUTF8, path: "data[1]"},
		{in: "{\"a\":{\"\xff\":1}}", code: CodeInvalidUTF8, path: "data.a"},
		{in: `"\ud800"`, code: CodeInvalidUTF8, path: "data"},
		{in: `"\udc00"`, code: CodeInvalidUTF8, path: "data"},
		{in: `"\ud800\ud800"`, code: CodeInvalidUTF8, path: "data"},
		{in: `"\ud800x"`, code: CodeInvalidUTF8, path: "data"},
		{in: `"\ud800\n"`, code: CodeInvalidUTF8, path: "data"},
		{in: `"\ud800\u12"`, code: CodeInvalidJSON, path: "data"},
		{in: `{"a":"\ud83e"}`, code: CodeInvalidUTF8, path: "data.a"},

		// Equal keys.
		{in: `{"a":1,"a":2}`, code: CodeDuplicateKey, path: "data.a"},
		{in: `{"a":1,"\u0061":2}`, code: CodeDuplicateKey, path: "data.*"},
		{in: `{"\u0061":1,"a":2}`, code: CodeDuplicateKey, path: "data.a"},
		{in: `{"\/":1,"/":2}`, code: CodeDuplicateKey, path: "data.*"},
		{in: `{"🦊":1,"\ud83e\udd8a":2}`, code: CodeDuplicateKey, path: "data.*"},
		{in: `{"":1,"b":2,"":3}`, code: CodeDuplicateKey, path: "data.*"},
		{in: `{"a":{"x":1},"b":[{"x":1,"y":{"x":2},"x":3}]}`, code: CodeDuplicateKey, path: "data.b[0].x"},
		{in: `{"a":{"\u0078":1,"\u0079":{"\u007a":1}},"\u0062":1,"c":{},"b":2}`, code: CodeDuplicateKey, path: "data.b"},

		// Numbers.
		{in: `9007199254740991`},
		{in: `-9007199254740991`},
		{in: `9007199254740992`, code: CodeBadRequest, path: "data"},
		{in: `-9007199254740992`, code: CodeBadRequest, path: "data"},
		{in: `10000000000000000`, code: CodeBadRequest, path: "data"},
		{in: `{"a":[0,18446744073709551616]}`, code: CodeBadRequest, path: "data.a[1]"},
		{in: `9007199254740992.5`},
		{in: `1e300`},
		{in: `1.7976931348623157e308`},
		{in: `1.7976931348623159e308`, code: CodeBadRequest, path: "data"},
		{in: `-1e309`, code: CodeBadRequest, path: "data"},
		{in: `1e99999999999999999999`, code: CodeBadRequest, path: "data"},
		{in: `1e-99999999999999999999`},
		{in: `0e99999999999999999999`},
		{in: `0.000e999999`},
		{in: `1` + strings.Repeat("0", 400) + `.0`, code: CodeBadRequest, path: "data"},
		{in: `1` + strings.Repeat("0", 400) + `e-399`},
		{in: `0.` + strings.Repeat("0", 400) + `1e700`},
		{in: `0.` + strings.Repeat("0", 400) + `1e800`, code: CodeBadRequest, path: "data"},
	}
	for _, test := range tests {
		want := test.code
		if e := DefaultLimits().JSON([]byte(test.in)); want == "" && e != nil ||
			want != "" && (e == nil || e.Code != want || e.Path != test.path || e.Message == "") {
			t.Errorf("%.60q: %v, want %q at %q", test.in, e, want, test.path)
		}
		if e := anything().JSON([]byte(test.in)); (e == nil) != (want == "" || want == CodeBadRequest) {
			t.Errorf("%.60q without limits: %v", test.in, e)
		}
	}
}

// Each default is tried on both sides.
func TestJSONLimits(t *testing.T) {
	tests := []struct {
		name, in, code, path string
	}{
		{name: "text", in: text(1_000)},
		{name: "text", in: text(1_001), code: CodeTooLarge, path: "data"},
		{name: "wide text", in: `"` + strings.Repeat("🦊", 1_000) + `"`},
		{name: "wide text", in: `"` + strings.Repeat("🦊", 1_001) + `"`, code: CodeTooLarge, path: "data"},
		{name: "two-byte text", in: `"` + strings.Repeat("é", 1_000) + `"`},
		{name: "two-byte text", in: `"` + strings.Repeat("é", 1_001) + `"`, code: CodeTooLarge, path: "data"},
		{name: "three-byte text", in: `"` + strings.Repeat("語", 1_000) + `"`},
		{name: "three-byte text", in: `"` + strings.Repeat("語", 1_001) + `"`, code: CodeTooLarge, path: "data"},
		{name: "escaped text", in: `"` + strings.Repeat(`\u00e9`, 1_000) + `"`},
		{name: "escaped text", in: `"` + strings.Repeat(`\n`, 1_001) + `"`, code: CodeTooLarge, path: "data"},
		{name: "surrogate pairs", in: `"` + strings.Repeat(`\ud83e\udd8a`, 1_000) + `"`},
		{name: "surrogate pairs", in: `"` + strings.Repeat(`\ud83e\udd8a`, 1_001) + `"`, code: CodeTooLarge, path: "data"},
		{name: "text inside", in: `[` + text(100_000) + `]`},
		{name: "bytes", in: `[` + text(512<<10-4) + `]`},
		{name: "bytes", in: `[` + text(512<<10-3) + `]`, code: CodeTooLarge, path: "data"},
		{name: "depth", in: nested(10)},
		{name: "depth", in: nested(11), code: CodeTooDeep, path: "data" + strings.Repeat("[0]", 10)},
		{name: "depth", in: nestedObjects(10)},
		{name: "depth", in: nestedObjects(11), code: CodeTooDeep, path: "data" + strings.Repeat(".k", 10)},
		{name: "depth does not add up", in: `[` + strings.Repeat(nested(9)+",", 50) + nested(9) + `]`},
		{name: "elements", in: array(1_000)},
		{name: "elements", in: array(1_001), code: CodeTooManyElements, path: "data[1000]"},
		{name: "elements inside", in: `{"items":` + array(1_001) + `}`, code: CodeTooManyElements, path: "data.items[1000]"},
		{name: "keys", in: object(100)},
		{name: "keys", in: object(101), code: CodeTooManyKeys, path: "data"},
		{name: "keys inside", in: `[0,{"o":` + object(101) + `}]`, code: CodeTooManyKeys, path: "data[1].o"},
	}
	for _, test := range tests {
		e := (Limits{}).JSON([]byte(test.in))
		if test.code == "" && e != nil || test.code != "" && (e == nil || e.Code != test.code || e.Path != test.path) {
			t.Errorf("%s: %.40s…: %v, want %q at %q", test.name, test.in, e, test.code, test.path)
		}
		if e := anything().JSON([]byte(test.in)); e != nil {
			t.Errorf("%s: %.40s… without limits: %v", test.name, test.in, e)
		}
	}
}

func TestJSONOwnLimits(t *testing.T) {
	tests := []struct {
		limits   Limits
		in, code string
	}{
		{Limits{TextChars: 2}, `"ab"`, ""},
		{Limits{TextChars: 2}, `"abc"`, CodeTooLarge},
		{Limits{JSONBytes: 3}, `123`, ""},
		{Limits{JSONBytes: 3}, `1234`, CodeTooLarge},
		{Limits{Depth: 1}, `[1]`, ""},
		{Limits{Depth: 1}, `[[]]`, CodeTooDeep},
		{Limits{Elements: 1}, `[1]`, ""},
		{Limits{Elements: 1}, `[1,2]`, CodeTooManyElements},
		{Limits{Keys: 1}, `{"a":1}`, ""},
		{Limits{Keys: 1}, `{"a":1,"b":2}`, CodeTooManyKeys},
		{Limits{Depth: Unlimited}, nested(MaxDepth), ""},
		{Limits{Depth: Unlimited}, nested(MaxDepth + 1), CodeTooDeep},
		{Limits{Depth: 1 << 30}, nested(MaxDepth + 1), CodeTooDeep},
		{Limits{ObjectOnly: true}, ` {"a":[1]}`, ""},
		{Limits{ObjectOnly: true}, `[]`, CodeBadRequest},
		{Limits{ObjectOnly: true}, `"x"`, CodeBadRequest},
		{Limits{ObjectOnly: true}, `null`, CodeBadRequest},
		{Limits{ObjectOnly: true}, `nul`, CodeInvalidJSON},
		{Limits{AllowUnsafeNumbers: true}, `[9007199254740992,1e999]`, ""},
	}
	for _, test := range tests {
		e := test.limits.JSON([]byte(test.in))
		if test.code == "" && e != nil || test.code != "" && (e == nil || e.Code != test.code) {
			t.Errorf("%+v: %.40s: %v, want %q", test.limits, test.in, e, test.code)
		}
	}
	if e := (Limits{Root: "reply"}).JSON([]byte(`{"a":nul}`)); e == nil || e.Path != "reply.a" {
		t.Errorf("Root: %v", e)
	}
	if (Limits{}).resolved() != DefaultLimits() {
		t.Error("the zero Limits are not the defaults")
	}
}

func TestMetaLimits(t *testing.T) {
	tests := []struct{ in, code, path string }{
		{in: `{"mood":"fine","device":{"os":"x"}}`},
		{in: `{"a":"` + strings.Repeat("x", 4<<10-8) + `"}`},
		{in: `{"a":"` + strings.Repeat("x", 4<<10-7) + `"}`, code: CodeTooLarge, path: "meta"},
		{in: nestedObjects(4)},
		{in: nestedObjects(5), code: CodeTooDeep, path: "meta.k.k.k.k"},
		{in: object(32)},
		{in: object(33), code: CodeTooManyKeys, path: "meta"},
		{in: `{"a":` + array(100) + `}`},
		{in: `{"a":` + array(101) + `}`, code: CodeTooManyElements, path: "meta.a[100]"},
		{in: `[]`, code: CodeBadRequest, path: "meta"},
		{in: `"x"`, code: CodeBadRequest, path: "meta"},
	}
	for _, test := range tests {
		e := MetaLimits().JSON([]byte(test.in))
		if test.code == "" && e != nil || test.code != "" && (e == nil || e.Code != test.code || e.Path != test.path) {
			t.Errorf("%.40s: %v, want %q at %q", test.in, e, test.code, test.path)
		}
	}
}

func TestBinary(t *testing.T) {
	if e := (Limits{}).Binary(make([]byte, 5<<20)); e != nil {
		t.Errorf("5 MiB: %v", e)
	}
	if e := (Limits{}).Binary(make([]byte, 5<<20+1)); e == nil || e.Code != CodeTooLarge || e.Path != "data" {
		t.Errorf("5 MiB and a byte: %v", e)
	}
	if e := (Limits{BinaryBytes: 2}).Binary([]byte{0xff, 0, 1}); e == nil || e.Code != CodeTooLarge {
		t.Errorf("3 bytes of 2: %v", e)
	}
	if e := (Limits{BinaryBytes: Unlimited}).Binary(make([]byte, 6<<20)); e != nil {
		t.Errorf("unlimited: %v", e)
	}
}

// An unusual message must not be remembered by the pool, or by the next one.
func TestJSONKeepsNothing(t *testing.T) {
	s := newScanner()
	limits := anything().resolved()
	for _, in := range []string{object(50_000), nested(9_000), `{"` + strings.Repeat(`\u0061`, 100_000) + `":1}`, `{"a":{"\u0062":{"c":`} {
		data := []byte(in)
		s.scan(&limits, data, 0)
		s.reset()
		if len(s.frames)+len(s.keys)+len(s.unescaped)+len(s.slots) != 0 {
			t.Errorf("%.20s…: the state is not empty", in)
		}
		if cap(s.frames) > 1_024 || cap(s.keys) > 1_024 || cap(s.unescaped) > 16<<10 || cap(s.slots) > 4<<10 {
			t.Errorf("%.20s…: kept %d frames, %d keys, %d bytes, %d slots", in, cap(s.frames), cap(s.keys), cap(s.unescaped), cap(s.slots))
		}
		if end, f := s.scan(&limits, []byte(`{"a":{"a":1},"b":2}`), 0); end != 19 || f != noFault {
			t.Errorf("after %.20s…: %d, %v", in, end, f)
		}
		s.reset()
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`null`, `"text"`, `[1,2.5e-3,"\u00e9"]`, `{"a":{"b":[{},[]]},"c":null}`,
		`{"a":1,"\u0061":2}`, `"\ud83e\udd8a\ud800"`, `9007199254740993`, `1e999`, `{"a":01}`,
		object(40), nested(12), "\"\xed\xa0\x80\"", `{"constructor":1}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		checkJSON(t, data)
	})
}

// checkJSON compares what this package says of data with what others say.
func checkJSON(t *testing.T, data []byte) {
	t.Helper()
	e := anything().JSON(data)
	strict := jsontext.Value(data).IsValid()
	if (e == nil) != strict {
		t.Errorf("%q: %v, but jsontext says %t", data, e, strict)
	}
	// encoding/json lets equal keys and broken UTF-8 pass, and nothing else.
	loose := json.Valid(data)
	if e == nil && !loose {
		t.Errorf("%q is accepted, but not by encoding/json", data)
	}
	if loose && e != nil && e.Code != CodeDuplicateKey && e.Code != CodeInvalidUTF8 {
		t.Errorf("%q: %v, but encoding/json accepts it", data, e)
	}

	d := DefaultLimits().JSON(data)
	if d == nil && e != nil {
		t.Errorf("%q: only without limits: %v", data, e)
	}
	if e == nil {
		checkLimits(t, data, d)
	}
	for _, e := range []*Error{e, d, MetaLimits().JSON(data)} {
		if e == nil {
			continue
		}
		if e.Code == "" || e.Message == "" || len(e.Path) > maxPathLen+maxPathKey+16 {
			t.Errorf("%q: %#v", data, e)
		}
	}
}

// checkLimits compares the verdict on valid JSON with one found by building
// the value.
func checkLimits(t *testing.T, data []byte, got *Error) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%q: %v", data, err)
	}
	if want := broken(v, 0); (got != nil) != want {
		t.Errorf("%q: %v, want a refusal: %t", data, got, want)
	}
}

func broken(v any, depth int) bool {
	switch v := v.(type) {
	case string:
		return depth == 0 && len([]rune(v)) > 1_000
	case json.Number:
		if f, err := v.Float64(); err != nil {
			return true
		} else if strings.ContainsAny(v.String(), ".eE") {
			return false
		} else if f > 1<<60 || f < -1<<60 {
			return true
		}
		n, err := v.Int64()
		return err != nil || n > MaxSafeInteger || n < -MaxSafeInteger
	case []any:
		if depth >= 10 || len(v) > 1_000 {
			return true
		}
		for _, v := range v {
			if broken(v, depth+1) {
				return true
			}
		}
	case map[string]any:
		if depth >= 10 || len(v) > 100 {
			return true
		}
		for _, v := range v {
			if broken(v, depth+1) {
				return true
			}
		}
	}
	return false
}
