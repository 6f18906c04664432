package roomtest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

// mutantNodes adds nodes to a mutantStore, and bugs of its own.
type mutantNodes struct {
	*mutantStore
	reaping sync.RWMutex // so that the bugs of races are those of the store
	leases  sync.Mutex   // protects what follows
	nodes   map[string]*mutantLease
	at      map[room.Seat]string // the node of each seat, without node and name
}

type mutantLease struct {
	until  time.Time
	heir   string
	reaped bool
}

func newMutantNodes(bug string) *mutantNodes {
	return &mutantNodes{mutantStore: newMutantStore(bug), nodes: make(map[string]*mutantLease), at: make(map[room.Seat]string)}
}

func bare(s room.Seat) room.Seat {
	s.Name, s.Node = "", ""
	return s
}

func (s *mutantNodes) Beat(_ context.Context, node string, ttl time.Duration) (room.NodeLease, error) {
	s.leases.Lock()
	defer s.leases.Unlock()
	now := time.Now()
	l := s.nodes[node]
	if l != nil && (l.heir != "" && !s.has("the doomed are renewed") || s.has("lapsed at once") && !l.until.After(now)) {
		return room.NodeLease{}, room.ErrLapsed
	}
	answer := room.NodeLease{Fresh: l == nil || s.has("always fresh")}
	if l == nil {
		l = &mutantLease{}
		s.nodes[node] = l
	}
	if until := now.Add(ttl); until.After(l.until) || !s.has("leases get no shorter") {
		l.until = until
	}
	for name, other := range s.nodes {
		left := other.until.Sub(now)
		switch {
		case name == node || other.reaped:
		case left <= 0:
			answer.Lapsed = true
		case answer.Next == 0 || (left < answer.Next) != s.has("the last lapses next"):
			answer.Next = left
		}
	}
	return answer, nil
}

func (s *mutantNodes) live(node string) bool {
	l := s.nodes[node]
	return l != nil && l.until.After(time.Now())
}

func (s *mutantNodes) Reap(ctx context.Context, node string, limit int) (room.Reaped, error) {
	if !s.has("reaps apart") {
		s.reaping.Lock()
		defer s.reaping.Unlock()
	}
	s.leases.Lock()
	if !s.live(node) && !s.has("anyone reaps") {
		s.leases.Unlock()
		return room.Reaped{}, room.ErrLapsed
	}
	var dead string
	var seats []room.Seat
	for name, l := range s.nodes {
		if s.live(name) && !s.has("reaps the living") || l.reaped || name == node ||
			l.heir != "" && l.heir != node && s.live(l.heir) && !s.has("anyone is heir") && !s.has("reaps apart") ||
			l.heir != "" && l.heir != node && s.has("heirs for ever") {
			continue
		}
		dead, l.heir = name, node
		for seat, at := range s.at {
			if (at == name || s.has("reaps strangers") && s.nodes[at] == nil) && (len(seats) < limit || s.has("all at once")) {
				seats = append(seats, seat)
			}
		}
		l.reaped = len(seats) == 0 || s.has("forgets the rest")
		break
	}
	s.leases.Unlock()
	if s.has("reaps apart") {
		s.yield()
	}
	done := room.Reaped{More: dead != ""}
	for _, seat := range seats {
		last, _ := s.mutantStore.Dismiss(ctx, seat)
		done.Seats++
		if last {
			done.Users++
		}
		s.leases.Lock()
		delete(s.at, seat)
		s.leases.Unlock()
	}
	return done, nil
}

func (s *mutantNodes) Admit(ctx context.Context, seat room.Seat, version int64, most int) (room.Admission, error) {
	s.reaping.RLock()
	defer s.reaping.RUnlock()
	s.leases.Lock()
	l := s.nodes[seat.Node]
	lapsed := l != nil && l.reaped
	s.leases.Unlock()
	if lapsed && !s.has("the dead admit") {
		return room.Admission{}, room.ErrLapsed
	}
	if s.has("a late hand") {
		s.reaping.RUnlock()
		s.yield()
		s.reaping.RLock()
	}
	in, err := s.mutantStore.Admit(ctx, seat, version, most)
	if err == nil {
		s.leases.Lock()
		defer s.leases.Unlock()
		if _, had := s.at[bare(seat)]; !had || !s.has("seats never move") {
			s.at[bare(seat)] = seat.Node
		}
	}
	return in, err
}

