// The tests that compare docs/asyncapi.yaml with docs/PROTOCOL.md and the golden
// frames. They need to read YAML and JSON Schema, so they have a module of their
// own.
module github.com/wardroom/wardroom/internal/asyncapi

go 1.25.0

require (
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.3
	go.yaml.in/yaml/v3 v3.0.5
)

require golang.org/x/text v0.14.0 // indirect
