package jsonschema

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/wardroom/wardroom/validate"
)

// Schema is a compiled JSON Schema. It is a [validate.Schema] and safe for
// concurrent use.
type Schema struct {
	root     string
	compiled *jsonschema.Schema
}

var _ validate.Schema = (*Schema)(nil)

// ErrNotLoaded is in the chain of an error of [Compile] about a document that
// a schema refers to and that was not given.
var ErrNotLoaded = errors.New("jsonschema: documents are not loaded from anywhere; give them to Compile")

// base is the URL of a schema without an $id. RFC 2606 keeps the domain
// .invalid from ever existing.
const base = "https://wardroom.invalid/schema.json"

// Compile compiles a JSON Schema: of the draft that its $schema names, from 4
// to 2020-12, or of 2020-12 where it names none. It may refer ($ref) to itself,
// to the drafts' own meta-schemas, and to the further documents given here by
// their $id; an error about any other wraps [ErrNotLoaded].
//
// The keyword format is checked in every draft. Patterns are those of package
// regexp, which take linear time; one that needs another engine is an error.
func Compile(schema string, others ...string) (*Schema, error) {
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()

	for _, other := range others {
		doc, err := document(other)
		if err != nil {
			return nil, err
		}
		id := identifier(doc)
		if id == "" {
			return nil, errors.New("jsonschema: a further document has no $id")
		}
		if err := c.AddResource(id, doc); err != nil {
			return nil, fmt.Errorf("jsonschema: %w", err)
		}
	}

	doc, err := document(schema)
	if err != nil {
		return nil, err
	}
	url := base
	if id := identifier(doc); id != "" {
		url = id
	}
	if err := c.AddResource(url, doc); err != nil {
		return nil, fmt.Errorf("jsonschema: %w", err)
	}
	compiled, err := c.Compile(url)
	if err != nil {
		// The library's error types do not unwrap.
		var load *jsonschema.LoadURLError
		if errors.As(err, &load) {
			return nil, fmt.Errorf("%w: %s", ErrNotLoaded, load.URL)
		}
		return nil, fmt.Errorf("jsonschema: %w", err)
	}
	return &Schema{root: "data", compiled: compiled}, nil
}

// MustCompile is [Compile] for schemas that are part of the program. It
// panics where Compile returns an error.
func MustCompile(schema string, others ...string) *Schema {
	s, err := Compile(schema, others...)
	if err != nil {
		panic(err)
	}
	return s
}

// Root returns a copy of s whose paths begin with root and not with "data",
// for rules whose limits have another Root.
func (s *Schema) Root(root string) *Schema {
	return &Schema{root: root, compiled: s.compiled}
}

// Validate checks a raw JSON value. An error is a [*validate.Error] with code
// bad_request. Its Cause says everything that is wrong, with content, and is
// for the log only.
func (s *Schema) Validate(data []byte) error {
	value, err := decode(data)
	if err != nil {
		return &validate.Error{
			Code:    validate.CodeInvalidJSON,
			Path:    s.root,
			Message: "The value is not valid JSON.",
			Cause:   err,
		}
	}
	value, at, ok := plain(value)
	if !ok {
		slices.Reverse(at)
		path, _ := s.path(at, value)
		return &validate.Error{
			Code:    validate.CodeBadRequest,
			Path:    path,
			Message: "The number is too large.",
		}
	}
	if err := s.compiled.Validate(value); err != nil {
		return s.refusal(err, value)
	}
	return nil
}

// noLoader loads nothing.
type noLoader struct{}

func (noLoader) Load(string) (any, error) { return nil, ErrNotLoaded }

func document(schema string) (any, error) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		return nil, fmt.Errorf("jsonschema: the schema is not valid JSON: %w", err)
	}
	return doc, nil
}

// identifier returns the absolute $id of a document (id in draft 4), or "".
func identifier(doc any) string {
	object, ok := doc.(map[string]any)
	if !ok {
		return ""
	}
	for _, name := range []string{"$id", "id"} {
		if id, ok := object[name].(string); ok && strings.Contains(id, ":") {
			return id
		}
	}
	return ""
}

func decode(data []byte) (any, error) {
	return jsonschema.UnmarshalJSON(bytes.NewReader(data))
}
