package wire

import "math/bits"

// fill sets req from the values that scan has noted.
func (d *decoder) fill(form form, req *Request) *Error {
	// The ref comes first, so that every refusal after it can bear it.
	if raw := d.values[fieldRef]; given(raw) {
		ref, ok := integer(raw)
		if !ok || ref == 0 {
			return badRequest("ref must be an integer from 1 to 9007199254740991")
		}
		req.Ref = ref
	}
	if d.sent.has(fieldReserved) {
		return badRequest("the envelope has a member with a reserved name")
	}

	raw := d.values[fieldType]
	if !given(raw) {
		return missing(fieldType)
	}
	if raw[0] != '"' {
		return notString(fieldType)
	}
	typ, uses, needs := requestType(unquoted(raw))
	switch {
	case typ == "":
		return badRequest("type is not known")
	case form == binaryForm && typ != TypeMessage:
		return badRequest("a binary message must have the type message")
	case form == binaryForm && d.sent.has(fieldData):
		return badRequest("data may not be in the header of a binary message")
	case form == binaryForm:
		needs &^= 1 << fieldData
	}
	req.Type = typ

	for left := uses & d.sent; left != 0; left &= left - 1 {
		f := field(bits.TrailingZeros32(uint32(left)))
		if !given(d.values[f]) && !(f == fieldData && needs.has(fieldData)) {
			d.sent &^= 1 << f
			continue
		}
		if refused := d.set(req, f); refused != nil {
			return refused
		}
	}
	d.texts.assign()

	if lacks := needs &^ d.sent; lacks != 0 {
		return missing(field(bits.TrailingZeros32(uint32(lacks))))
	}
	return nil
}

// given says whether a value was sent: null is the same as leaving it out.
func given(raw []byte) bool { return len(raw) > 0 && raw[0] != 'n' }

// set sets the one field of req that f is for.
func (d *decoder) set(req *Request, f field) *Error {
	raw := d.values[f]
	switch f {
	case fieldData:
		req.Data = raw
		return nil
	case fieldRoom:
		if len(raw) == len(`""`) && raw[0] == '"' {
			return &Error{Code: codeInvalidRoom, Message: "A room's name is 1 to 64 of A-Z a-z 0-9 _ - . and :"}
		}
		return d.text(&req.Room, f)
	case fieldEvent:
		if len(raw) == len(`""`) && raw[0] == '"' {
			return &Error{Code: codeInvalidEvent, Message: "event must not be empty"}
		}
		return d.text(&req.Event, f)
	case fieldID:
		return d.text(&req.ID, f)
	case fieldUser:
		return d.text(&req.User, f)
	case fieldToken:
		return d.text(&req.Token, f)
	case fieldReason:
		return d.text(&req.Reason, f)
	case fieldStatus:
		return d.text(&req.Status, f)
	case fieldPermission:
		if len(raw) == len(`""`) && raw[0] == '"' {
			return badRequest("permission must not be empty")
		}
		return d.text(&req.Permission, f)
	case fieldStore:
		return negated(&req.NoStore, raw, f)
	case fieldEcho:
		return negated(&req.NoEcho, raw, f)
	case fieldAfter:
		// An offset in history, a cursor in members.
		if req.Type == TypeMembers {
			return d.text(&req.Cursor, f)
		}
	case fieldMeta:
		return d.meta(req, raw)
	case fieldSince:
		return d.since(req, raw)
	case fieldRoles:
		return d.strings(&req.Roles, raw, f)
	case fieldInvited:
		return d.strings(&req.Invited, raw, f)
	}

	n, ok := integer(raw)
	if !ok {
		return notInteger(f.String())
	}
	switch f {
	case fieldLast:
		req.Last = toInt(n)
	case fieldLimit:
		req.Limit = toInt(n)
	case fieldBefore:
		req.Before = uint64(max(n, 1)) // nothing is before 0 as nothing is before 1
	case fieldAfter:
		req.After, req.HasAfter = uint64(n), true
	case fieldTarget:
		if n == 0 {
			return badRequest("target must be an integer from 1 to 9007199254740991")
		}
		req.Target = uint64(n)
	case fieldForMS:
		req.ForMS = n
	case fieldMaxMembers:
		m := toInt(n)
		req.MaxMembers = &m
	}
	return nil
}
