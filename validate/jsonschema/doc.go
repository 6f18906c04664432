// Package jsonschema checks the data of wardroom events against JSON Schema,
// on github.com/santhosh-tekuri/jsonschema. It is a module of its own, so
// that programs without schemas do not compile it.
//
//	vote := jsonschema.MustCompile(`{"type":"object","required":["option"]}`)
//	rules := validate.Rules{Schema: vote}
//
// Schemas are compiled once, from text that the program has: nothing is ever
// fetched from the network or read from a file, whatever a $ref or $schema
// says. What a sender gets to see of a refusal is the path and a sentence
// without anything that was sent.
package jsonschema
