// Package wire is the seam between wardroom and the bytes on its sockets.
//
// The rest of the library speaks in [Request] (what a client asked) and
// [Frame] (what a server says) and never sees an encoding. A [Codec], chosen
// once at the handshake by WebSocket subprotocol, turns one into the other.
// [JSON] is wardroom.v1.json, the envelope published in docs/PROTOCOL.md.
package wire

// Codec encodes and decodes one subprotocol. Implementations are safe for
// concurrent use and keep no state between calls.
type Codec interface {
	// Subprotocol is the name negotiated in Sec-WebSocket-Protocol.
	Subprotocol() string

	// Decode fills req from one complete WebSocket message. It resets req
	// first. req.Data and req.Meta alias message; every other field is a copy.
	//
	// A non-nil Error is what to tell the client. Whenever the message
	// carried one valid ref, req.Ref holds it even then, so that the reply
	// can bear it; all else in req is zero then.
	Decode(message []byte, binary bool, req *Request) *Error

	// Append appends the encoding of f to dst and returns the extended
	// slice, and whether it belongs in a binary WebSocket message.
	Append(dst []byte, f Frame) (out []byte, binary bool)
}

// Request types, the "type" of a client's envelope.
const (
	TypeAuth     = "auth"
	TypeJoin     = "join"
	TypeLeave    = "leave"
	TypeMessage  = "message"
	TypeEdit     = "edit"
	TypeRedact   = "redact"
	TypePresence = "presence"
	TypeMembers  = "members"
	TypeHistory  = "history"
	TypeCreate   = "create"
	TypeUpdate   = "update"
	TypeSettings = "settings"
	TypeDelete   = "delete"
	TypeInvite   = "invite"
	TypeUninvite = "uninvite"
	TypeKick     = "kick"
	TypeBan      = "ban"
	TypeUnban    = "unban"
	TypeMute     = "mute"
	TypeUnmute   = "unmute"
	TypeCall     = "call"
	TypePing     = "ping"
)

// MaxInteger is the largest integer that every JSON implementation carries
// exactly (RFC 8259, section 6): 2^53−1.
const MaxInteger = 1<<53 - 1

// Request is one decoded client message. Fields that the request's type does
// not use are zero, whatever the client sent in them.
type Request struct {
	Type string
	// Ref is 0 when the client asked for no reply, else 1 to MaxInteger.
	Ref int64

	Room       string
	Event      string // empty: not sent
	ID         string // the client's idempotency key; empty: not sent
	User       string
	Token      string
	Reason     string
	Status     string
	Permission string // empty: not sent

	// Data is the raw "data" value, or the payload of a binary message. It
	// aliases the decoded message. Nil when it was not sent.
	Data []byte
	// Binary says that Data is a binary payload and not JSON.
	Binary bool
	// Meta is a raw JSON object, nil when it was not sent. It aliases the
	// decoded message.
	Meta []byte

	// NoStore is "store":false. NoEcho is "echo":false.
	NoStore, NoEcho bool

	// Since is where a rejoining client left off, nil when it was not sent.
	Since *Position
	// Last is how many of the newest messages a joining client wants.
	Last int
	// Limit is the page size asked for, 0 when it was not sent.
	Limit int
	// Before and After bound a history page, 0 when not sent. A "before" of 0 is
	// 1 here: nothing is before either.
	Before, After uint64
	// HasAfter tells an "after" of 0, which is the start of the log, from one
	// that was not sent.
	HasAfter bool
	// Cursor is the "after" of a members request.
	Cursor string
	// Target is the offset that an edit or redaction speaks of.
	Target uint64
	// ForMS is the length of a ban or mute in milliseconds, 0 for ever.
	ForMS int64

	// Roles and Invited are nil when not sent; empty means "none".
	Roles, Invited []string
	// MaxMembers is nil when not sent.
	MaxMembers *int
}

// Position is a place in a room's log.
type Position struct {
	Epoch  string
	Offset uint64
}

// Error is a refusal as the client sees it. Message is safe to show to anyone.
type Error struct {
	Code    string
	Message string
	// RetryAfterMS is in milliseconds; 0 when waiting does not help.
	RetryAfterMS int64
	// ID finds the hidden cause in the server's log; empty when nothing is
	// hidden.
	ID string
}

// Frame is anything that a server sends: a pointer to one of the types of this
// package whose doc comment starts with its envelope type.
type Frame interface{ frame() }

// Welcome is "welcome", the first frame on every connection.
type Welcome struct {
	Connection, Session, User, Name string
	At, ExpiresAt, HeartbeatMS      int64 // ExpiresAt 0: never
	Limits                          []Limit
}

// Limit is one entry of a welcome's limits.
type Limit struct {
	Name  string
	Value int64
}

