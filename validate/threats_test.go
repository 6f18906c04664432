package validate

import (
	"strings"
	"testing"
)

// The tests of this file are named after the rows of the security model's
// section on content.

func TestContentDeepWideDuplicateKeyJSON(t *testing.T) {
	for in, code := range map[string]string{
		nested(11):                              CodeTooDeep,
		nestedObjects(11):                       CodeTooDeep,
		strings.Repeat("[", 500_000):            CodeTooDeep,
		strings.Repeat(`{"a":`, 100_000):        CodeTooDeep,
		array(1_001):                            CodeTooManyElements,
		"[" + array(1_001) + "]":                CodeTooManyElements,
		object(101):                             CodeTooManyKeys,
		`{"a":` + object(101) + `}`:             CodeTooManyKeys,
		`{"role":"user","role":"admin"}`:        CodeDuplicateKey,
		`{"role":1,"\u0072\u006fle":2}`:         CodeDuplicateKey,
		`[{"x":{"role":1,"b":2,"role":3}}]`:     CodeDuplicateKey,
		text(1_001):                             CodeTooLarge,
		"[" + strings.Repeat(" ", 512<<10):      CodeTooLarge,
		`{"note":"` + text(512 << 10)[1:] + `}`: CodeTooLarge,
		"\"\xc3\x28\"":                          CodeInvalidUTF8,
		`"\udead"`:                              CodeInvalidUTF8,
		`{"a":1`:                                CodeInvalidJSON,
		`{"a":Infinity}`:                        CodeInvalidJSON,
		`{"a":1}<script>alert(1)</script>{"a"`:  CodeInvalidJSON,
	} {
		data, e := (Rules{}).JSON([]byte(in))
		if e == nil || e.Code != code {
			t.Errorf("%.40s: %v, want %s", in, e, code)
		}
		if data != nil {
			t.Errorf("%.40s: there is something to fan out", in)
		}
	}
}

func TestContentIntegersBeyondTwoToThe53(t *testing.T) {
	for in, ok := range map[string]bool{
		`9007199254740991`:                              true,
		`-9007199254740991`:                             true,
		`9007199254740992`:                              false,
		`-9007199254740992`:                             false,
		`[1,{"id":1e3}]`:                                true,
		`[1,{"id":12345678901e6}`:                       false, // cut off
		`{"id":99999999999999999999999999999999999999}`: false,
		`{"ratio":0.12345678901234567890123456789}`:     true,
		`{"big":1e309}`:                                 false,
	} {
		if e := (Limits{}).JSON([]byte(in)); (e == nil) != ok {
			t.Errorf("%s: %v", in, e)
		}
	}
	e := (Limits{}).JSON([]byte(`{"items":[0,1,2,9007199254740993]}`))
	if e == nil || e.Code != CodeBadRequest || e.Path != "data.items[3]" {
		t.Errorf("%v, want bad_request at data.items[3]", e)
	}
}

func TestContentPrototypeKeysInMetadata(t *testing.T) {
	for in, path := range map[string]string{
		`{"__proto__":{"admin":true}}`:                     "meta.__proto__",
		`{"constructor":1}`:                                "meta.constructor",
		`{"prototype":1}`:                                  "meta.prototype",
		`{"a":[0,{"__proto__":null}]}`:                     "meta.a[1].__proto__",
		`{"__proto\u005f_":1}`:                             "meta.*",
		`{"\u005f\u005f\u0070roto\u005f\u005f":1}`:         "meta.*",
		`{"a":1,"b":{"c":{"\u0063onstructor":{"x":"y"}}}}`: "meta.b.c.*",
	} {
		rules := Rules{Limits: MetaLimits()}
		if _, e := rules.JSON([]byte(in)); e == nil || e.Code != CodeBadRequest || e.Path != path {
			t.Errorf("%s: %v, want bad_request at %s", in, e, path)
		}
		// Message data is the host's: it may have any keys.
		if _, e := (Rules{}).JSON([]byte(in)); e != nil {
			t.Errorf("%s as message data: %v", in, e)
		}
	}
	for _, in := range []string{`{"proto":1}`, `{"__PROTO__":1}`, `{"a":"__proto__"}`, `{"constructors":1}`, `{"":1}`} {
		if _, e := (Rules{Limits: MetaLimits()}).JSON([]byte(in)); e != nil {
			t.Errorf("%s: %v", in, e)
		}
	}
}

func TestContentRoomAndEventIDs(t *testing.T) {
	for _, id := range []string{
		"", "{x}", "x{", "}", "*", "team:*", "a b", " a", "a ", "a\t", "a\n", "a\r\nb", "\x00", "a\x00", "a\x7f",
		"a/b", `a\b`, "a'b", `a"b`, "a<b", "a%b", "a?b", "a#b", "a@b", "a|b", "a+b", "a;b", "a,b",
		"é", "а", "a\u200b", "a\u202e", "\ufeffa", "\xff", "ａ", strings.Repeat("a", 65),
	} {
		if Room(id) {
			t.Errorf("Room(%q)", id)
		}
		if Event(id) {
			t.Errorf("Event(%q)", id)
		}
	}
}

func TestContentBidiZeroWidthAndControlCharacters(t *testing.T) {
	// In names: gone.
	for _, name := range []string{"Ada\u202e", "\u2067Ada", "A\u200bd\u200ca", "Ada\ufeff", "Ada\x00", "Ada\u0085", "A\u00adda", "Ada\u061c", "Ada\u2060"} {
		if got, e := DisplayName(name); e != nil || got != "Ada" {
			t.Errorf("%q: %q, %v", name, got, e)
		}
	}
	// In bodies: controls and bidi controls are gone, line feed and tab stay,
	// and a host can choose otherwise.
	body := []byte("{\"text\":\"one\\n\\ttwo\u202e\u200d\\u0007\\u2066\u009d\"}")
	if got, e := (Rules{}).JSON(body); e != nil || string(got) != "{\"text\":\"one\\n\\ttwo\u200d\"}" {
		t.Errorf("%q, %v", got, e)
	}
	if got, e := (Rules{Sanitize: AllowControls}).JSON(body); e != nil || string(got) != string(body) {
		t.Errorf("%q, %v", got, e)
	}
}

func TestContentHTMLInBodies(t *testing.T) {
	body := []byte(`"<img src=x onerror=alert(1)> & \"quotes\""`)
	if got, e := (Rules{}).JSON(body); e != nil || string(got) != string(body) {
		t.Errorf("by default: %s, %v", got, e)
	}
	got, e := (Rules{Sanitize: Chain(Sanitize, EscapeHTML)}).JSON(body)
	if e != nil || strings.ContainsAny(string(got), `<>'`) || strings.Contains(string(got), `\"`) {
		t.Errorf("escaped: %s, %v", got, e)
	}
}
