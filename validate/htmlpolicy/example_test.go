package htmlpolicy_test

import (
	"encoding/json"
	"fmt"

	"github.com/wardroom/wardroom/validate"
	"github.com/wardroom/wardroom/validate/htmlpolicy"
)

func Example() {
	rules := validate.Rules{Sanitize: htmlpolicy.New(htmlpolicy.Chat())}
	data, e := rules.JSON([]byte(`"<b>Hi</b> <img src=x onerror=alert(1)><script>steal()</script>there"`))
	if e != nil {
		fmt.Println(e)
		return
	}
	// In JSON the angle brackets are escaped. This is the text:
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(text)
	// Output:
	// <b>Hi</b> there
}
