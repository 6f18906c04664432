package transport

import (
	"encoding/binary"
	"unicode/utf8"
)

// Opcodes of RFC 6455, section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

const (
	bitFin  = 0x80
	bitRSV1 = 0x40
	bitRSV2 = 0x20
	bitRSV3 = 0x10
	bitMask = 0x80

	maxControlPayload = 125
	maxClientHeader   = 14
)

// Frame is one message ready for any number of sockets: server frames are
// unmasked (RFC 6455, section 5.1), so the same bytes serve everyone.
type Frame struct {
	// Payload is the message, compressed when Deflated.
	Payload  []byte
	Binary   bool
	Deflated bool
}

// size is the number of bytes that append adds.
func (f Frame) size() int {
	switch n := len(f.Payload); {
	case n < 126:
		return 2 + n
	case n <= 0xFFFF:
		return 4 + n
	default:
		return 10 + n
	}
}

func (f Frame) append(dst []byte) []byte {
	first := byte(bitFin | opText)
	if f.Binary {
		first = bitFin | opBinary
	}
	if f.Deflated {
		first |= bitRSV1
	}
	return append(appendHeader(dst, first, len(f.Payload)), f.Payload...)
}

func appendHeader(dst []byte, first byte, n int) []byte {
	switch {
	case n < 126:
		return append(dst, first, byte(n))
	case n <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(dst, first, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, first, 127), uint64(n))
	}
}

// frameLen is the length of the server frame that b starts with.
func frameLen(b []byte) int {
	switch n := int(b[1]); n {
	case 126:
		return 4 + int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		return 10 + int(binary.BigEndian.Uint64(b[2:]))
	default:
		return 2 + n
	}
}

// appendClose appends a close frame. A reason that does not fit or is not
// UTF-8 is left out (RFC 6455, section 5.5.1).
func appendClose(dst []byte, code int, reason string) []byte {
	if len(reason) > maxControlPayload-2 || !utf8.ValidString(reason) {
		reason = ""
	}
	dst = append(dst, bitFin|opClose, byte(2+len(reason)), byte(code>>8), byte(code))
	return append(dst, reason...)
}

// header is a client frame's header.
type header struct {
	first   byte
	masked  bool
	payload int64
	size    int // bytes of the header itself
	minimal bool
}

func (h header) fin() bool     { return h.first&bitFin != 0 }
func (h header) opcode() byte  { return h.first & 0x0F }
func (h header) control() bool { return h.first&0x08 != 0 }

// parseHeader reads a frame header from the start of b and reports whether b
// held all of it.
func parseHeader(b []byte) (h header, ok bool) {
	if len(b) < 2 {
		return h, false
	}
	h.first, h.masked, h.size, h.minimal = b[0], b[1]&bitMask != 0, 2, true
	switch n := b[1] &^ bitMask; n {
	case 126:
		if len(b) < 4 {
			return h, false
		}
		h.payload, h.size = int64(binary.BigEndian.Uint16(b[2:])), 4
		h.minimal = h.payload > 125
	case 127:
		if len(b) < 10 {
			return h, false
		}
		h.payload, h.size = int64(binary.BigEndian.Uint64(b[2:])), 10
		h.minimal = h.payload > 0xFFFF
	default:
		h.payload = int64(n)
	}
	if h.masked {
		h.size += 4
	}
	return h, len(b) >= h.size
}
