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
	dst = appendHead(dst, m)
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
	dst = appendHead(dst, m)
	dst = appendOrigin(dst, m)
	dst = append(dst, '}')
	n := len(dst) - start - headerLength
	if n > math.MaxUint16 {
		return dst[:start], false
	}
	binary.BigEndian.PutUint16(dst[start:], uint16(n))
	return append(dst, m.Data...), true
}

// appendMessages appends the messages of a reply, each as the frame that it was
// to those who were there, with payloads in a form that JSON can hold.
func appendMessages(dst []byte, key string, messages []Message) []byte {
	dst = append(dst, key...)
	dst = append(dst, '[')
	for i := range messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendKept(dst, &messages[i])
	}
	return append(dst, ']')
}

func appendKept(dst []byte, m *Message) []byte {
	if m.Target == 0 {
		dst = appendHead(dst, m)
		dst = appendData(dst, m)
		return append(appendOrigin(dst, m), '}')
	}
	kind := `{"type":"message_edited","room":`
	if m.Redacted {
		kind = `{"type":"message_redacted","room":`
	}
	dst = appendText(dst, kind, m.Room)
	dst = appendUint(dst, `,"target":`, m.Target)
	if !m.Redacted {
		dst = appendData(dst, m)
	}
	return append(appendOrigin(dst, m), '}')
}

// appendHead appends what every message begins with. One without a room is the
// host's to this user alone.
func appendHead(dst []byte, m *Message) []byte {
	dst = append(dst, `{"type":"message"`...)
	dst = appendOptional(dst, `,"room":`, m.Room)
	return appendText(dst, `,"event":`, m.Event)
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
