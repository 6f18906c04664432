package wire

import (
	"bytes"
	"errors"
	"io"
	"math"
)

func missing(f field) *Error { return badRequest(f.String() + " is missing") }

func notString(f field) *Error { return badRequest(f.String() + " must be a string") }

func notInteger(name string) *Error {
	return badRequest(name + " must be an integer from 0 to 9007199254740991")
}

// integer reads an integer literal from 0 to MaxInteger. Other ways to write
// the same number (1.0, 1e3, -0) are refused: an implementation that accepts
// them has to go through floating point.
func integer(raw []byte) (n int64, ok bool) {
	const maxDigits = len("9007199254740991")
	if len(raw) == 0 || len(raw) > maxDigits {
		return 0, false
	}
	for _, c := range raw {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if n > MaxInteger {
		return 0, false
	}
	return n, true
}

// toInt holds on to "very many" where an int has 32 bits.
func toInt(n int64) int { return int(min(n, math.MaxInt)) }

// negated sets dst where the client sent false.
func negated(dst *bool, raw []byte, f field) *Error {
	switch raw[0] {
	case 't':
	case 'f':
		*dst = true
	default:
		return badRequest(f.String() + " must be true or false")
	}
	return nil
}

// texts collects the strings of one request, so that the short ones need a
// single allocation: together they are at most len(buf) bytes, which is also
// the most that keeping one of them can keep alive.
type texts struct {
	buf  [256]byte
	used int
	to   [4]struct {
		dst *string
		end int
	}
	count int
}

// reset forgets the strings, of which one may be a token, and where they go.
func (t *texts) reset() {
	clear(t.buf[:t.used])
	clear(t.to[:t.count])
	t.used, t.count = 0, 0
}

// add makes *dst the text, now or in assign.
func (t *texts) add(dst *string, text []byte) {
	if len(text) > len(t.buf)-t.used || t.count == len(t.to) {
		*dst = string(text)
		return
	}
	t.used += copy(t.buf[t.used:], text)
	t.to[t.count].dst, t.to[t.count].end = dst, t.used
	t.count++
}

// assign sets the strings that add has put off.
func (t *texts) assign() {
	all := string(t.buf[:t.used])
	start := 0
	for _, to := range t.to[:t.count] {
		*to.dst = all[start:to.end]
		start = to.end
	}
	t.reset()
}

func (d *decoder) text(dst *string, f field) *Error {
	raw := d.values[f]
	if raw[0] != '"' {
		return notString(f)
	}
	d.texts.add(dst, unquoted(raw))
	return nil
}

// strings reads an array of strings. A sent array is never nil.
func (d *decoder) strings(dst *[]string, raw []byte, f field) *Error {
	list := []string{}
	d.read(raw)
	if tok, _ := d.json.ReadToken(); tok.Kind() != '[' {
		return notStrings(f)
	}
	for d.json.PeekKind() != ']' {
		if len(list) == maxElements {
			return &Error{Code: codeTooManyElements, Message: f.String() + " has too many elements"}
		}
		element, _ := d.json.ReadToken()
		if element.Kind() != '"' {
			return notStrings(f)
		}
		list = append(list, element.String())
	}
	*dst = list
	return nil
}

func notStrings(f field) *Error { return badRequest(f.String() + " must be an array of strings") }

// since reads a position, which has both its members or is none.
func (d *decoder) since(req *Request, raw []byte) *Error {
	d.read(raw)
	if tok, _ := d.json.ReadToken(); tok.Kind() != '{' {
		return badRequest("since must be an object")
	}
	var epoch, offset []byte
	for d.json.PeekKind() == '"' {
		name, _ := d.json.ReadValue()
		var dst *[]byte
		switch string(unquoted(name)) {
		case "epoch":
			dst = &epoch
		case "offset":
			dst = &offset
		}
		start := d.json.InputOffset()
		if err := d.json.SkipValue(); err != nil {
			return badRequest("since must be an object")
		}
		if dst != nil {
			*dst = value(raw[start:d.json.InputOffset()])
		}
	}

	if !given(epoch) {
		return badRequest("since.epoch is missing")
	}
	if epoch[0] != '"' {
		return badRequest("since.epoch must be a string")
	}
	if !given(offset) {
		return badRequest("since.offset is missing")
	}
	n, ok := integer(offset)
	if !ok {
		return notInteger("since.offset")
	}
	req.Since = &Position{Epoch: string(unquoted(epoch)), Offset: uint64(n)}
	return nil
}

// meta takes an object without the names that a careless merge in a browser
// would write to the prototype of all objects.
func (d *decoder) meta(req *Request, raw []byte) *Error {
	if raw[0] != '{' {
		return badRequest("meta must be an object")
	}
	if mayHoldReserved(raw) && d.holdsReserved(raw) {
		return badRequest("meta has a member with a reserved name")
	}
	req.Meta = raw
	return nil
}

// mayHoldReserved is a quick look for what holdsReserved looks for with care.
// Only an escape could hide a name from it.
func mayHoldReserved(raw []byte) bool {
	return bytes.IndexByte(raw, '\\') >= 0 ||
		bytes.Contains(raw, []byte("__proto__")) ||
		bytes.Contains(raw, []byte("constructor")) ||
		bytes.Contains(raw, []byte("prototype"))
}

// holdsReserved says whether an object in raw, at any depth, has a member with
// a reserved name.
func (d *decoder) holdsReserved(raw []byte) bool {
	d.read(raw)
	for {
		tok, err := d.json.ReadToken()
		if err != nil {
			return !errors.Is(err, io.EOF)
		}
		if tok.Kind() != '"' {
			continue
		}
		// Names and values alternate, so what a name ends is odd.
		in, length := d.json.StackIndex(d.json.StackDepth())
		if in == '{' && length%2 == 1 && fieldNamed([]byte(tok.String())) == fieldReserved {
			return true
		}
	}
}
