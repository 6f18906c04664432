package redisroom

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/wardroom/wardroom/room"
)

// An entry is a message as Redis keeps it. The scripts read and write what
// stands before the head, and replace the data:
//
//	1 byte   version
//	6 bytes  sequence number, put there by the script
//	8 bytes  At in Unix milliseconds
//	1 byte   kind
//	1 byte   flags
//	2 bytes  length of from
//	4 bytes  length of head
//	         from, head, data
//
// The head has the fields that most messages have not: a bit set, and for each
// bit the field. Numbers in it are varints, text comes with its length.
//
// What is published is a version, generation and epoch, and then one or more
// frames: 6 bytes for the offset or 0, 4 bytes for the length of the entry, and
// the entry.
const (
	version = 1

	seqSize   = 6
	fixedSize = 1 + seqSize + bodyFixed
	bodyFixed = 8 + 1 + 1 + 2 + 4 // what the node encodes before from
	genSize   = 8
	epochSize = 16
	placeSize = seqSize + 4 // before the entry of a frame
	beginSize = 1 + genSize + epochSize

	flagBinary   = 1
	flagRedacted = 2
)

// The bits of a head, in the order of their fields.
const (
	hasEvent = 1 << iota
	hasName
	hasReason
	hasID
	hasSession
	hasExcept
	hasAct
	hasUntil
	hasTarget
	hasOp
	headBits
)

var errEntry = errors.New("redisroom: what Redis has is no message of this version")

// opID names one call on one node, so that its repetitions are recognised.
type opID [16]byte

// appendBody encodes what a node tells of a message.
func appendBody(buf []byte, m *room.Message, op opID) []byte {
	var flags byte
	if m.Binary {
		flags |= flagBinary
	}
	if m.Redacted {
		flags |= flagRedacted
	}
	from := m.From
	if len(from) > math.MaxUint16 {
		from = from[:math.MaxUint16] // no user's ID is
	}
	buf = binary.BigEndian.AppendUint64(buf, uint64(m.At.UnixMilli()))
	buf = append(buf, byte(m.Kind), flags)
	buf = binary.BigEndian.AppendUint16(buf, uint16(len(from)))
	mark := len(buf)
	buf = append(buf, 0, 0, 0, 0)
	buf = append(buf, from...)
	start := len(buf)
	buf = appendHead(buf, m, op)
	binary.BigEndian.PutUint32(buf[mark:], uint32(len(buf)-start))
	return append(buf, m.Data...)
}

func appendHead(buf []byte, m *room.Message, op opID) []byte {
	texts := [...]string{m.Event, m.Name, m.Reason, m.ID, m.Session, m.Except, m.Act}
	var bits uint64
	for i, s := range texts {
		if s != "" {
			bits |= 1 << i
		}
	}
	if !m.Until.IsZero() {
		bits |= hasUntil
	}
	if m.Target != 0 {
		bits |= hasTarget
	}
	if op != (opID{}) {
		bits |= hasOp
	}
	buf = binary.AppendUvarint(buf, bits)
	for _, s := range texts {
		if s != "" {
			buf = binary.AppendUvarint(buf, uint64(len(s)))
			buf = append(buf, s...)
		}
	}
	if bits&hasUntil != 0 {
		buf = binary.AppendVarint(buf, m.Until.UnixMilli())
	}
	if bits&hasTarget != 0 {
		buf = binary.AppendUvarint(buf, m.Target)
	}
	if bits&hasOp != 0 {
		buf = append(buf, op[:]...)
	}
	return buf
}

// entry is what was decoded.
type entry struct {
	seq uint64
	op  opID
	room.Message
}

// frame is one entry of what was published.
type frame struct {
	gen string
	entry
}

// decodeFrames decodes what came through a channel, and appends it to list.
func decodeFrames(list []frame, b string) ([]frame, error) {
	if len(b) <= beginSize || b[0] != version {
		return list, errEntry
	}
	gen, epoch := b[1:1+genSize], b[1+genSize:beginSize]
	for b = b[beginSize:]; b != ""; {
		if len(b) < placeSize {
			return list, errEntry
		}
		offset, length := uint48(b), uint64(uint32At(b[seqSize:]))
		if b = b[placeSize:]; length > uint64(len(b)) {
			return list, errEntry
		}
		e, err := decodeEntry(b[:length])
		if err != nil {
			return list, err
		}
		if offset != 0 {
			e.Position = room.Position{Epoch: epoch, Offset: offset}
		}
		list = append(list, frame{gen, e})
		b = b[length:]
	}
	return list, nil
}

// decodeEntry decodes what a list has. Room and Position are not in it.
func decodeEntry(b string) (e entry, err error) {
	if len(b) < fixedSize || b[0] != version {
		return e, errEntry
	}
	e.seq = uint48(b[1:])
	b = b[1+seqSize:]
	e.At = time.UnixMilli(int64(uint64(uint32At(b))<<32 | uint64(uint32At(b[4:]))))
	e.Kind = room.Kind(b[8])
	flags := b[9]
	e.Binary, e.Redacted = flags&flagBinary != 0, flags&flagRedacted != 0
	fromLength, headLength := uint64(b[10])<<8|uint64(b[11]), uint64(uint32At(b[12:]))
	b = b[bodyFixed:]
	if flags&^(flagBinary|flagRedacted) != 0 || fromLength+headLength > uint64(len(b)) {
		return e, errEntry
	}
	e.From = b[:fromLength]
	if err := e.decodeHead(b[fromLength : fromLength+headLength]); err != nil {
		return e, err
	}
	if data := b[fromLength+headLength:]; data != "" {
		e.Data = []byte(data)
	}
	return e, nil
}

func (e *entry) decodeHead(head string) error {
	r := reader{rest: head}
	bits := r.uvarint()
	if bits >= headBits {
		return errEntry
	}
	for i, s := range [...]*string{&e.Event, &e.Name, &e.Reason, &e.ID, &e.Session, &e.Except, &e.Act} {
		if bits&(1<<i) != 0 {
			*s = r.text()
		}
	}
	if bits&hasUntil != 0 {
		e.Until = time.UnixMilli(r.varint())
		r.bad = r.bad || e.Until.IsZero()
	}
	if bits&hasTarget != 0 {
		e.Target = r.uvarint()
	}
	if bits&hasOp != 0 {
		copy(e.op[:], r.take(uint64(len(e.op))))
	}
	if r.bad || r.rest != "" {
		return errEntry
	}
	return nil
}

// reader takes a head apart. After the first thing that is not as it should
// be, bad is set and everything else empty.
type reader struct {
	rest string
	bad  bool
}

func (r *reader) take(n uint64) string {
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, ""
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) text() string { return r.take(r.uvarint()) }

func (r *reader) uvarint() uint64 {
	var v uint64
	for i := 0; i < len(r.rest) && i < binary.MaxVarintLen64; i++ {
		c := r.rest[i]
		v |= uint64(c&0x7F) << (7 * i)
		if c < 0x80 {
			if i == binary.MaxVarintLen64-1 && c > 1 {
				break
			}
			r.rest = r.rest[i+1:]
			return v
		}
	}
	r.bad, r.rest = true, ""
	return 0
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	v := int64(u >> 1)
	if u&1 != 0 {
		v = ^v
	}
	return v
}

func uint48(b string) uint64 {
	return uint64(b[0])<<40 | uint64(b[1])<<32 | uint64(uint32At(b[2:]))
}

func uint32At(b string) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}
