package jsonschema_test

import (
	"fmt"

	"github.com/wardroom/wardroom/validate"
	"github.com/wardroom/wardroom/validate/jsonschema"
)

func Example() {
	rules := validate.Rules{Schema: jsonschema.MustCompile(`{
		"type": "object",
		"required": ["option"],
		"properties": {
			"option":  {"type": "integer", "minimum": 1, "maximum": 3},
			"comment": {"type": "string", "maxLength": 20}
		},
		"additionalProperties": false
	}`)}
	for _, data := range []string{
		`{"option":2}`,
		`{"option":7}`,
		`{"comment":"all of them"}`,
		`{"option":1,"weight":100}`,
	} {
		if _, e := rules.JSON([]byte(data)); e != nil {
			fmt.Println(e)
			continue
		}
		fmt.Println("ok")
	}
	// Output:
	// ok
	// bad_request at data.option: This must be at most 3.
	// bad_request at data.option: This is missing.
	// bad_request at data.weight: This is not allowed here.
}