// Message is "message".
type Message struct {
	Room, Event, From, ID string
	// Data is a JSON value, or the payload when Binary.
	Data   []byte
	Binary bool
	At     int64
	// Offset is 0, and Epoch empty, where the message has no place in a log.
	Offset uint64
	Epoch  string
	// Redacted messages appear in replies only and have no Data.
	Redacted bool
	// Target makes it an edit, or with Redacted a redaction, of the message
	// with that offset, as a reply to join brings back those that were
	// missed. Edits and redactions that happen now are Edited and Redacted.
	Target uint64
}

// Edited is "message_edited".
type Edited struct {
	Room, From string
	Target     uint64
	Data       []byte
	At         int64
	Offset     uint64
	Epoch      string
}

// Redacted is "message_redacted".
type Redacted struct {
	Room, From string
	Target     uint64
	At         int64
	Offset     uint64
	Epoch      string
}

// Joined is "user_joined".
type Joined struct {
	Room, User, Name string
	At               int64
}

// Left is "user_left".
type Left struct {
	Room, User, Name, Reason string
	At                       int64
}

// PresenceUpdate is "presence_update".
type PresenceUpdate struct {
	Room, User, Status string
	Meta               []byte // a JSON object, or nil
	At                 int64
}

// RoomUpdated is "room_updated".
type RoomUpdated struct{ Settings Settings }

// RoomDeleted is "room_deleted".
type RoomDeleted struct{ Room string }

// Removed is "removed".
type Removed struct{ Room, Code, Reason string }

// Expiring is "expiring".
type Expiring struct{ InMS int64 }

// Goaway is "goaway".
type Goaway struct{ ReconnectInMS int64 }

// Failure is "error", a refusal with no ref to answer.
type Failure struct{ Error *Error }

// Reply is "reply". Exactly one of Data and Error is set; a nil Data with a
// nil Error is a success without data.
type Reply struct {
	Ref   int64
	Data  Result
	Error *Error
}

func (*Welcome) frame()        {}
func (*Message) frame()        {}
func (*Edited) frame()         {}
func (*Redacted) frame()       {}
func (*Joined) frame()         {}
func (*Left) frame()           {}
func (*PresenceUpdate) frame() {}
func (*RoomUpdated) frame()    {}
func (*RoomDeleted) frame()    {}
func (*Removed) frame()        {}
func (*Expiring) frame()       {}
func (*Goaway) frame()         {}
func (*Failure) frame()        {}
func (*Reply) frame()          {}

// Result is the data of a successful Reply: a pointer to one of the types
// below, or [Raw].
type Result interface{ result() }

// AuthResult answers auth.
type AuthResult struct {
	User      string
	ExpiresAt int64 // 0: never
}

// JoinResult answers join.
type JoinResult struct {
	Room, Permission string
	Members          []Member
	// Next continues Members with a members request; empty when all are here.
	Next      string
	Epoch     string
	Offset    uint64
	Recovered bool
	Messages  []Message
}

// RoomResult answers leave and delete.
type RoomResult struct{ Room string }

// RoomUserResult answers the moderation requests.
type RoomUserResult struct{ Room, User string }

// PublishResult answers message. Epoch and Offset are absent where the
// message was not stored.
type PublishResult struct {
	Offset    uint64
	Epoch     string
	At        int64
	Duplicate bool
}

// ChangeResult answers edit and redact.
type ChangeResult struct {
	Offset uint64
	At     int64
}

// StatusResult answers presence.
type StatusResult struct{ Status string }

// Member is one user in a room.
type Member struct {
	User, Name, Status string
	Meta               []byte // a JSON object, or nil
	Since              int64  // milliseconds since the Unix epoch
	Connections        int
}

// MembersResult answers members.
type MembersResult struct {
	Members []Member
	Next    string // empty on the last page
}

// HistoryResult answers history.
type HistoryResult struct {
	Messages []Message
	Epoch    string
	More     bool
}

// Settings answers create, update and settings, and is what "room_updated"
// carries.
type Settings struct {
	Room, Permission, Owner string // Owner empty: the host's own room
	Roles, Invited          []string
	// ShowInvited says whether Invited is sent: only those who may change it
	// see it.
	ShowInvited bool
	MaxMembers  int
	Version     int64
	CreatedAt   int64 // 0: not sent
}

// PingResult answers ping.
type PingResult struct{ At int64 }

// Raw is a JSON value that a host's handler returned.
type Raw []byte

func (*AuthResult) result()     {}
func (*JoinResult) result()     {}
func (*RoomResult) result()     {}
func (*RoomUserResult) result() {}
func (*PublishResult) result()  {}
func (*ChangeResult) result()   {}
func (*StatusResult) result()   {}
func (*MembersResult) result()  {}
func (*HistoryResult) result()  {}
func (*Settings) result()       {}
func (*PingResult) result()     {}
func (Raw) result()             {}
