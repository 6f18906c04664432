package validate_test

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wardroom/wardroom/validate"
)

func ExampleLimits_JSON() {
	limits := validate.Limits{Elements: 3} // everything else as by default
	for _, data := range []string{
		`{"items":[1,2,3]}`,
		`{"items":[1,2,3,4]}`,
		`{"to":"ada","to":"eve"}`,
		`{"account":{"id":9007199254740993}}`,
	} {
		if e := limits.JSON([]byte(data)); e != nil {
			fmt.Println(e.Code, e.Path)
			continue
		}
		fmt.Println("ok")
	}
	// Output:
	// ok
	// too_many_elements data.items[3]
	// duplicate_key data.to
	// bad_request data.account.id
}

func ExampleRules_JSON() {
	rules := validate.Rules{
		Limits:   validate.Limits{TextChars: 40},
		Sanitize: validate.Chain(validate.Sanitize, validate.EscapeHTML),
	}
	data, e := rules.JSON([]byte(`"5 > 4, \u202esays she"`))
	if e != nil {
		fmt.Println(e)
		return
	}
	fmt.Printf("%s\n", data)
	// Output:
	// "5 &gt; 4, says she"
}

func ExampleSchemaFunc() {
	vote := validate.SchemaFunc(func(data []byte) error {
		var v struct{ Option int }
		if err := json.Unmarshal(data, &v); err != nil {
			return err
		}
		if v.Option < 1 || v.Option > 3 {
			return &validate.Error{Code: validate.CodeBadRequest, Path: "data.option", Message: "There are three options."}
		}
		return nil
	})
	rules := validate.Rules{Schema: vote}
	_, e := rules.JSON([]byte(`{"option":7}`))
	fmt.Println(e)
	_, e = rules.JSON([]byte(`{"option":"first"}`))
	fmt.Println(e)
	fmt.Println(errors.Unwrap(e) != nil)
	// Output:
	// bad_request at data.option: There are three options.
	// bad_request at data: The data is not what this event takes.
	// true
}

func ExampleDisplayName() {
	name, _ := validate.DisplayName("  Ada \u202e Lovelace\u200b ")
	fmt.Println(name)
	_, e := validate.DisplayName("\u3164")
	fmt.Println(e)
	// Output:
	// Ada Lovelace
	// bad_request at name: The text is empty.
}

func ExampleStrings() {
	shout := validate.Strings(func(s string) string {
		if s == "hi" {
			return "HI"
		}
		return s
	})
	fmt.Printf("%s\n", shout([]byte(`{"text":"hi","at":1.50}`)))
	// Output:
	// {"text":"HI","at":1.50}
}
