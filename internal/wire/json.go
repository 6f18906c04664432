package wire

// JSON is the codec of wardroom.v1.json: one JSON object (RFC 8259, within
// the limits of RFC 7493) in a text message, or a length, a header and a
// payload in a binary one. It has no state; the zero value is ready for use.
//
// What [JSON.Decode] accepts is strict. Names are unique in every object, all
// text is UTF-8 without lone surrogates, integers are integer literals up to
// [MaxInteger], and nothing follows the object. Unknown names are ignored, and
// so are known names that the request's type does not use, whatever they hold.
// A null stands for "not sent", except as the data of a message or an edit,
// where it is a value like any other.
//
// What [JSON.Append] writes is safe inside HTML and JavaScript: '<', '>', '&',
// U+2028 and U+2029 leave as escapes, also those in data that a client sent.
type JSON struct{}

var _ Codec = JSON{}

// SubprotocolJSON is the name of [JSON] in Sec-WebSocket-Protocol.
const SubprotocolJSON = "wardroom.v1.json"

// Subprotocol returns [SubprotocolJSON].
func (JSON) Subprotocol() string { return SubprotocolJSON }

// Limits that hold before any configured one.
const (
	// maxHeader is the longest header of a binary message, in bytes.
	maxHeader = 4 << 10
	// maxElements caps the roles and invited arrays of create and update.
	maxElements = 1_000
	// maxNesting is how deep jsontext reads, the envelope included.
	maxNesting = 10_000
)

// Codes of the refusals that a codec makes.
const (
	codeBadRequest      = "bad_request"
	codeDuplicateKey    = "duplicate_key"
	codeInvalidEvent    = "invalid_event"
	codeInvalidRoom     = "invalid_room"
	codeInvalidJSON     = "invalid_json"
	codeInvalidUTF8     = "invalid_utf8"
	codeTooDeep         = "too_deep"
	codeTooLarge        = "too_large"
	codeTooManyElements = "too_many_elements"
)
