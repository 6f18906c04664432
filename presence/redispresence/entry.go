package redispresence

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/presence"
)

// visible is what scripts are told of an entry's status.
func visible(s presence.Status) string {
	if s == presence.Online || s == presence.Away {
		return "1"
	}
	return "0"
}

// pack writes what of an entry is nobody's business in Redis: everything but
// its user, connection and node. Numbers are varints; texts have their length
// before them, meta its length and one, so that none is told from an empty one.
func pack(e *presence.Entry) string {
	b := make([]byte, 0, 32+len(e.Name)+len(e.Meta))
	b = appendText(b, string(e.Status))
	b = appendText(b, e.Name)
	if e.Meta == nil {
		b = binary.AppendUvarint(b, 0)
	} else {
		b = binary.AppendUvarint(b, uint64(len(e.Meta))+1)
		b = append(b, e.Meta...)
	}
	b = appendTime(b, e.MetaAt)
	b = appendTime(b, e.Since)
	return string(b)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendTime writes whether there is a time, and which.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0)
	}
	return binary.AppendVarint(append(b, 1), t.UnixMilli())
}

// A parcel is what pack has written. What is not there reads as zero and sets
// bad.
type parcel struct {
	rest string
	bad  bool
}

func (p *parcel) uvarint() uint64 {
	var n uint64
	for shift := 0; shift < 64 && p.rest != ""; shift += 7 {
		c := p.rest[0]
		p.rest = p.rest[1:]
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return n
		}
	}
	p.bad = true
	return 0
}

func (p *parcel) bytes(n uint64) string {
	if n > uint64(len(p.rest)) {
		p.bad = true
		return ""
	}
	s := p.rest[:n]
	p.rest = p.rest[n:]
	return s
}

func (p *parcel) text() string { return p.bytes(p.uvarint()) }

func (p *parcel) time() time.Time {
	if p.uvarint() == 0 {
		return time.Time{}
	}
	n := p.uvarint() // of a varint, which has its sign in the last bit
	ms := int64(n >> 1)
	if n&1 != 0 {
		ms = ^ms
	}
	return time.UnixMilli(ms).UTC()
}

func (p *parcel) open(e *presence.Entry) bool {
	e.Status, e.Name = presence.Status(p.text()), p.text()
	if n := p.uvarint(); n > 0 {
		e.Meta = []byte(p.bytes(n - 1))
	}
	e.MetaAt, e.Since = p.time(), p.time()
	return !p.bad
}

// entriesOf reads the entries of a user, and brings them into their order.
func entriesOf(user string, m *rueidis.RedisMessage) ([]presence.Entry, error) {
	list, err := m.ToArray()
	if err != nil || len(list) == 0 {
		return nil, unavailable(err)
	}
	entries := make([]presence.Entry, len(list))
	for i := range list {
		fields, err := list[i].AsStrSlice()
		if err != nil || len(fields) != 4 {
			return nil, errAnswer
		}
		e := &entries[i]
		e.User, e.Connection, e.Node = user, fields[0], fields[1]
		if p := (parcel{rest: fields[3]}); !p.open(e) {
			return nil, errAnswer
		}
	}
	slices.SortFunc(entries, func(a, b presence.Entry) int { return strings.Compare(a.Connection, b.Connection) })
	return entries, nil
}
