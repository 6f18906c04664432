package room

import (
	"context"
	"time"
)

// Inspector is a [Store] that can tell a node what it has missed. A server uses
// this where its store has it: without it a node that does not hear of a kick or
// a ban leaves those who are in where they are.
//
// roomtest.TestStore checks what is said here where a store has it.
type Inspector interface {
	Store

	// Expel notes of every connection that the user has in the room that it is
	// to leave. That holds until the connection is dismissed or admitted again,
	// and for two minutes at least. It removes nobody. Delete notes the same of
	// everyone who is in.
	Expel(ctx context.Context, room, user string) error

	// Inspect looks at rooms and at seats in them, and changes nothing. The
	// findings are in the order of asks, each of one moment. The caller owns
	// the slices.
	Inspect(ctx context.Context, asks []Inspection) ([]Finding, error)
}

// Inspection names a room and seats in it, of which User and Connection count.
type Inspection struct {
	Room  string
	Seats []Seat
}

// Finding is what a store has of the room and the seats of an [Inspection].
type Finding struct {
	// Record is the room's. Its Version is 0 when there is none.
	Record Record
	// Seats are in the order of Inspection.Seats, whether or not they are in.
	Seats []SeatFinding
}

// SeatFinding is what a store has of one seat.
type SeatFinding struct {
	// Node is whose the seat is; empty when the connection is not in.
	Node string
	// Expelled: the connection is to leave the room.
	Expelled bool
	// Banned and Muted are until when the user is; zero when not.
	Banned, Muted time.Time
}

// expelledFor is how long the store in memory knows who was expelled.
const expelledFor = 2 * time.Minute

// expelled is the sanction in memory of a connection that is to leave.
const expelled Sanction = 255

// Expel implements [Inspector].
func (s *memoryStore) Expel(_ context.Context, room, user string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[room]
	if r == nil {
		return nil
	}
	if i, in := r.find(user); in {
		r.expel(r.members[i])
	}
	return nil
}

func (r *memoryRoom) expel(m *memoryMember) {
	r.expire()
	if r.sanctions == nil {
		r.sanctions = make(map[sanctioned]time.Time)
	}
	until := time.Now().Add(expelledFor)
	for _, seat := range m.seats {
		r.sanctions[sanctioned{seat.connection, expelled}] = until
	}
}

func (r *memoryRoom) node(seat *Seat) string {
	if i, in := r.find(seat.User); in {
		if at := r.members[i].find(seat.Connection); at >= 0 {
			return r.members[i].seats[at].node
		}
	}
	return ""
}

// Inspect implements [Inspector].
func (s *memoryStore) Inspect(_ context.Context, asks []Inspection) ([]Finding, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Finding, len(asks))
	for i := range asks {
		list[i].Seats = make([]SeatFinding, len(asks[i].Seats))
		r := s.rooms[asks[i].Room]
		if r == nil {
			continue
		}
		list[i].Record = r.record
		for j := range asks[i].Seats {
			seat := &asks[i].Seats[j]
			list[i].Seats[j] = SeatFinding{
				Node:     r.node(seat),
				Expelled: !r.until(seat.Connection, expelled).IsZero(),
				Banned:   r.until(seat.User, Ban), Muted: r.until(seat.User, Mute),
			}
		}
	}
	return list, nil
}
