package presence

import (
	"context"
	"errors"
	"time"
)

// What a [Store] answers, wrapped or not. Any other error says that it is not
// known whether anything was done.
var (
	// ErrLapsed: the node's lease has lapsed. It cannot be renewed.
	ErrLapsed = errors.New("presence: lease has lapsed")
	// ErrLost: what the batch builds upon is not what the store holds. Nothing
	// was done.
	ErrLost = errors.New("presence: store does not hold what the node has written")
)

// A Scope is where presence is counted: in a room, or everywhere for one user.
// One of the two is set.
type Scope struct {
	Room string
	User string
}

// An Entry is one connection in one scope. Nobody modifies the bytes of Meta
// once it was handed over.
type Entry struct {
	User       string
	Connection string // unique among all users, nodes and times
	Node       string // whose lease it lives by
	Name       string
	Status     Status
	// Meta and MetaAt are what was set, and when; nil and the zero time when
	// nothing was.
	Meta   []byte
	MetaAt time.Time
	Since  time.Time
}

// An Action is what a [Change] does.
type Action uint8

// The actions.
const (
	// Put adds Entry, or replaces the one of the same user and connection,
	// whichever node that belonged to.
	Put Action = iota + 1
	// Amend replaces the entry of the same user and connection, and does
	// nothing when there is none.
	Amend
	// Remove removes the entry of Entry.User and Entry.Connection, whichever
	// node it belongs to.
	Remove
	// RemoveUser removes all entries of Entry.User.
	RemoveUser
	// RemoveNode removes up to Limit entries of Entry.Node.
	RemoveNode
)

// A Change is one step of a [Batch].
type Change struct {
	Action Action
	Entry  Entry
	Limit  int // of RemoveNode; at least 1
}

// A Batch is a list of changes in one scope that are made as one.
type Batch struct {
	Scope Scope
	// Node is who makes the changes. Entries in Put and Amend are its own.
	Node string
	// Op numbers the node's batches, upwards from 1, not necessarily without
	// gaps. Prev is the Op of the batch before this one in the scope; 0 when the
	// node has no entries there. In one scope a node makes one batch at a time.
	Op, Prev uint64
	// Bare says that the node has no entries in the scope as far as it knows, and
	// wants to hear of it if the store has some. Prev is 0 with it.
	Bare bool
	// At is the node's time, in milliseconds.
	At      time.Time
	Changes []Change
}

// An Outcome is what a [Batch] has done.
type Outcome struct {
	// Transitions has one element for each user that a change named, and each
	// whose entries were removed by RemoveNode, in the order of their IDs.
	Transitions []Transition
	// Users is how many users are in the scope now.
	Users int
	// More says that RemoveNode has left entries behind, because of its limit.
	More bool
	// Revision is greater than that of every batch in this scope before.
	Revision uint64
}

// A Transition is what a user had in the scope before a batch and after it, in
// the order of the connections' IDs.
type Transition struct {
	User          string
	Before, After []Entry
}

// A Lease is the store's answer to a beat.
type Lease struct {
	// Fresh says that the store had not heard of the node before.
	Fresh bool
	// Lapsed says that there are nodes whose lease has lapsed and which have not
	// been forgotten.
	Lapsed bool
	// Next is how long it is until the next lease of another node lapses if no
	// more is heard of that one; zero when there is no such lease.
	Next time.Duration
}

// An Orphan is a scope in which a node that has died may have entries.
type Orphan struct {
	Node  string
	Scope Scope
}

// A Record is what a store holds of one user in one scope.
type Record struct {
	User string
	// Entries are in the order of the connections' IDs. They are none for a
	// user who is not there.
	Entries []Entry
	// Seen is the Batch.At of the batch after which the user had no visible
	// entry any more: none, or all Offline. A store knows it for scopes of users,
	// for a day at least unless there are too many; otherwise, and while the
	// user is visible, it is zero.
	Seen time.Time
}

// A Store holds who is where. It may be shared by many nodes, and what each
// method does is atomic across all of them.
//
// # Contract
//
// A node lives by a lease, not its entries: what it costs to keep them alive
// does not grow with their number.
//
//   - Beat gives a node that is not known a lease for ttl from now, or renews
//     the one it has, be that for longer or shorter; a ttl of zero or less ends it.
//     When ttl has passed with no further Beat the lease has lapsed, for good:
//     Beat answers ErrLapsed for that node, for a day at least. Its entries
//     stay until they are removed by other nodes.
//   - Orphans hands nodes whose lease has lapsed to a node with a live one, so
//     that it removes their entries: it returns up to limit scopes (limit is at
//     least 1) in which the dead ones have entries, all that there are if fewer
//     than limit. Scopes where they have none any more may be among them, but
//     not those where RemoveNode has left none. A dead node is handed to one node at a
//     time: another gets it when the lease of that one has lapsed. A dead node
//     that is found to have no scope left is forgotten: it does not count for
//     Lease.Lapsed any more. A caller that has no lease gets ErrLapsed.
//   - Update of a node that has no lease is carried out, and the node is one
//     whose lease has lapsed from then on, unless a Beat gives it its first one.
//     So no entry is without a lease that somebody will miss.
//
// Update carries out a batch, all of it or nothing, its changes in order.
//
//   - A batch with the Op of the node's last one in the scope is that one,
//     repeated because its answer got lost. It is answered as it was, except
//     that Users may be of now, and nothing is done. The store remembers this
//     while the node has entries in the scope, and for a minute after.
//   - Otherwise, if Prev is not zero and not the Op of the node's last batch in
//     the scope, nothing is done and the answer is ErrLost. That is so, for one,
//     when the store has lost its data or goes on with older data, and after a
//     RemoveNode on the node there, which makes the store forget its last batch;
//     other nodes' Remove and RemoveUser do not. It is also so if Bare is set and
//     the node has entries in the scope, visible or not: the store goes on with
//     data of before the node has left.
//   - A batch whose Op is less than that of the node's last one in the scope is
//     a copy that comes late. Nothing is done, and the answer is an error.
//   - Changes that find nothing to do are no errors.
//
// Get returns the record of a user, also of one who is not there. List returns
// up to limit records (limit is at least 1) of users who have entries, visible
// or not, in the bytewise order of their IDs, the first being the least that is
// greater than after; more reports whether there are others behind. A scope
// that nobody is in is an empty one.
//
// Strings may hold any bytes. Times are kept to the millisecond, in any
// location. Slices that a store returns are the caller's, and those it is given
// the caller may reuse, but for the bytes of Meta, which nobody modifies.
//
// A Store is safe for concurrent use. It honours the context: when that is
// done it returns an error that wraps ctx.Err(), and may or may not have done
// what was asked. presencetest.TestStore tests all of this.
type Store interface {
	Beat(ctx context.Context, node string, ttl time.Duration) (Lease, error)
	Orphans(ctx context.Context, node string, limit int) ([]Orphan, error)
	Update(ctx context.Context, b Batch) (Outcome, error)
	Get(ctx context.Context, scope Scope, user string) (Record, error)
	List(ctx context.Context, scope Scope, after string, limit int) (records []Record, more bool, err error)
}
