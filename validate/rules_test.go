package validate

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestRules(t *testing.T) {
	in := []byte(`{"a":"x"}`)
	if got, e := (Rules{}).JSON(in); e != nil || !same(got, in) {
		t.Errorf("%s, %v", got, e)
	}
	if got, e := (Rules{}).JSON([]byte(`"a\u202eb"`)); e != nil || string(got) != `"ab"` {
		t.Errorf("the default sanitiser: %s, %v", got, e)
	}
	if got, e := (Rules{}).JSON([]byte(text(1_001))); got != nil || e == nil || e.Code != CodeTooLarge {
		t.Errorf("the default limits: %d bytes, %v", len(got), e)
	}
	in = []byte(`"a\u202eb"`)
	if got, e := (Rules{Sanitize: AllowControls}).JSON(in); e != nil || !same(got, in) {
		t.Errorf("AllowControls: %s, %v", got, e)
	}
	if e := (Rules{Limits: Limits{BinaryBytes: 1}}).Binary([]byte("ab")); e == nil || e.Code != CodeTooLarge {
		t.Errorf("binary: %v", e)
	}
}

// What only comes about by sanitising is refused as well.
func TestRulesCheckWhatTheSanitizerMade(t *testing.T) {
	escape := Chain(Controls, EscapeHTML)
	tests := []struct {
		rules      Rules
		in         string
		code, path string
	}{
		{Rules{}, `{"a":1,"a\u0000":2}`, CodeDuplicateKey, "data.a"},
		{Rules{Limits: MetaLimits()}, `{"__proto\u202e__":1}`, CodeBadRequest, "meta.__proto__"},
		{Rules{Limits: Limits{JSONBytes: 8}, Sanitize: escape}, `"<<"`, CodeTooLarge, "data"},
		{Rules{Sanitize: func([]byte) []byte { return []byte(`{`) }}, `1`, CodeInternal, "data"},
		{Rules{Sanitize: func([]byte) []byte { return []byte("\"\xff\"") }}, `1`, CodeInternal, "data"},
		{Rules{Sanitize: func([]byte) []byte { return nil }}, `1`, CodeInternal, "data"},

		// TextChars is about what was typed.
		{Rules{Limits: Limits{TextChars: 2}, Sanitize: escape}, `"<<"`, "", ""},
		{Rules{Limits: Limits{TextChars: 2}, Sanitize: escape}, `"<<<"`, CodeTooLarge, "data"},
	}
	for _, test := range tests {
		_, e := test.rules.JSON([]byte(test.in))
		if test.code == "" && e != nil || test.code != "" && (e == nil || e.Code != test.code || e.Path != test.path) {
			t.Errorf("%s: %v, want %q at %q", test.in, e, test.code, test.path)
		}
	}
}

func TestRulesSchema(t *testing.T) {
	secret := errors.New("schema: s3cret is not a colour")
	specific := &Error{Code: CodeBadRequest, Path: "data.colour", Message: "This is not a colour."}
	var seen string
	rules := func(err error) Rules {
		return Rules{Limits: Limits{Root: "vote"}, Schema: SchemaFunc(func(data []byte) error {
			seen = string(data)
			return err
		})}
	}

	if got, e := rules(nil).JSON([]byte(`"\u0007x"`)); e != nil || string(got) != `"x"` || seen != `"x"` {
		t.Errorf("%s, %v; the schema saw %s", got, e, seen)
	}
	_, e := rules(secret).JSON([]byte(`1`))
	if e == nil || e.Code != CodeBadRequest || e.Path != "vote" || strings.Contains(e.Error(), "s3cret") || !errors.Is(e, secret) {
		t.Errorf("another error: %#v", e)
	}
	if _, e := rules(fmt.Errorf("wrapped: %w", specific)).JSON([]byte(`1`)); e != specific {
		t.Errorf("an Error of its own: %#v", e)
	}
	seen = "nothing"
	if _, e := rules(nil).JSON([]byte(nested(11))); e == nil || e.Code != CodeTooDeep || seen != "nothing" {
		t.Errorf("%v; the schema saw %s, which the limits refuse", e, seen)
	}
}
