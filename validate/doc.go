// Package validate says what may be said: whether a payload has the size and
// the shape it may have, whether a name may be a name, and which characters
// of a text reach the people who read it. It is the only part of wardroom
// that looks inside what users send, and it imports none of the rest.
//
// # Payloads
//
// [Limits] bound the data of a message. [Limits.JSON] reads a raw JSON value
// once, without building values: bytes, depth, elements, keys, equal keys,
// unsafe numbers, UTF-8. [MetaLimits] are those of presence metadata. [Rules]
// put limits, sanitiser and schema of one kind of message together, in the
// right order.
//
// # Names
//
// [Room], [Event] and [UserID] accept short plain ASCII and nothing else.
// [DisplayName], and [Text] for any other short text that people read, clean
// what can be cleaned and refuse the rest.
//
// # Text inside JSON
//
// A [Sanitizer] rewrites the strings of a raw JSON value. The default removes
// control and bidirectional characters. HTML is left as it is, since only the
// page knows where it puts a text: a page escapes, as html/template and
// textContent do. [EscapeHTML] is for pages that cannot, and the module
// validate/htmlpolicy for those that show an allow-list of elements.
//
// # Schemas
//
// A [Schema] is a host's own check of an event's data. The module
// validate/jsonschema makes one of a JSON Schema.
//
// # Errors
//
// An [Error] has a code of the protocol and the path of the fault. It never
// repeats what was sent.
package validate
