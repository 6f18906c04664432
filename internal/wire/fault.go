package wire

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"
)

func badRequest(message string) *Error {
	return &Error{Code: codeBadRequest, Message: message}
}

// fault tells what a strict scan that ended with err found wrong, by scanning
// again without the rules that JSON itself does not have. What fails even so is
// not JSON, and a ref in it is not to be trusted; what passes has duplicate
// names or bad text.
func (d *decoder) fault(envelope []byte, err error, req *Request) *Error {
	ref, loose := d.scanRef(envelope)
	switch {
	case loose != nil:
		if outline, deep := outline(envelope); deep >= 0 && faultOffset(loose) == deep {
			// jsontext gives up here, but the client may still be told
			// which of its requests it was.
			if ref, err := d.scanRef(outline); err == nil {
				req.Ref = ref
			}
			return &Error{Code: codeTooDeep, Message: "the JSON is nested too deeply"}
		}
		return &Error{Code: codeInvalidJSON, Message: "the message is not a JSON object"}
	case errors.Is(err, jsontext.ErrDuplicateName):
		req.Ref = ref
		return &Error{Code: codeDuplicateKey, Message: "an object has two members of the same name"}
	default:
		req.Ref = ref
		return &Error{Code: codeInvalidUTF8, Message: "the text is not valid UTF-8"}
	}
}

// scanRef returns the ref of an object that may have duplicate names and
// invalid UTF-8, or 0 when it has none, a bad one, or several. It fails when
// text is not a JSON object even so.
func (d *decoder) scanRef(text []byte) (int64, error) {
	d.forget()
	d.read(text, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err := d.scan(text); err != nil {
		return 0, err
	}
	if d.refs != 1 {
		return 0, nil
	}
	ref, _ := integer(d.values[fieldRef])
	return ref, nil
}

// faultOffset returns where jsontext stopped, or -1.
func faultOffset(err error) int {
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		return int(syntactic.ByteOffset)
	}
	return -1
}

// outline returns text without what the values of the outermost object hold
// ("[[1],2]" becomes "[]"), and where the first bracket beyond maxNesting
// opens, or -1. It minds brackets and strings and nothing else.
func outline(text []byte) (out []byte, deep int) {
	out = make([]byte, 0, 256)
	deep = -1
	depth, quoted, escaped := 0, false, false
	for i, c := range text {
		inner := depth > 1
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped = c == '\\'
			quoted = c != '"'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			if depth++; depth > maxNesting && deep < 0 {
				deep = i
			}
		case c == '}' || c == ']':
			depth--
			inner = depth > 1
		}
		if !inner {
			out = append(out, c)
		}
	}
	return out, deep
}
