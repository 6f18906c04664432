package wire

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"
)

// overhead is more than what a usual message frame takes without its data.
const overhead = 512

// appendMessage appends the frame of a message: a text one, or a binary one
// where the data is a payload.
func appendMessage(dst []byte, m *Message) (out []byte, isBinary bool) {
	if cap(dst)-len(dst) < len(m.Data) {
		// It will not fit, so grow once for all of it.
		dst = slices.Grow(dst, overhead+len(m.Data))
	}
	if m.Binary && !m.Redacted {
		if out, ok := appendBinaryMessage(dst, m); ok {
			return out, true
		}
	}
	dst = appendText(dst, `{"type":"message","room":`, m.Room)
	dst = append(dst, ',')
	dst = appendEvent(dst, m)
	dst = appendData(dst, m)
	dst = appendOrigin(dst, m)
	return append(dst, '}'), false
}

// appendBinaryMessage fails where the header is too long for its length, which
// takes names far beyond any that rooms and users may have. Such a message
// travels as history does, in base64.
func appendBinaryMessage(dst []byte, m *Message) (out []byte, ok bool) {
	start := len(dst)
	dst = append(dst, 0, 0)
	dst = appendText(dst, `{"type":"message","room":`, m.Room)
	dst = append(dst, ',')
	dst = appendEvent(dst, m)
	dst = appendOrigin(dst, m)
	dst = append(dst, '}')
	n := len(dst) - start - headerLength
	if n > math.MaxUint16 {
		return dst[:start], false
	}
	binary.BigEndian.PutUint16(dst[start:], uint16(n))
	return append(dst, m.Data...), true
}

// appendMessages appends the messages of a reply. They do not repeat the room.
func appendMessages(dst []byte, key string, messages []Message) []byte {
	dst = append(dst, key...)
	dst = append(dst, '[')
	for i := range messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		dst = appendEvent(dst, &messages[i])
		dst = appendData(dst, &messages[i])
		dst = appendOrigin(dst, &messages[i])
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

func appendEvent(dst []byte, m *Message) []byte {
	return appendText(dst, `"event":`, m.Event)
}

// appendData appends what was said, in a form that JSON can hold.
func appendData(dst []byte, m *Message) []byte {
	switch {
	case m.Redacted:
		return append(dst, `,"redacted":true`...)
	case m.Binary:
		dst = append(dst, `,"data":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, m.Data)
		return append(dst, `","encoding":"base64"`...)
	default:
		return appendRaw(append(dst, `,"data":`...), m.Data)
	}
}

// appendOrigin appends who said it, when and where in the log.
func appendOrigin(dst []byte, m *Message) []byte {
	dst = appendOptional(dst, `,"from":`, m.From)
	dst = appendInt(dst, `,"at":`, m.At)
	dst = appendPlace(dst, m.Offset, m.Epoch)
	return appendOptional(dst, `,"id":`, m.ID)
}
