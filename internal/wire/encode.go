package wire

import "strconv"

// Append implements [Codec]. It allocates nothing where dst has room.
func (JSON) Append(dst []byte, f Frame) (out []byte, binary bool) {
	switch f := f.(type) {
	case *Message:
		return appendMessage(dst, f)
	case *Reply:
		dst = appendReply(dst, f)
	case *Joined:
		dst = appendText(dst, `{"type":"user_joined","room":`, f.Room)
		dst = appendText(dst, `,"user":`, f.User)
		dst = appendOptional(dst, `,"name":`, f.Name)
		dst = appendInt(dst, `,"at":`, f.At)
		dst = append(dst, '}')
	case *Left:
		dst = appendText(dst, `{"type":"user_left","room":`, f.Room)
		dst = appendText(dst, `,"user":`, f.User)
		dst = appendOptional(dst, `,"name":`, f.Name)
		dst = appendInt(dst, `,"at":`, f.At)
		dst = appendOptional(dst, `,"reason":`, f.Reason)
		dst = append(dst, '}')
	case *PresenceUpdate:
		dst = append(dst, `{"type":"presence_update"`...)
		dst = appendOptional(dst, `,"room":`, f.Room)
		dst = appendText(dst, `,"user":`, f.User)
		dst = appendText(dst, `,"status":`, f.Status)
		dst = appendObject(dst, `,"meta":`, f.Meta)
		dst = appendInt(dst, `,"at":`, f.At)
		dst = append(dst, '}')
	case *Edited:
		dst = appendText(dst, `{"type":"message_edited","room":`, f.Room)
		dst = appendUint(dst, `,"target":`, f.Target)
		dst = append(dst, `,"data":`...)
		dst = appendRaw(dst, f.Data)
		dst = appendOptional(dst, `,"from":`, f.From)
		dst = appendInt(dst, `,"at":`, f.At)
		dst = appendPlace(dst, f.Offset, f.Epoch)
		dst = append(dst, '}')
	case *Redacted:
		dst = appendText(dst, `{"type":"message_redacted","room":`, f.Room)
		dst = appendUint(dst, `,"target":`, f.Target)
		dst = appendOptional(dst, `,"from":`, f.From)
		dst = appendInt(dst, `,"at":`, f.At)
		dst = appendPlace(dst, f.Offset, f.Epoch)
		dst = append(dst, '}')
	case *Welcome:
		dst = appendWelcome(dst, f)
	case *RoomUpdated:
		dst = append(dst, `{"type":"room_updated",`...)
		dst = appendSettings(dst, &f.Settings)
		dst = append(dst, '}')
	case *RoomDeleted:
		dst = appendText(dst, `{"type":"room_deleted","room":`, f.Room)
		dst = append(dst, '}')
	case *Removed:
		dst = appendText(dst, `{"type":"removed","room":`, f.Room)
		dst = appendText(dst, `,"code":`, f.Code)
		dst = appendOptional(dst, `,"reason":`, f.Reason)
		dst = append(dst, '}')
	case *Expiring:
		dst = appendInt(dst, `{"type":"expiring","in_ms":`, f.InMS)
		dst = append(dst, '}')
	case *Goaway:
		dst = appendInt(dst, `{"type":"goaway","reconnect_in_ms":`, f.ReconnectInMS)
		dst = append(dst, '}')
	case *Failure:
		dst = append(dst, `{"type":"error",`...)
		dst = appendError(dst, f.Error)
		dst = append(dst, '}')
	default:
		panic("wire: a frame that JSON does not know")
	}
	return dst, false
}

func appendWelcome(dst []byte, f *Welcome) []byte {
	dst = appendText(dst, `{"type":"welcome","connection":`, f.Connection)
	dst = appendText(dst, `,"session":`, f.Session)
	dst = appendText(dst, `,"user":`, f.User)
	dst = appendOptional(dst, `,"name":`, f.Name)
	dst = appendInt(dst, `,"at":`, f.At)
	if f.ExpiresAt != 0 {
		dst = appendInt(dst, `,"expires_at":`, f.ExpiresAt)
	}
	dst = appendInt(dst, `,"heartbeat_ms":`, f.HeartbeatMS)
	dst = append(dst, `,"limits":{`...)
	for i := range f.Limits {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, f.Limits[i].Name)
		dst = appendInt(dst, ":", f.Limits[i].Value)
	}
	return append(dst, "}}"...)
}

// appendError appends the member "error".
func appendError(dst []byte, e *Error) []byte {
	dst = appendText(dst, `"error":{"code":`, e.Code)
	dst = appendText(dst, `,"message":`, e.Message)
	dst = appendInt(dst, `,"retry_after_ms":`, e.RetryAfterMS)
	dst = appendOptional(dst, `,"id":`, e.ID)
	return append(dst, '}')
}

// appendPlace appends where in a log something stands, if in any.
func appendPlace(dst []byte, offset uint64, epoch string) []byte {
	if epoch == "" {
		return dst
	}
	dst = appendUint(dst, `,"offset":`, offset)
	return appendText(dst, `,"epoch":`, epoch)
}

// In those below, key is all that goes before the value.

func appendText(dst []byte, key, s string) []byte {
	return appendString(append(dst, key...), s)
}

// appendOptional appends nothing for an empty string.
func appendOptional(dst []byte, key, s string) []byte {
	if s == "" {
		return dst
	}
	return appendText(dst, key, s)
}

// appendObject appends nothing where there is no object.
func appendObject(dst []byte, key string, raw []byte) []byte {
	if len(raw) == 0 {
		return dst
	}
	return appendRaw(append(dst, key...), raw)
}

func appendInt(dst []byte, key string, n int64) []byte {
	return strconv.AppendInt(append(dst, key...), n, 10)
}

func appendUint(dst []byte, key string, n uint64) []byte {
	return strconv.AppendUint(append(dst, key...), n, 10)
}

func appendBool(dst []byte, key string, b bool) []byte {
	return strconv.AppendBool(append(dst, key...), b)
}
