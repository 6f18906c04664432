package transport

import (
	"encoding/binary"
	"unicode/utf8"
)

// takeWhole handles a message that lies in our buffer as one frame, whole and
// not compressed, as nearly all are: the library need not see it, and it is
// unmasked where it is. It reports false when there is no such message; then
// nothing has happened.
func (c *Conn) takeWhole() bool {
	in := c.in
	pending := in.pending()
	h, ok := parseHeader(pending)
	if !ok || h.first != bitFin|opText && h.first != bitFin|opBinary || !h.masked || h.payload < 0 || h.payload > int64(len(pending)-h.size) {
		return false
	}
	if c.inspect(h) != nil {
		return false // found again, and answered, where frames in pieces are read
	}
	end := h.size + int(h.payload)
	message := pending[h.size:end]
	unmask(message, pending[h.size-4:h.size])
	isText := h.opcode() == opText
	if isText && !utf8.Valid(message) {
		c.refuse(CloseInvalidUTF8, notUTF8)
	} else {
		c.user.Handle(message, !isText)
	}
	in.left = int64(end)
	in.consume(end)
	return true
}

// unmask undoes RFC 6455, section 5.3.
func unmask(b, key []byte) {
	k := binary.LittleEndian.Uint32(key)
	if k == 0 {
		return
	}
	kk := uint64(k)<<32 | uint64(k)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^kk)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= key[i&3]
	}
}
