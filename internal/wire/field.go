package wire

// field is a name that the envelope of a request knows.
type field uint8

const (
	fieldUnknown  field = iota
	fieldReserved       // a name that could reach an object's prototype
	fieldType
	fieldRef
	fieldRoom
	fieldEvent
	fieldID
	fieldUser
	fieldToken
	fieldReason
	fieldStatus
	fieldPermission
	fieldData
	fieldMeta
	fieldStore
	fieldEcho
	fieldSince
	fieldLast
	fieldLimit
	fieldBefore
	fieldAfter
	fieldTarget
	fieldForMS
	fieldRoles
	fieldInvited
	fieldMaxMembers

	fieldCount
)

// String returns the name as it stands in an envelope.
func (f field) String() string {
	return [fieldCount]string{
		fieldType:       "type",
		fieldRef:        "ref",
		fieldRoom:       "room",
		fieldEvent:      "event",
		fieldID:         "id",
		fieldUser:       "user",
		fieldToken:      "token",
		fieldReason:     "reason",
		fieldStatus:     "status",
		fieldPermission: "permission",
		fieldData:       "data",
		fieldMeta:       "meta",
		fieldStore:      "store",
		fieldEcho:       "echo",
		fieldSince:      "since",
		fieldLast:       "last",
		fieldLimit:      "limit",
		fieldBefore:     "before",
		fieldAfter:      "after",
		fieldTarget:     "target",
		fieldForMS:      "for_ms",
		fieldRoles:      "roles",
		fieldInvited:    "invited",
		fieldMaxMembers: "max_members",
	}[f]
}

// fieldNamed finds the field of a name without its quotes and escapes.
func fieldNamed(name []byte) field {
	switch string(name) {
	case "type":
		return fieldType
	case "ref":
		return fieldRef
	case "room":
		return fieldRoom
	case "event":
		return fieldEvent
	case "id":
		return fieldID
	case "user":
		return fieldUser
	case "token":
		return fieldToken
	case "reason":
		return fieldReason
	case "status":
		return fieldStatus
	case "permission":
		return fieldPermission
	case "data":
		return fieldData
	case "meta":
		return fieldMeta
	case "store":
		return fieldStore
	case "echo":
		return fieldEcho
	case "since":
		return fieldSince
	case "last":
		return fieldLast
	case "limit":
		return fieldLimit
	case "before":
		return fieldBefore
	case "after":
		return fieldAfter
	case "target":
		return fieldTarget
	case "for_ms":
		return fieldForMS
	case "roles":
		return fieldRoles
	case "invited":
		return fieldInvited
	case "max_members":
		return fieldMaxMembers
	case "__proto__", "constructor", "prototype":
		return fieldReserved
	}
	return fieldUnknown
}

// fields is a set of fields, one bit each.
type fields uint32

func (s fields) has(f field) bool { return s&(1<<f) != 0 }

// requestType finds the request type of a name. It returns the name as a
// constant, which costs no allocation, with the fields that requests of the
// type use, and those among them that must be there. An unknown name gives "".
func requestType(name []byte) (typ string, uses, needs fields) {
	const (
		room     = 1 << fieldRoom
		event    = 1 << fieldEvent
		data     = 1 << fieldData
		target   = 1 << fieldTarget
		reason   = 1 << fieldReason
		limit    = 1 << fieldLimit
		status   = 1 << fieldStatus
		token    = 1 << fieldToken
		settings = room | 1<<fieldPermission | 1<<fieldRoles | 1<<fieldInvited | 1<<fieldMaxMembers
		moderate = room | 1<<fieldUser | reason | 1<<fieldForMS
	)
	switch string(name) {
	case TypeMessage:
		return TypeMessage, room | event | data | 1<<fieldID | 1<<fieldStore | 1<<fieldEcho, data
	case TypeCall:
		return TypeCall, room | event | data, 0
	case TypePing:
		return TypePing, 0, 0
	case TypeAuth:
		return TypeAuth, token, token
	case TypeJoin:
		return TypeJoin, room | 1<<fieldSince | 1<<fieldLast, 0
	case TypeLeave:
		return TypeLeave, room, 0
	case TypeEdit:
		return TypeEdit, room | target | data, target | data
	case TypeRedact:
		return TypeRedact, room | target | reason, target
	case TypePresence:
		return TypePresence, room | status | 1<<fieldMeta, status
	case TypeMembers:
		return TypeMembers, room | 1<<fieldAfter | limit, 0
	case TypeHistory:
		return TypeHistory, room | 1<<fieldBefore | 1<<fieldAfter | limit, 0
	case TypeCreate:
		return TypeCreate, settings, 0
	case TypeUpdate:
		return TypeUpdate, settings, 0
	case TypeSettings:
		return TypeSettings, room, 0
	case TypeDelete:
		return TypeDelete, room, 0
	case TypeInvite:
		return TypeInvite, moderate, 0
	case TypeUninvite:
		return TypeUninvite, moderate, 0
	case TypeKick:
		return TypeKick, moderate, 0
	case TypeBan:
		return TypeBan, moderate, 0
	case TypeUnban:
		return TypeUnban, moderate, 0
	case TypeMute:
		return TypeMute, moderate, 0
	case TypeUnmute:
		return TypeUnmute, moderate, 0
	}
	return "", 0, 0
}
