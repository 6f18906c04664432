package validate

// The codes of an [Error], those of docs/PROTOCOL.md that speak of content.
const (
	CodeBadRequest      = "bad_request"
	CodeInvalidJSON     = "invalid_json"
	CodeInvalidUTF8     = "invalid_utf8"
	CodeTooLarge        = "too_large"
	CodeTooDeep         = "too_deep"
	CodeTooManyElements = "too_many_elements"
	CodeTooManyKeys     = "too_many_keys"
	CodeDuplicateKey    = "duplicate_key"
	CodeInvalidRoom     = "invalid_room"
	CodeInvalidEvent    = "invalid_event"
	// CodeInternal is for a host's own sanitiser or schema that failed: the
	// sender did nothing wrong.
	CodeInternal = "internal"
)

// Error is a refusal. Code, Path and Message are safe to show to the sender
// and to write to a log: none of them repeats a value that was sent.
type Error struct {
	// Code is one of the Code constants.
	Code string
	// Path is the place of the first thing that broke a rule, such as
	// "data.items[3]". It is empty where there is no place to name. A key
	// that is more than a plain short name is written as "*".
	Path string
	// Message is one English sentence for people.
	Message string
	// Cause is what a host's hook said, for the log only. It may repeat
	// content and is never part of Error().
	Cause error
}

// Error returns the code, the path and the message in one line.
func (e *Error) Error() string {
	if e.Path == "" {
		return e.Code + ": " + e.Message
	}
	return e.Code + " at " + e.Path + ": " + e.Message
}

// Unwrap returns Cause.
func (e *Error) Unwrap() error { return e.Cause }
