package presence

import "time"

// A Kind tells events apart. The values are the message types of the wire
// protocol.
type Kind string

// The kinds of events.
const (
	Joined  Kind = "user_joined"
	Left    Kind = "user_left"
	Updated Kind = "presence_update"
)

// A Reason is why a user left. The values are those of the wire protocol.
type Reason string

// The reasons.
const (
	// ReasonLeft: the user wanted to.
	ReasonLeft Reason = "left"
	// ReasonDisconnected: the connection ended. Subject to [Options.Grace].
	ReasonDisconnected Reason = "disconnected"
	// ReasonTimeout: the connection, or the node that held it, was not heard of
	// any more. For a connection it is subject to [Options.Grace].
	ReasonTimeout Reason = "timeout"
	ReasonKicked  Reason = "kicked"
	ReasonBanned  Reason = "banned"
	// ReasonRevoked: the user may not be there any more.
	ReasonRevoked Reason = "access_revoked"
	// ReasonSilent is for leaving without an announcement, as when a room is
	// deleted and everyone hears of that.
	ReasonSilent Reason = ""
)

// lingers reports whether the user may be back in a moment.
func (r Reason) lingers() bool { return r == ReasonDisconnected || r == ReasonTimeout }

// An Event is one change of what others see of a user.
type Event struct {
	Kind Kind
	// Room is where; empty for presence everywhere.
	Room string
	User string
	// Name is the user's display name, as far as it is known.
	Name string
	// Connection is the one that brought the change about, when one did.
	Connection string
	// Status and Meta are the user's from now on: Offline and nil on Left.
	// Nobody modifies the bytes of Meta.
	Status Status
	Meta   []byte
	// Reason is set on Left.
	Reason Reason
	// At is when it happened by the clock of the node that wrote it down, in
	// milliseconds.
	At time.Time
	// Revision grows with each change in the room, on whichever node it was
	// made. Each node announces its own changes in order; of two events about
	// one user that come from two nodes, the one with the higher Revision holds.
	Revision uint64
}
