package room

import (
	"context"
	"errors"
	"time"
)

// ErrLapsed says that the node's lease has lapsed, and others have begun to remove its
// seats. It cannot be renewed, and nobody is admitted for that node any more.
var ErrLapsed = errors.New("node's lease has lapsed")

// NodeLease is a store's answer to a beat.
type NodeLease struct {
	// Fresh says that the store had not heard of the node before. To a node
	// that had a lease it says that the store has lost data.
	Fresh bool
	// Lapsed says that the leases of other nodes have lapsed whose seats are
	// not all removed yet.
	Lapsed bool
	// Next is how long it is until the next lease of another node lapses if
	// no more is heard of that one; zero when there is no such lease.
	Next time.Duration
}

// Reaped is what one step of reaping did.
type Reaped struct {
	Seats int // that were removed
	Users int // whose last in their room these were
	// More says that there may be more to do at once.
	More bool
}

// NodeStore is a [Store] that knows which nodes live, and whose seats so do not
// outlive the node that took them. A server uses this where its store has it:
// it beats once in Limits.PresenceBeat, and admits nobody before it has a lease.
//
// A store that wraps another has to pass these methods on. Without them, places
// that a node had when it died stay taken.
//
// A node is what Seat.Node says. It lives by its lease, not by its seats: what
// it costs to keep them does not grow with their number. Seats of a node that
// never had a lease stay until they are dismissed.
//
// A seat belongs to the node that admitted its connection last. Admit of a
// connection that is in, by another node, makes the same checks as always and
// makes the seat that node's, and nothing else changes.
//
// roomtest.TestStore checks what is said here where a store has it.
type NodeStore interface {
	Store

	// Beat gives the node a lease for ttl from now, or renews the one it has,
	// be that for longer or shorter; a ttl of zero or less ends it. A lease
	// that has lapsed can be renewed as long as nobody has begun to reap the
	// node. From then on Beat of it is ErrLapsed, for a day at least.
	Beat(ctx context.Context, node string, ttl time.Duration) (NodeLease, error)

	// Reap removes up to limit seats, at least 1, of nodes whose lease has
	// lapsed, on behalf of a node that has one, or else it is ErrLapsed. A
	// seat that is removed is gone as if by Dismiss. A dead node is reaped by
	// one node at a time: by another only once the lease of that one has
	// lapsed. One that is found to have no seats left is forgotten: it does
	// not count for NodeLease.Lapsed any more, and Admit for it is ErrLapsed,
	// for a day at least. While it is being reaped Admit may be either
	// ErrLapsed, or takes a seat that is reaped with the rest.
	Reap(ctx context.Context, node string, limit int) (Reaped, error)

	// Seats returns up to limit seats, at least 1, that the node has, those that
	// come behind after in an order of the store's own, and whether there are
	// more. Of after Room, User and Connection count, and it need not be there;
	// the zero Seat comes before all. A walk, in which each call is given the
	// last seat of the one before, has every seat once that the node has all the
	// while. It may also have seats that were the node's and are another's or
	// nobody's by now. Node is set in all of them, and Name may be empty. It
	// changes nothing; the caller owns the slice.
	//
	// With it a server finds the seats that none of its connections holds: what
	// a failover has lost of a Dismiss, and what an Admit did that was carried
	// out after it had been given up.
	Seats(ctx context.Context, node string, after Seat, limit int) (seats []Seat, more bool, err error)
}
