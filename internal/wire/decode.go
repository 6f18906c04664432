package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// Decode implements [Codec]. On an error every field of req but Ref is zero.
func (JSON) Decode(message []byte, isBinary bool, req *Request) *Error {
	*req = Request{}
	envelope, form := message, textForm
	if isBinary {
		var refused *Error
		if envelope, refused = header(message); refused != nil {
			return refused
		}
		form = binaryForm
	}

	d := decoders.Get().(*decoder)
	refused := d.decode(envelope, form, req)
	d.release(len(envelope))

	if refused != nil {
		*req = Request{Ref: req.Ref}
		return refused
	}
	if isBinary {
		req.Binary = true
		req.Data = message[headerLength+len(envelope) : len(message) : len(message)]
	}
	return nil
}

// form is how an envelope travels.
type form bool

const (
	textForm   form = false
	binaryForm form = true
)

// headerLength is the size of the length in front of a binary message's
// header, in bytes.
const headerLength = 2

// header returns the envelope of a binary message.
func header(message []byte) ([]byte, *Error) {
	if len(message) < headerLength {
		return nil, badRequest("the binary message ends within its header")
	}
	n := int(binary.BigEndian.Uint16(message))
	switch {
	case n > maxHeader:
		return nil, &Error{Code: codeTooLarge, Message: "the header of the binary message is too large"}
	case n > len(message)-headerLength:
		return nil, badRequest("the binary message ends within its header")
	}
	return message[headerLength : headerLength+n : headerLength+n], nil
}

// decoder is the reusable part of a Decode.
type decoder struct {
	// json reads from src, and is always reset before the decoder is pooled.
	json jsontext.Decoder
	src  bytes.Buffer

	// values are the raw values of the known fields, where sent has their bit.
	values [fieldCount][]byte
	sent   fields
	// refs counts the members named "ref", of which a lenient scan may meet
	// several.
	refs int

	texts texts
}

// decoders keeps decoders between calls and nothing of what they have read.
var decoders = sync.Pool{New: func() any {
	d := new(decoder)
	d.json.Reset(&d.src)
	return d
}}

// maxPooled is the largest envelope, in bytes, whose decoder is kept: jsontext
// holds on to the memory in which it compared the names.
const maxPooled = 64 << 10

// release forgets the message and the request, so that the pool does not keep
// them alive, and makes d available to others.
func (d *decoder) release(size int) {
	if size > maxPooled {
		return
	}
	d.src = bytes.Buffer{}
	d.json.Reset(&d.src)
	d.forget()
	d.texts.reset()
	decoders.Put(d)
}

// forget makes d ready for another scan.
func (d *decoder) forget() {
	clear(d.values[:])
	d.sent, d.refs = 0, 0
}

// read makes text the input of d.json. A bytes.Buffer is what jsontext reads
// from without copying; nothing is ever written to this one.
func (d *decoder) read(text []byte, opts ...jsontext.Options) {
	d.src = *bytes.NewBuffer(text)
	d.json.Reset(&d.src, opts...)
}

func (d *decoder) decode(envelope []byte, form form, req *Request) *Error {
	// The decoder comes freshly reset from the pool, and resets are dear.
	d.src = *bytes.NewBuffer(envelope)
	if err := d.scan(envelope); err != nil {
		return d.fault(envelope, err, req)
	}
	return d.fill(form, req)
}

var (
	errNotObject = errors.New("not an object")
	errTrailing  = errors.New("data after the object")
)

// scan walks the one object in text, which is d's input, and notes the values
// of the names it knows. It goes through all nested values token by token:
// reading one as a whole would recurse, and let 20 KB of brackets grow the
// stack of the calling goroutine by megabytes.
func (d *decoder) scan(text []byte) error {
	if d.json.PeekKind() != '{' {
		if _, err := d.json.ReadToken(); err != nil {
			return err
		}
		return errNotObject
	}
	if _, err := d.json.ReadToken(); err != nil {
		return err
	}
	for d.json.PeekKind() != '}' {
		name, err := d.json.ReadValue()
		if err != nil {
			return err
		}
		f := fieldNamed(unquoted(name))
		start := d.json.InputOffset()
		if err := d.json.SkipValue(); err != nil {
			return err
		}
		if f == fieldRef {
			d.refs++
		}
		d.sent |= 1 << f
		d.values[f] = value(text[start:d.json.InputOffset()])
	}
	if _, err := d.json.ReadToken(); err != nil {
		return err
	}
	_, err := d.json.ReadToken()
	switch {
	case err == nil:
		return errTrailing
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

// value cuts the colon and the white space off a member whose name has been
// read.
func value(member []byte) []byte {
	i := 0
	for member[i] == ' ' || member[i] == '\t' || member[i] == '\r' || member[i] == '\n' || member[i] == ':' {
		i++
	}
	return member[i:len(member):len(member)]
}

// unquoted returns the text of a JSON string that the tokenizer has passed. It
// aliases quoted where there are no escapes.
func unquoted(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	// The one error left is text that is not UTF-8, in the lenient pass: it
	// comes back with replacement characters.
	text, _ := jsontext.AppendUnquote(nil, quoted)
	return text
}
