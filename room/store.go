package room

import (
	"context"
	"errors"
	"time"
)

// What a [Store] and a [Broker] answer, wrapped or not. Every other error is
// taken for ErrUnavailable.
var (
	// ErrNoRoom: there is no record of this room.
	ErrNoRoom = errors.New("no such room")
	// ErrRoomExists: there is a record of this room.
	ErrRoomExists = errors.New("room exists")
	// ErrConflict: the record has another version than the caller's.
	ErrConflict = errors.New("room has changed")
	// ErrRoomFull: as many users are in as are allowed.
	ErrRoomFull = errors.New("room is full")
	// ErrNoMessage: there is no such message in the log.
	ErrNoMessage = errors.New("no such message")
	// ErrBanned: the user is banned from the room.
	ErrBanned = errors.New("banned from room")
	// ErrTooManySanctions: the room has MaxSanctions.
	ErrTooManySanctions = errors.New("too many sanctions in room")
	// ErrUnavailable: it is not known whether anything was done.
	ErrUnavailable = errors.New("store unavailable")
)

// Record is what a Store knows of a room. The slices of a record that a Store
// was given, or returned, are not modified by anyone afterwards. A Store keeps
// every field, CreatedAt to the millisecond; a slice without elements may come
// back as nil.
type Record struct {
	Room       string     `json:"room"`
	Owner      string     `json:"owner,omitempty"` // a user ID; empty: the host
	Permission Permission `json:"permission"`
	Roles      []string   `json:"roles,omitempty"`
	Invited    []string   `json:"invited,omitempty"`    // user IDs
	Moderators []string   `json:"moderators,omitempty"` // user IDs
	MaxMembers int        `json:"max_members"`
	// Version counts the changes, from 1. 0 means that there is no record
	// and the room's pattern alone speaks.
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at,omitzero"`
}

// Sanction is what can be laid on a user in one room.
type Sanction uint8

// MaxSanctions is how many bans and mutes that last a room has at most, so that
// no moderator fills a store with them. Whoever needs more has a list of their
// own, for [OnJoin] to ask.
const MaxSanctions = 10_000

// The sanctions.
const (
	Ban  Sanction = iota + 1 // may not be in the room
	Mute                     // may not say anything in the room
)

// forever is the end of a sanction that has none.
var forever = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// Admission is what Admit says of one who was let in.
type Admission struct {
	// First: the user was not in the room before.
	First bool
	// Muted is until when the user is muted; zero when not.
	Muted time.Time
}

// BannedError is the ErrBanned of a ban that ends.
type BannedError struct{ Until time.Time }

func (e *BannedError) Error() string { return ErrBanned.Error() }

// Is makes a BannedError an [ErrBanned].
func (e *BannedError) Is(target error) bool { return target == ErrBanned }

// Seat is one connection of one user in one room. Connection is unique among
// all connections on all nodes.
type Seat struct {
	Room       string
	User       string
	Name       string // the user's display name
	Connection string
	Node       string // see [NodeStore]
}

// Member is one user in a room.
type Member struct {
	User string
	// Name is the one in the Seat with which the user came.
	Name string
	// Since is when the user came, to the millisecond: when Admit said First.
	Since time.Time
	// Connections is how many there are.
	Connections int
}

// EmptyRoom is a room that has a record and in which nobody is.
type EmptyRoom struct {
	Room string
	// Since is when the last member left or the record was made, whichever
	// was later, to the millisecond.
	Since time.Time
}

// Store keeps the rooms' records and who is in each. A store may be shared by
// many nodes; everything it does is atomic across all of them.
//
// Rooms have nothing to do with each other. Names of rooms and users are
// compared byte by byte. What is in a room, members and sanctions, needs no
// record.
//
// Implementations are safe for concurrent use. They honour the context's
// deadline, and when they fail by it may or may not have done what was asked.
// Any other failure has changed nothing. roomtest.TestStore checks all that is
// said here.
type Store interface {
	// Create adds a record with Version 1, whatever rec.Version says, and
	// returns it, or ErrRoomExists. Members and sanctions stay.
	Create(ctx context.Context, rec Record) (Record, error)

	// Record returns the record of a room, or ErrNoRoom.
	Record(ctx context.Context, room string) (Record, error)

	// Update replaces the record with rec and the next version, and returns
	// it. It fails with ErrConflict unless rec.Version is that of the
	// present record; a rec.Version of 0 stands for "no record yet". Members
	// and sanctions stay.
	Update(ctx context.Context, rec Record) (Record, error)

	// Delete removes the record, all sanctions and all members. ErrNoRoom
	// says that there was no record; the rest is removed even then.
	Delete(ctx context.Context, room string) error

	// Admit adds a connection to the room in one step with the checks that
	// it still may enter, in this order: ErrConflict when the record's version
	// is not version (0: no record), a *[BannedError] when the user is banned,
	// ErrRoomFull when the user is not in yet and maxMembers users, or more,
	// are. Of any number of calls at once for one user that was not in,
	// exactly one is told that it was the first. Admitting a connection that
	// is in already makes the same checks and changes nothing (but see
	// [NodeStore]).
	Admit(ctx context.Context, s Seat, version int64, maxMembers int) (Admission, error)

	// Owned counts the records whose Owner is the user; nobody owns those
	// without an Owner, so that for an empty ID it is 0.
	Owned(ctx context.Context, user string) (int, error)

	// Empty returns up to limit rooms, at least 1, that are empty since before
	// the given time, in any order.
	Empty(ctx context.Context, before time.Time, limit int) ([]EmptyRoom, error)

	// DeleteEmpty is Delete for a room that is still empty since before the
	// given time, and reports whether it was. A room that it reports false for
	// has not changed, whether there is one or not.
	DeleteEmpty(ctx context.Context, room string, before time.Time) (bool, error)

	// Sanction lays a sanction on a user until some time, replacing one of
	// the same kind. From that time on, which is kept to the millisecond, it
	// is as if it had been lifted. A ban does not remove who is in.
	//
	// It fails with ErrTooManySanctions when the room has MaxSanctions already
	// and the user has none of the kind. Those that end within three minutes
	// need not be counted.
	Sanction(ctx context.Context, room, user string, kind Sanction, until time.Time) error

	// Lift takes a sanction back. One that is not there is no error.
	Lift(ctx context.Context, room, user string, kind Sanction) error

	// Dismiss removes a connection and reports whether it was the user's
	// last in the room: for each Admit that said First, exactly one Dismiss
	// does, unless the room is deleted. Dismissing one that is not in is no
	// error and reports false.
	Dismiss(ctx context.Context, s Seat) (last bool, err error)

	// Members returns up to limit users, at least 1, in the order of their
	// IDs' bytes, the first one being the least that is greater than after,
	// and whether there are more. The caller owns the slice. An unknown room
	// is empty.
	Members(ctx context.Context, room, after string, limit int) (members []Member, more bool, err error)
}
