package jsonschema

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/wardroom/wardroom/validate"
)

// refusal turns the library's tree of errors into one error without content:
// the fault with the first path, since the library goes through objects in
// random order.
func (s *Schema) refusal(err error, value any) error {
	refused := &validate.Error{
		Code:    validate.CodeBadRequest,
		Path:    s.root,
		Message: "The data does not match its schema.",
		Cause:   err,
	}
	var tree *jsonschema.ValidationError
	if !errors.As(err, &tree) {
		return refused
	}
	all := s.faults(nil, tree, value)
	if len(all) > 0 {
		first := slices.MinFunc(all, func(a, b fault) int {
			return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.message, b.message))
		})
		refused.Path, refused.Message = first.path, first.message
	}
	return refused
}

type fault struct{ path, message string }

// faults appends the faults of a tree of errors that the sender can do
// something about. Where a value fits none of several forms the tree has the
// reasons for each, which together say nothing, so it is not followed there.
func (s *Schema) faults(all []fault, e *jsonschema.ValidationError, value any) []fault {
	switch e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.AllOf, *kind.Reference:
		for _, cause := range e.Causes {
			all = s.faults(all, cause, value)
		}
		return all
	}
	path, at := s.path(e.InstanceLocation, value)
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		path = validate.PathKey(path, first(k.Missing))
	case *kind.Dependency:
		path = validate.PathKey(path, first(k.Missing))
	case *kind.DependentRequired:
		path = validate.PathKey(path, first(k.Missing))
	case *kind.AdditionalProperties:
		path = validate.PathKey(path, first(k.Properties))
	case *kind.PropertyNames:
		// The library reuses the memory of this location, so that it may by
		// now be that of another object.
		if object, ok := at.(map[string]any); !ok || !has(object, k.Property) {
			path = s.root
		} else {
			path = validate.PathKey(path, k.Property)
		}
	}
	return append(all, fault{path, message(e.ErrorKind)})
}

// path writes the location of a value and returns the value there as well.
func (s *Schema) path(location []string, value any) (string, any) {
	path := s.root
	for _, step := range location {
		switch v := value.(type) {
		case map[string]any:
			path, value = validate.PathKey(path, step), v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v) {
				return path, nil
			}
			path, value = validate.PathIndex(path, i), v[i]
		default:
			return path, nil
		}
	}
	return path, value
}

func first(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return slices.Min(names)
}

func has(object map[string]any, key string) bool {
	_, ok := object[key]
	return ok
}

// message is a sentence about a fault. It says what the schema asks for, and
// nothing of what was sent.
func message(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return "This must be of type " + strings.Join(k.Want, " or ") + "."
	case *kind.Enum, *kind.Const:
		return "This is not one of the allowed values."
	case *kind.Format:
		return "This is not a valid " + k.Want + "."
	case *kind.Pattern:
		return "This does not have the right form."
	case *kind.MinLength:
		return "This must have at least " + strconv.Itoa(k.Want) + " characters."
	case *kind.MaxLength:
		return "This must have at most " + strconv.Itoa(k.Want) + " characters."
	case *kind.MinItems:
		return "This must have at least " + strconv.Itoa(k.Want) + " elements."
	case *kind.MaxItems:
		return "This must have at most " + strconv.Itoa(k.Want) + " elements."
	case *kind.MinProperties:
		return "This must have at least " + strconv.Itoa(k.Want) + " keys."
	case *kind.MaxProperties:
		return "This must have at most " + strconv.Itoa(k.Want) + " keys."
	case *kind.Minimum:
		return "This must be at least " + number(k.Want) + "."
	case *kind.Maximum:
		return "This must be at most " + number(k.Want) + "."
	case *kind.ExclusiveMinimum:
		return "This must be more than " + number(k.Want) + "."
	case *kind.ExclusiveMaximum:
		return "This must be less than " + number(k.Want) + "."
	case *kind.MultipleOf:
		return "This must be a multiple of " + number(k.Want) + "."
	case *kind.UniqueItems:
		return "Two elements are equal."
	case *kind.Contains, *kind.MinContains, *kind.MaxContains:
		return "This does not have the right elements."
	case *kind.Required, *kind.Dependency, *kind.DependentRequired:
		return "This is missing."
	case *kind.AdditionalProperties, *kind.AdditionalItems, *kind.FalseSchema:
		return "This is not allowed here."
	case *kind.PropertyNames:
		return "This key is not allowed."
	case *kind.AnyOf, *kind.OneOf, *kind.Not:
		return "This is none of the allowed forms."
	}
	return "This does not match the schema."
}
