// Package asyncapi has no code, only the tests that keep docs/asyncapi.yaml
// true: against docs/PROTOCOL.md, and against the golden frames of
// internal/wire and room.
package asyncapi
