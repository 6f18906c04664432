package validate

import "errors"

// Rules are what the data of one kind of message has to pass. The zero Rules
// are the defaults: [DefaultLimits], [Sanitize], no schema. Rules are plain
// values, safe to copy and to use concurrently.
type Rules struct {
	Limits Limits
	// Sanitize rewrites the data of JSON messages. Nil means the default,
	// the function [Sanitize].
	Sanitize Sanitizer
	// Schema checks JSON data after it has been sanitised, in the form in
	// which it is stored and sent. Nil means none.
	Schema Schema
}

// JSON checks a raw JSON value and returns it as it may be stored and sent:
// data itself, or a new slice where the sanitiser changed something. What the
// sanitiser changed is checked again, because removing characters can make
// two keys the same and escaping can make a value too large. Only TextChars
// is left out then: it bounds what was typed, not what escaping made of it.
func (r Rules) JSON(data []byte) ([]byte, *Error) {
	if e := r.Limits.JSON(data); e != nil {
		return nil, e
	}
	sanitize := r.Sanitize
	if sanitize == nil {
		sanitize = Sanitize
	}
	if clean := sanitize(data); !same(clean, data) {
		after := r.Limits
		after.TextChars = Unlimited
		if e := after.JSON(clean); e != nil {
			return nil, ofSanitizer(e)
		}
		data = clean
	}
	if r.Schema != nil {
		if err := r.Schema.Validate(data); err != nil {
			return nil, ofSchema(err, r.Limits.resolved().Root)
		}
	}
	return data, nil
}

// Binary checks a binary payload. Neither sanitiser nor schema sees it.
func (r Rules) Binary(payload []byte) *Error {
	return r.Limits.Binary(payload)
}

// same reports whether a and b are the same bytes in memory.
func same(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// ofSanitizer turns what is wrong with sanitised data, which was right
// before, into an Error. The rest can be the sender's doing.
func ofSanitizer(e *Error) *Error {
	switch e.Code {
	case CodeInvalidJSON, CodeInvalidUTF8:
		return &Error{
			Code:    CodeInternal,
			Path:    e.Path,
			Message: "The data could not be checked.",
			Cause:   errors.New("validate: the sanitiser returned data with this fault: " + e.Error()),
		}
	}
	return e
}

func ofSchema(err error, root string) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{
		Code:    CodeBadRequest,
		Path:    root,
		Message: "The data is not what this event takes.",
		Cause:   err,
	}
}
