package room

import (
	"context"
	"errors"
	"slices"
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
	// ErrUnavailable: it is not known whether anything was done.
	ErrUnavailable = errors.New("store unavailable")
)

// Record is what a Store knows of a room. The slices of a record that a Store
// was given, or returned, are not modified by anyone afterwards.
type Record struct {
	Room       string     `json:"room"`
	Owner      string     `json:"owner,omitempty"` // a user ID; empty: the host
	Permission Permission `json:"permission"`
	Roles      []string   `json:"roles,omitempty"`
	Invited    []string   `json:"invited,omitempty"` // user IDs
	MaxMembers int        `json:"max_members"`
	// Version counts the changes, from 1. 0 means that there is no record
	// and the room's pattern alone speaks.
	Version   int64     `json:"version"`
	CreatedAt time.Time `json:"created_at,omitzero"`
}

func (r Record) equalAccess(other *Record) bool {
	return r.Permission == other.Permission && r.Owner == other.Owner &&
		slices.Equal(r.Roles, other.Roles) && slices.Equal(r.Invited, other.Invited)
}

// Seat is one connection of one user in one room.
type Seat struct {
	Room       string
	User       string
	Name       string // the user's display name
	Connection string
	Node       string
}

// Member is one user in a room.
type Member struct {
	User string
	Name string
	// Since is when the first of the connections that are there came.
	Since time.Time
	// Connections is how many there are.
	Connections int
}

// Store keeps the rooms' records and who is in each. A store may be shared by
// many nodes; everything it does is atomic across all of them.
//
// Implementations are safe for concurrent use. They honour the context's
// deadline, and when they fail by it may or may not have done what was asked.
// roomtest.TestStore checks all that is said here.
type Store interface {
	// Create adds a record with Version 1, whatever rec.Version says, and
	// returns it, or ErrRoomExists.
	Create(ctx context.Context, rec Record) (Record, error)

	// Record returns the record of a room, or ErrNoRoom.
	Record(ctx context.Context, room string) (Record, error)

	// Update replaces the record with rec and the next version, and returns
	// it. It fails with ErrConflict unless rec.Version is that of the
	// present record; a rec.Version of 0 stands for "no record yet".
	Update(ctx context.Context, rec Record) (Record, error)

	// Delete removes the record and all members. ErrNoRoom says that there
	// was no record; the members are removed even then.
	Delete(ctx context.Context, room string) error

	// Admit adds a connection to the room in one step with the checks that
	// it still may enter: ErrConflict when the record's version is not
	// version (0: no record), ErrRoomFull when the user is not in yet and
	// maxMembers users are. It reports whether the user is new to the room:
	// of any number of calls at once for one user, exactly one is told so.
	// Admitting a connection that is in already changes nothing.
	Admit(ctx context.Context, s Seat, version int64, maxMembers int) (first bool, err error)

	// Dismiss removes a connection and reports whether it was the user's
	// last in the room. Dismissing one that is not in is no error and
	// reports false.
	Dismiss(ctx context.Context, s Seat) (last bool, err error)

	// Members returns up to limit users in the order of their IDs, the
	// first one being the least that is greater than after, and whether
	// there are more. The caller owns the slice. An unknown room is empty.
	Members(ctx context.Context, room, after string, limit int) (members []Member, more bool, err error)
}
