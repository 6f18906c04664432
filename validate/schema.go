package validate

// A Schema says whether the data of an event is what the event is for. data
// is a raw JSON value that [Limits.JSON] accepted, or a binary payload where
// the host applies the schema to those. Validate must neither change data nor
// keep it, and must be safe for concurrent use.
//
// An error that is or wraps an [*Error] is shown to the sender as it is. Any
// other is answered with bad_request and a constant message, and only the log
// sees what it says: it may repeat content.
type Schema interface {
	Validate(data []byte) error
}

// SchemaFunc is a function that is a [Schema].
type SchemaFunc func(data []byte) error

// Validate calls f.
func (f SchemaFunc) Validate(data []byte) error { return f(data) }
