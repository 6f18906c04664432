module github.com/wardroom/wardroom/validate/jsonschema

go 1.25.0

require (
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3
	github.com/wardroom/wardroom v0.0.0
	go.uber.org/goleak v1.3.0
)

require golang.org/x/text v0.40.0 // indirect

replace github.com/wardroom/wardroom => ../..
