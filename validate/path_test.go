package validate

import (
	"strings"
	"testing"
)

func TestPath(t *testing.T) {
	tests := []struct{ in, want string }{
		{`x`, "data"},
		{`[x`, "data[0]"},
		{`[1,"a,b]",x`, "data[2]"},
		{`{"a":x`, "data.a"},
		{`{"a":1,x`, "data"},
		{`{"a":{"b":[{"c":1,"d":x`, "data.a.b[0].d"},
		{`{"a":[1,2],"b":x`, "data.b"},
		{`{"a":"}","b\"":"\\","c":x`, "data.c"},
		{`[[],[[]],{},{"a":{}},x`, "data[4]"},

		// Only short plain keys are repeated.
		{`{"snake_case-9$":x`, "data.snake_case-9$"},
		{`{"` + strings.Repeat("k", 32) + `":x`, "data." + strings.Repeat("k", 32)},
		{`{"` + strings.Repeat("k", 33) + `":x`, "data.*"},
		{`{"":x`, "data.*"},
		{`{"a b":x`, "data.*"},
		{`{"a.b":x`, "data.*"},
		{`{"a\u0062":x`, "data.*"},
		{`{"ada@example.com":[x`, "data.*[0]"},
		{`{"<script>":x`, "data.*"},
		{"{\"\u202eabc\":x", "data.*"},
		{strings.Repeat(`{"`+strings.Repeat("k", 32)+`":`, 9_000) + "x", "data" + strings.Repeat("."+strings.Repeat("k", 32), 8) + "…"},
	}
	for _, test := range tests {
		if got := path("data", []byte(test.in), len(test.in)-1); got != test.want {
			t.Errorf("%.60s: %q, want %q", test.in, got, test.want)
		}
	}
}

func TestPathKeyAndIndex(t *testing.T) {
	if got, want := PathIndex(PathKey(PathKey("data", "items"), "<b>"), 3), "data.items.*[3]"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	long := "data"
	for range 1_000 {
		long = PathIndex(PathKey(long, strings.Repeat("k", 32)), 1<<30)
	}
	if len(long) > maxPathLen+maxPathKey+len(cut)+1 || !strings.HasSuffix(long, cut) || strings.Count(long, cut) != 1 {
		t.Errorf("%q", long)
	}
}

// Nothing that was sent is in an error, keys that are names apart.
func TestErrorsRepeatNoContent(t *testing.T) {
	const canary = "s3cret canary"
	for _, in := range []string{
		`"` + canary + `\x"`,
		`{"` + canary + `":1,"` + canary + `":2}`,
		`{"` + canary + `":{"` + canary + `":` + nested(20) + `}}`,
		`["` + canary + `",nul]`,
		`["` + canary + "\xff\"]",
		`{"` + canary + `":9007199254740993}`,
		`"` + strings.Repeat(canary, 100) + `"`,
		`{"` + canary + `":` + array(2_000) + `}`,
		canary,
	} {
		e := (Limits{}).JSON([]byte(in))
		if e == nil {
			t.Errorf("%.40s is accepted", in)
		} else if strings.Contains(e.Error()+e.Code+e.Path+e.Message, "anary") {
			t.Errorf("%.40s: %v", in, e)
		}
	}
	if _, e := DisplayName(canary + "\xff"); e == nil || strings.Contains(e.Error(), "anary") {
		t.Errorf("a name: %v", e)
	}
}

func TestErrorText(t *testing.T) {
	if got, want := (&Error{Code: "c", Path: "p", Message: "M."}).Error(), "c at p: M."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := (&Error{Code: "c", Message: "M."}).Error(), "c: M."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
