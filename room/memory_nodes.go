package room

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"
)

// lapsedKept is how long a node that was reaped is told so.
const lapsedKept = 48 * time.Hour

var _ NodeStore = (*memoryStore)(nil)

// memoryNodes are the nodes of a memoryStore, which protects them.
type memoryNodes struct {
	known  map[string]*memoryNode // those that have a lease, or seats
	lapsed map[string]time.Time   // those that are being reaped or were, and until when to refuse them
}

type memoryNode struct {
	leased bool
	until  time.Time // when the lease lapses
	heir   string    // who reaps it
	rooms  map[string]int
}

func (n *memoryNode) live(now time.Time) bool { return n != nil && n.leased && n.until.After(now) }

func (n *memoryNode) dead(now time.Time) bool { return n.leased && !n.until.After(now) }

func (ns *memoryNodes) node(name string) *memoryNode {
	n := ns.known[name]
	if n == nil {
		n = &memoryNode{rooms: make(map[string]int)}
		ns.known[name] = n
	}
	return n
}

// took and gave keep account of the seats that a node has in a room.
func (ns *memoryNodes) took(node, room string) { ns.node(node).rooms[room]++ }

func (ns *memoryNodes) gave(node, room string) {
	n := ns.known[node]
	if n == nil {
		return
	}
	if n.rooms[room]--; n.rooms[room] == 0 {
		delete(n.rooms, room)
	}
	if len(n.rooms) == 0 && !n.leased {
		delete(ns.known, node)
	}
}

// refused reports whether nothing is done for the node any more.
func (ns *memoryNodes) refused(node string) bool {
	until, ok := ns.lapsed[node]
	return ok && until.After(time.Now())
}

func (s *memoryStore) Beat(_ context.Context, node string, ttl time.Duration) (NodeLease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for id, until := range s.nodes.lapsed {
		if !until.After(now) {
			delete(s.nodes.lapsed, id)
		}
	}
	if s.nodes.refused(node) {
		return NodeLease{}, ErrLapsed
	}
	n := s.nodes.node(node)
	answer := NodeLease{Fresh: !n.leased}
	n.leased, n.until = true, now.Add(max(ttl, 0))
	for id, other := range s.nodes.known {
		switch left := other.until.Sub(now); {
		case id == node || !other.leased:
		case left <= 0:
			answer.Lapsed = true
		case answer.Next == 0 || left < answer.Next:
			answer.Next = left
		}
	}
	return answer, nil
}

func (s *memoryStore) Reap(_ context.Context, node string, limit int) (Reaped, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if !s.nodes.known[node].live(now) {
		return Reaped{}, ErrLapsed
	}
	limit = max(limit, 1)
	var done Reaped
	for id, n := range s.nodes.known {
		if !n.dead(now) || n.heir != "" && n.heir != node && s.nodes.known[n.heir].live(now) {
			continue
		}
		n.heir = node
		s.nodes.lapsed[id] = now.Add(lapsedKept)
		for room := range n.rooms {
			s.reapRoom(room, id, limit, &done)
			if done.Seats == limit {
				break
			}
		}
		if len(n.rooms) > 0 {
			done.More = true
			return done, nil
		}
		delete(s.nodes.known, id)
	}
	return done, nil
}

func (s *memoryStore) Seats(_ context.Context, node string, after Seat, limit int) ([]Seat, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes.known[node]
	if n == nil {
		return nil, false, nil
	}
	limit = max(limit, 1)
	var list []Seat
	for _, name := range slices.Sorted(maps.Keys(n.rooms)) {
		if name < after.Room {
			continue
		}
		for _, m := range s.rooms[name].members {
			from := len(list)
			for _, seat := range m.seats {
				found := Seat{Room: name, User: m.User, Name: m.Name, Connection: seat.connection, Node: node}
				if seat.node == node && compareSeats(&found, &after) > 0 {
					list = append(list, found)
				}
			}
			slices.SortFunc(list[from:], func(a, b Seat) int { return strings.Compare(a.Connection, b.Connection) })
			if len(list) > limit {
				return list[:limit:limit], true, nil
			}
		}
	}
	return list, false, nil
}

func compareSeats(a, b *Seat) int {
	return cmp.Or(strings.Compare(a.Room, b.Room), strings.Compare(a.User, b.User), strings.Compare(a.Connection, b.Connection))
}

// reapRoom removes seats of a node in a room until there are limit in done. The
// caller holds mu.
func (s *memoryStore) reapRoom(name, node string, limit int, done *Reaped) {
	r := s.rooms[name]
	for i := 0; i < len(r.members) && done.Seats < limit; {
		m := r.members[i]
		for j := 0; j < len(m.seats) && done.Seats < limit; {
			if m.seats[j].node != node {
				j++
				continue
			}
			done.Seats++
			if s.removeSeat(name, r, i, j) {
				done.Users++
				i--
				break
			}
		}
		i++
	}
	s.tidy(name)
}
