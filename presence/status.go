package presence

// A Status is how present a user or a connection is. The values are those of
// the wire protocol.
type Status string

// The statuses, the most present first.
const (
	// Online is the status of a connection that was set to no other.
	Online Status = "online"
	// Away is set by the user, or by [Options.AwayAfter].
	Away Status = "away"
	// Offline, for a connection, is invisible: it is there, and others do not
	// see it. For a user it is what others see when there is nothing to see.
	Offline Status = "offline"
)

// Valid reports whether s is one of the three statuses.
func (s Status) Valid() bool { return s == Online || s == Away || s == Offline }

// visible reports whether others see a connection with this status.
func (s Status) visible() bool { return s == Online || s == Away }