func (s *mutantNodes) Seats(_ context.Context, node string, after room.Seat, limit int) ([]room.Seat, bool, error) {
	s.leases.Lock()
	defer s.leases.Unlock()
	order := func(a, b room.Seat) int {
		byRoom, byUser := strings.Compare(a.Room, b.Room), strings.Compare(a.User, b.User)
		if s.has("users alone are in order") {
			return cmp.Or(byUser, byRoom)
		}
		return cmp.Or(byRoom, byUser, strings.Compare(a.Connection, b.Connection))
	}
	var list []room.Seat
	there := false
	for seat, at := range s.at {
		seat.Node = node
		there = there || order(seat, after) == 0
		if (at == node || s.has("lists everyone's")) && (order(seat, after) > 0 || s.has("pages overlap") && order(seat, after) == 0) {
			list = append(list, seat)
		}
	}
	if s.has("goes on from who is there") && after.Room != "" && !there {
		return nil, false, nil
	}
	slices.SortFunc(list, order)
	n := min(limit, len(list))
	if s.has("a page too long") {
		n = min(limit+1, len(list))
	}
	more := len(list) > n
	switch {
	case s.has("one page of seats"):
		more = false
	case s.has("a full page of seats has more"):
		more = n == limit
	}
	return list[:n], more, nil
}

func (s *mutantNodes) yield() {
	for range 20 {
		time.Sleep(time.Microsecond)
	}
}

func (s *mutantNodes) Dismiss(ctx context.Context, seat room.Seat) (bool, error) {
	s.reaping.RLock()
	defer s.reaping.RUnlock()
	last, err := s.mutantStore.Dismiss(ctx, seat)
	s.leases.Lock()
	defer s.leases.Unlock()
	delete(s.at, bare(seat))
	return last, err
}

func (s *mutantNodes) Delete(ctx context.Context, name string) error {
	s.leases.Lock()
	for seat := range s.at {
		if seat.Room == name {
			delete(s.at, seat)
		}
	}
	s.leases.Unlock()
	return s.mutantStore.Delete(ctx, name)
}

// nodeMutants are the mutants that are about nodes.
var nodeMutants = []mutant{
	{bug: "always fresh", by: "beat", real: true},
	{bug: "lapsed at once", by: "beat", real: true},
	{bug: "leases get no shorter", by: "beat"},
	{bug: "the last lapses next", by: "beat"},
	{bug: "reaps the living", by: "reap", real: true},
	{bug: "reaps strangers", by: "reap"},
	{bug: "all at once", by: "reap"},
	{bug: "forgets the rest", by: "reap", real: true},
	{bug: "anyone reaps", by: "reap who", real: true},
	{bug: "the dead admit", by: "reap who"},
	{bug: "seats never move", by: "move", real: true},
	{bug: "anyone is heir", by: "heir", real: true},
	{bug: "heirs for ever", by: "heir"},
	{bug: "the doomed are renewed", by: "heir"},
	{bug: "reaps apart", by: "reap race"},
	{bug: "a late hand", by: "late race"},
	{bug: "lists everyone's", by: "seats", real: true},
	{bug: "pages overlap", by: "seats"},
	{bug: "users alone are in order", by: "seats"},
	{bug: "goes on from who is there", by: "seats"},
	{bug: "a page too long", by: "seats"},
	{bug: "one page of seats", by: "seats", real: true},
	{bug: "a full page of seats has more", by: "seats"},
}

func allStoreMutants() []mutant { return slices.Concat(storeMutants, inspectMutants, nodeMutants) }

// Without a bug it is a store as the contract has it.
func TestMutantWithoutBug(t *testing.T) {
	TestStore(t, func(*testing.T) room.Store { return newMutantNodes("") })
}
