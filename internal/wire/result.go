package wire

func appendReply(dst []byte, f *Reply) []byte {
	dst = appendInt(dst, `{"type":"reply","ref":`, f.Ref)
	if f.Error != nil {
		dst = append(dst, `,"ok":false,`...)
		dst = appendError(dst, f.Error)
		return append(dst, '}')
	}
	dst = append(dst, `,"ok":true,"data":`...)
	dst = appendResult(dst, f.Data)
	return append(dst, '}')
}

func appendResult(dst []byte, r Result) []byte {
	if raw, ok := r.(Raw); ok {
		return appendRaw(dst, raw)
	}
	dst = append(dst, '{')
	switch r := r.(type) {
	case nil:
	case *PublishResult:
		if r.Epoch != "" {
			dst = appendUint(dst, `"offset":`, r.Offset)
			dst = appendText(dst, `,"epoch":`, r.Epoch)
			dst = append(dst, ',')
		}
		dst = appendInt(dst, `"at":`, r.At)
		if r.Duplicate {
			dst = append(dst, `,"duplicate":true`...)
		}
	case *JoinResult:
		dst = appendJoin(dst, r)
	case *MembersResult:
		dst = appendMembers(dst, `"members":`, r.Members)
		dst = appendOptional(dst, `,"next":`, r.Next)
	case *HistoryResult:
		dst = appendMessages(dst, `"messages":`, r.Messages)
		dst = appendText(dst, `,"epoch":`, r.Epoch)
		dst = appendBool(dst, `,"more":`, r.More)
	case *ChangeResult:
		dst = appendUint(dst, `"offset":`, r.Offset)
		dst = appendInt(dst, `,"at":`, r.At)
	case *AuthResult:
		dst = appendText(dst, `"user":`, r.User)
		if r.ExpiresAt != 0 {
			dst = appendInt(dst, `,"expires_at":`, r.ExpiresAt)
		}
	case *Settings:
		dst = appendSettings(dst, r)
	case *RoomResult:
		dst = appendText(dst, `"room":`, r.Room)
	case *RoomUserResult:
		dst = appendText(dst, `"room":`, r.Room)
		dst = appendText(dst, `,"user":`, r.User)
	case *StatusResult:
		dst = appendText(dst, `"status":`, r.Status)
	case *PingResult:
		dst = appendInt(dst, `"at":`, r.At)
	default:
		panic("wire: a result that JSON does not know")
	}
	return append(dst, '}')
}

func appendJoin(dst []byte, r *JoinResult) []byte {
	dst = appendText(dst, `"room":`, r.Room)
	dst = appendText(dst, `,"permission":`, r.Permission)
	dst = appendMembers(dst, `,"members":`, r.Members)
	dst = appendOptional(dst, `,"next":`, r.Next)
	if r.Epoch != "" {
		dst = appendText(dst, `,"epoch":`, r.Epoch)
		dst = appendUint(dst, `,"offset":`, r.Offset)
	}
	dst = appendBool(dst, `,"recovered":`, r.Recovered)
	return appendMessages(dst, `,"messages":`, r.Messages)
}

func appendMembers(dst []byte, key string, members []Member) []byte {
	dst = append(dst, key...)
	dst = append(dst, '[')
	for i := range members {
		m := &members[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(dst, `{"user":`, m.User)
		dst = appendOptional(dst, `,"name":`, m.Name)
		dst = appendText(dst, `,"status":`, m.Status)
		dst = appendObject(dst, `,"meta":`, m.Meta)
		dst = appendInt(dst, `,"since":`, m.Since)
		dst = appendInt(dst, `,"connections":`, int64(m.Connections))
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// appendSettings appends the members of a room's settings, without braces.
func appendSettings(dst []byte, s *Settings) []byte {
	dst = appendText(dst, `"room":`, s.Room)
	dst = appendText(dst, `,"permission":`, s.Permission)
	dst = appendOptional(dst, `,"owner":`, s.Owner)
	dst = appendStrings(dst, `,"roles":`, s.Roles)
	if s.ShowInvited {
		dst = appendStrings(dst, `,"invited":`, s.Invited)
	}
	dst = appendInt(dst, `,"max_members":`, int64(s.MaxMembers))
	dst = appendInt(dst, `,"version":`, s.Version)
	if s.CreatedAt != 0 {
		dst = appendInt(dst, `,"created_at":`, s.CreatedAt)
	}
	return dst
}

func appendStrings(dst []byte, key string, list []string) []byte {
	dst = append(dst, key...)
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return append(dst, ']')
}
