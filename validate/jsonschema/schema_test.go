package jsonschema

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/wardroom/wardroom/validate"
)

const order = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema",
	"type": "object",
	"required": ["kind", "items"],
	"additionalProperties": false,
	"propertyNames": {"maxLength": 10},
	"properties": {
		"kind": {"enum": ["buy", "sell"]},
		"items": {
			"type": "array", "minItems": 1, "maxItems": 5, "uniqueItems": true,
			"items": {"$ref": "#/$defs/item"}
		},
		"mail": {"format": "email"},
		"code": {"type": ["string", "null"], "pattern": "^[A-Z]{3}$"},
		"note": {"type": "string", "minLength": 2, "maxLength": 4},
		"share": {"exclusiveMinimum": 0, "exclusiveMaximum": 1},
		"step": {"multipleOf": 0.25},
		"extra": {"type": "object", "minProperties": 1, "maxProperties": 2},
		"form": {"oneOf": [{"type": "string"}, {"type": "boolean"}]},
		"never": false,
		"tags": {"contains": {"const": "urgent"}},
		"card": {"dependentRequired": {"number": ["holder"]}},
		"not": {"not": {"type": "string"}},
		"all": {"allOf": [{"type": "integer"}, {"maximum": 5}]},
		"one": {"const": 1}
	},
	"$defs": {"item": {
		"type": "object",
		"required": ["id"],
		"properties": {"id": {"type": "integer", "minimum": 1, "maximum": 999}}
	}}
}`

func TestSchema(t *testing.T) {
	s := MustCompile(order)
	const head = `{"kind":"buy","items":[{"id":1}],`
	tests := []struct{ in, path, message string }{
		{in: `{"kind":"buy","items":[{"id":1},{"id":999}]}`},
		{in: head + `"mail":"ada@example.com","code":null,"note":"ok","share":0.5,"step":1.75,"extra":{"a":1},"form":true,"tags":["urgent"],"card":{},"not":1,"all":5,"one":1.0}`},
		{in: `7`, path: "data", message: "This must be of type object."},
		{in: `{"items":[{"id":1}]}`, path: "data.kind", message: "This is missing."},
		{in: `{"kind":"steal","items":[{"id":1}]}`, path: "data.kind", message: "This is not one of the allowed values."},
		{in: `{"kind":"buy","items":[]}`, path: "data.items", message: "This must have at least 1 elements."},
		{in: `{"kind":"buy","items":[{"id":1},{"id":2},{"id":3},{"id":4},{"id":5},{"id":6}]}`, path: "data.items", message: "This must have at most 5 elements."},
		{in: `{"kind":"buy","items":[{"id":1},{"id":1}]}`, path: "data.items", message: "Two elements are equal."},
		{in: `{"kind":"buy","items":[{"id":1},{"id":2},{"id":0}]}`, path: "data.items[2].id", message: "This must be at least 1."},
		{in: `{"kind":"buy","items":[{"id":1000}]}`, path: "data.items[0].id", message: "This must be at most 999."},
		{in: `{"kind":"buy","items":[{"id":"1"}]}`, path: "data.items[0].id", message: "This must be of type integer."},
		{in: `{"kind":"buy","items":[{"id":1.5}]}`, path: "data.items[0].id", message: "This must be of type integer."},
		{in: `{"kind":"buy","items":[{}]}`, path: "data.items[0].id", message: "This is missing."},
		{in: head + `"zzz":1,"aaa":2}`, path: "data.aaa", message: "This is not allowed here."},
		{in: head + `"<b>":1}`, path: "data.*", message: "This is not allowed here."},
		{in: head + `"mail":"nobody"}`, path: "data.mail", message: "This is not a valid email."},
		{in: head + `"code":"abc"}`, path: "data.code", message: "This does not have the right form."},
		{in: head + `"code":1}`, path: "data.code", message: "This must be of type null or string."},
		{in: head + `"note":"x"}`, path: "data.note", message: "This must have at least 2 characters."},
		{in: head + `"note":"xxxxx"}`, path: "data.note", message: "This must have at most 4 characters."},
		{in: head + `"share":0}`, path: "data.share", message: "This must be more than 0."},
		{in: head + `"share":1}`, path: "data.share", message: "This must be less than 1."},
		{in: head + `"step":0.3}`, path: "data.step", message: "This must be a multiple of 0.25."},
		{in: head + `"extra":{}}`, path: "data.extra", message: "This must have at least 1 keys."},
		{in: head + `"extra":{"a":1,"b":2,"c":3}}`, path: "data.extra", message: "This must have at most 2 keys."},
		{in: head + `"form":1}`, path: "data.form", message: "This is none of the allowed forms."},
		{in: head + `"never":1}`, path: "data.never", message: "This is not allowed here."},
		{in: head + `"tags":["x"]}`, path: "data.tags", message: "This does not have the right elements."},
		{in: head + `"card":{"number":1}}`, path: "data.card.holder", message: "This is missing."},
		{in: head + `"not":"x"}`, path: "data.not", message: "This is none of the allowed forms."},
		{in: head + `"all":6}`, path: "data.all", message: "This must be at most 5."},
		{in: head + `"one":2}`, path: "data.one", message: "This is not one of the allowed values."},

		// Several at once: the first path, every time.
		{in: `{"kind":1,"items":2,"note":3,"mail":"x"}`, path: "data.items", message: "This must be of type array."},
	}
	for _, test := range tests {
		for range 10 {
			checkRefusal(t, s.Validate([]byte(test.in)), test.in, test.path, test.message)
		}
	}
}

func checkRefusal(t *testing.T, err error, in, path, message string) {
	t.Helper()
	if path == "" {
		if err != nil {
			t.Errorf("%.80s: %v", in, err)
		}
		return
	}
	var e *validate.Error
	if !errors.As(err, &e) || e.Code != validate.CodeBadRequest || e.Path != path || e.Message != message {
		t.Errorf("%.80s: %v, want %q at %q", in, err, message, path)
	}
}

func TestKeyNames(t *testing.T) {
	s := MustCompile(`{"additionalProperties":{"propertyNames":{"maxLength":3}}}`)
	checkRefusal(t, s.Validate([]byte(`{"a":{"toolong":1}}`)), "one", "data.a.toolong", "This key is not allowed.")
	checkRefusal(t, s.Validate([]byte(`{"a":{"<long>":1}}`)), "strange", "data.a.*", "This key is not allowed.")
	for range 50 {
		// Never the name of one object under another.
		err := s.Validate([]byte(`{"a":{"toolong":1},"b":{"ok":1},"c":{"x":2}}`))
		var e *validate.Error
		if !errors.As(err, &e) || e.Path != "data" && e.Path != "data.a.toolong" {
			t.Fatalf("%v", err)
		}
	}
}

func TestDrafts(t *testing.T) {
	for schema, in := range map[string]string{
		`{"$schema":"http://json-schema.org/draft-04/schema#","dependencies":{"a":["b"]}}`:            `{"a":1}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","items":[{}],"additionalItems":false}`:  `[1,2]`,
		`{"$schema":"https://json-schema.org/draft/2019-09/schema","unevaluatedProperties":false}`:    `{"a":1}`,
		`{"$schema":"https://json-schema.org/draft/2020-12/schema","prefixItems":[{}],"items":false}`: `[1,2]`,
		`{"$schema":"https://json-schema.org/draft/2020-12/schema","format":"date-time"}`:             `"yesterday"`,
		`{"$schema":"https://json-schema.org/draft/2020-12/schema","minContains":2,"contains":{}}`:    `[1]`,
		`{"anyOf":[{"type":"string"}]}`: `1`,
		`{"properties":{"child":{"$ref":"#"},"v":{"type":"number"}},"unevaluatedProperties":false}`:   `{"child":{"child":{"v":"x"}}}`,
		`{"$id":"https://example.com/tree","properties":{"child":{"$ref":"tree"}},"maxProperties":1}`: `{"child":{"a":1,"b":2}}`,
		`{"$ref":"https://json-schema.org/draft/2020-12/schema"}`:                                     `{"type":1}`,
		`{"$id":"https://example.com/a","$ref":"#/$defs/x","$defs":{"x":{"type":"string"}}}`:          `1`,
		`{"$dynamicRef":"#x","$defs":{"x":{"$dynamicAnchor":"x","type":"string"}}}`:                   `1`,
		`false`: `1`,
	} {
		s, err := Compile(schema)
		if err != nil {
			t.Errorf("%s: %v", schema, err)
			continue
		}
		var e *validate.Error
		if err := s.Validate([]byte(in)); !errors.As(err, &e) || e.Code != validate.CodeBadRequest || e.Message == "" {
			t.Errorf("%s: %s: %v", schema, in, err)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	for _, schema := range []string{
		``, `{`, `1`, `{"type":"nothing"}`, `{"pattern":"("}`, `{"pattern":"(?=x)"}`, `{"minimum":"1"}`,
		`{"$ref":"#/$defs/missing"}`, `{} {}`,
	} {
		if s, err := Compile(schema); s != nil || err == nil {
			t.Errorf("%s compiles", schema)
		}
	}
	if _, err := Compile(`{}`, `{"type":"object"}`); err == nil {
		t.Error("a document without $id is taken")
	}
	if _, err := Compile(`{}`, `{`); err == nil {
		t.Error("a document that is not JSON is taken")
	}
	if _, err := Compile(`{}`, `7`); err == nil {
		t.Error("a document that is no object is taken")
	}
	if _, err := Compile(`{}`, `{"$id":"https://example.com/a"}`, `{"$id":"https://example.com/a"}`); err == nil {
		t.Error("two documents with one $id are taken")
	}
	if _, err := Compile(`{"$id":"https://example.com/a"}`, `{"$id":"https://example.com/a"}`); err == nil {
		t.Error("a schema with the $id of a document is taken")
	}
	defer func() {
		if recover() == nil {
			t.Error("MustCompile does not panic")
		}
	}()
	MustCompile(`{`)
}

func TestNothingIsLoaded(t *testing.T) {
	for _, ref := range []string{
		"https://example.com/other.json", "http://127.0.0.1:1/x", "file:///etc/hostname", "other.json", "../schema_test.go", "/etc/hostname", "urn:x:y",
	} {
		for _, schema := range []string{
			`{"$ref":"` + ref + `"}`,
			`{"$schema":"` + ref + `"}`,
			`{"$id":"file:///etc/x","$ref":"` + ref + `"}`,
		} {
			if strings.Contains(schema, "$schema") && !strings.Contains(ref, ":") {
				continue // not a URL
			}
			if _, err := Compile(schema); !errors.Is(err, ErrNotLoaded) {
				t.Errorf("%s: %v", schema, err)
			}
		}
	}
}

func TestFurtherDocuments(t *testing.T) {
	s, err := Compile(`{"$ref":"https://example.com/user.json"}`,
		`{"$id":"https://example.com/user.json","properties":{"name":{"$ref":"name.json"}}}`,
		`{"$id":"https://example.com/name.json","type":"string"}`)
	if err != nil {
		t.Fatal(err)
	}
	checkRefusal(t, s.Validate([]byte(`{"name":1}`)), "a name", "data.name", "This must be of type string.")
	checkRefusal(t, s.Validate([]byte(`{"name":"Ada"}`)), "a name", "", "")
}

func TestRoot(t *testing.T) {
	s := MustCompile(`{"type":"object","properties":{"a":{"type":"string"}}}`)
	checkRefusal(t, s.Root("meta").Validate([]byte(`{"a":1}`)), "Root", "meta.a", "This must be of type string.")
	checkRefusal(t, s.Validate([]byte(`{"a":1}`)), "no Root", "data.a", "This must be of type string.")
	var e *validate.Error
	if err := s.Root("meta").Validate([]byte(`{`)); !errors.As(err, &e) || e.Code != validate.CodeInvalidJSON || e.Path != "meta" {
		t.Errorf("%v", err)
	}
}

// What is wrong is for the log, and nothing of it for the sender.
func TestNoContentInErrors(t *testing.T) {
	const canary = "s3cret canary"
	s := MustCompile(order)
	for _, in := range []string{
		`"` + canary + `"`,
		`{"kind":"` + canary + `","items":"` + canary + `"}`,
		`{"kind":"buy","items":[{"id":1}],"` + canary + `":1}`,
		`{"kind":"buy","items":[{"id":1}],"code":"` + canary + `"}`,
		`{"kind":"buy","items":[{"id":1}],"mail":"` + canary + `"}`,
		`{"kind":"buy","items":[{"id":1}],"form":["` + canary + `"]}`,
	} {
		_, e := validate.Rules{Schema: s}.JSON([]byte(in))
		if e == nil {
			t.Errorf("%s is accepted", in)
			continue
		}
		if strings.Contains(e.Error()+e.Path+e.Message, "anary") {
			t.Errorf("%s: %v", in, e)
		}
		if e.Unwrap() == nil {
			t.Errorf("%s: nothing for the log", in)
		}
	}
}

// Numbers that take the library long, or make it panic, do neither.
func TestHostileNumbers(t *testing.T) {
	s := MustCompile(`{"items":{"type":"number","minimum":0,"maximum":1e300,"multipleOf":1e-3},"uniqueItems":true}`)
	zero := strings.TrimSuffix(strings.Repeat("1e-999999,", 999), ",")
	checkRefusal(t, s.Validate([]byte("["+zero+"]")), "millions of digits", "data", "Two elements are equal.")
	checkRefusal(t, s.Validate([]byte("[1e-99999999999999999999]")), "no fraction", "", "")
	checkRefusal(t, s.Validate([]byte("[0."+strings.Repeat("0", 500_000)+"1]")), "many digits", "", "")
	checkRefusal(t, s.Validate([]byte("[1,1e999999999]")), "infinite", "data[1]", "The number is too large.")
	checkRefusal(t, s.Validate([]byte(`[{"a":`+strings.Repeat("9", 400)+`}]`)), "infinite integer", "data[0].a", "The number is too large.")
	checkRefusal(t, s.Validate([]byte("[-1e-5]")), "an ordinary one", "data[0]", "This must be a multiple of 0.001.")
}

func TestConcurrentUse(t *testing.T) {
	s := MustCompile(order)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if err := s.Validate([]byte(`{"kind":"buy","items":[{"id":1}],"mail":"a@example.com"}`)); err != nil {
					t.Error(err)
				}
				if err := s.Validate([]byte(`{"kind":"buy","items":[{"id":0}]}`)); err == nil {
					t.Error("accepted")
				}
			}
		})
	}
	wg.Wait()
}

func FuzzValidate(f *testing.F) {
	for _, in := range []string{`{"kind":"buy","items":[{"id":1}]}`, `{"step":1e-999999999}`, `{"items":[1,[2]],"\u0000":{}}`, `[1e400]`, `{`} {
		f.Add([]byte(in))
	}
	s := MustCompile(order)
	f.Fuzz(func(t *testing.T, data []byte) {
		err := s.Validate(data)
		if err == nil {
			return
		}
		var e *validate.Error
		if !errors.As(err, &e) || e.Code == "" || e.Message == "" || !strings.HasPrefix(e.Path, "data") || len(e.Path) > 400 {
			t.Errorf("%q: %#v", data, err)
		}
	})
}

func BenchmarkValidate(b *testing.B) {
	s := MustCompile(order)
	data := []byte(`{"kind":"buy","items":[{"id":1},{"id":2}],"mail":"ada@example.com","note":"ok"}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Validate(data); err != nil {
			b.Fatal(err)
		}
	}
}
