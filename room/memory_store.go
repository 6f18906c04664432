package room

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// NewMemoryStore returns a Store that lives in this process. Several servers
// of one process may share it.
func NewMemoryStore() Store {
	return &memoryStore{
		rooms: make(map[string]*memoryRoom), owned: make(map[string]int),
		nodes: memoryNodes{known: make(map[string]*memoryNode), lapsed: make(map[string]time.Time)},
	}
}

type memoryStore struct {
	mu    sync.Mutex // protects everything here and in the rooms
	rooms map[string]*memoryRoom
	owned map[string]int // records by owner
	nodes memoryNodes
}

type memoryRoom struct {
	record  Record
	members []*memoryMember // in the order of User
	// emptied is when the last member left, or else the record was made
	emptied time.Time
	// until when each sanction holds; those that have ended go when the
	// next is laid on someone, or when the room is looked at to drop it
	sanctions map[sanctioned]time.Time
}

type sanctioned struct {
	user string
	kind Sanction
}

func (r *memoryRoom) until(user string, kind Sanction) time.Time {
	until := r.sanctions[sanctioned{user, kind}]
	if !until.After(time.Now()) {
		return time.Time{}
	}
	return until
}

// expire drops the sanctions that have ended.
func (r *memoryRoom) expire() {
	now := time.Now()
	maps.DeleteFunc(r.sanctions, func(_ sanctioned, until time.Time) bool { return !until.After(now) })
}

// lasting counts the bans and mutes. What somebody is to leave for is none.
func (r *memoryRoom) lasting() (n int) {
	if len(r.sanctions) < MaxSanctions {
		return len(r.sanctions)
	}
	for s := range r.sanctions {
		if s.kind != expelled {
			n++
		}
	}
	return n
}

type memoryMember struct {
	Member
	seats []memorySeat
}

type memorySeat struct{ connection, node string }

func (m *memoryMember) find(connection string) int {
	return slices.IndexFunc(m.seats, func(s memorySeat) bool { return s.connection == connection })
}

func (r *memoryRoom) find(user string) (int, bool) {
	return slices.BinarySearchFunc(r.members, user, func(m *memoryMember, user string) int {
		return strings.Compare(m.User, user)
	})
}

// room returns the room, made when it is not there. The caller holds mu.
func (s *memoryStore) room(name string) *memoryRoom {
	r := s.rooms[name]
	if r == nil {
		seen := 0
		for other := range s.rooms { // in random order
			if seen++; seen > sweepSome {
				break
			}
			s.tidy(other)
		}
		r = &memoryRoom{}
		s.rooms[name] = r
	}
	return r
}

// tidy drops a room that holds nothing, or sanctions that have ended. The
// caller holds mu.
func (s *memoryStore) tidy(name string) {
	r := s.rooms[name]
	if r == nil || r.record.Version != 0 || len(r.members) > 0 {
		return
	}
	r.expire()
	if len(r.sanctions) == 0 {
		delete(s.rooms, name)
	}
}

func (s *memoryStore) Create(_ context.Context, rec Record) (Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.room(rec.Room)
	if r.record.Version != 0 {
		return Record{}, ErrRoomExists
	}
	rec.Version = 1
	s.put(r, rec)
	r.emptied = time.Now()
	return rec, nil
}

// put replaces a record, which may be none. The caller holds mu.
func (s *memoryStore) put(r *memoryRoom, rec Record) {
	if old := r.record.Owner; old != "" {
		if s.owned[old]--; s.owned[old] == 0 {
			delete(s.owned, old)
		}
	}
	if rec.Owner != "" {
		s.owned[rec.Owner]++
	}
	r.record = rec
}

func (s *memoryStore) Owned(_ context.Context, user string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owned[user], nil
}

func (r *memoryRoom) emptySince(before time.Time) bool {
	return r.record.Version != 0 && len(r.members) == 0 && r.emptied.Before(before)
}

func (s *memoryStore) Empty(_ context.Context, before time.Time, limit int) ([]EmptyRoom, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []EmptyRoom
	for name, r := range s.rooms {
		if len(list) == limit {
			break
		}
		if r.emptySince(before) {
			list = append(list, EmptyRoom{Room: name, Since: r.emptied})
		}
	}
	return list, nil
}

func (s *memoryStore) DeleteEmpty(_ context.Context, room string, before time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[room]
	if r == nil || !r.emptySince(before) {
		return false, nil
	}
	s.drop(room, r)
	return true, nil
}

// drop removes a room with all that it has. The caller holds mu.
func (s *memoryStore) drop(name string, r *memoryRoom) {
	s.put(r, Record{})
	for _, m := range r.members {
		for _, seat := range m.seats {
			s.nodes.gave(seat.node, name)
		}
	}
	delete(s.rooms, name)
}

func (s *memoryStore) Record(_ context.Context, room string) (Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[room]
	if r == nil || r.record.Version == 0 {
		return Record{}, ErrNoRoom
	}
	return r.record, nil
}

func (s *memoryStore) Update(_ context.Context, rec Record) (Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.tidy(rec.Room)
	r := s.room(rec.Room)
	if r.record.Version != rec.Version {
		return Record{}, ErrConflict
	}
	if rec.Version == 0 {
		r.emptied = time.Now()
	}
	rec.Version++
	s.put(r, rec)
	return rec, nil
}

func (s *memoryStore) Delete(_ context.Context, room string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[room]
	if r == nil {
		return ErrNoRoom
	}
	had := r.record.Version != 0
	s.drop(room, r)
	if len(r.members) > 0 {
		left := s.room(room)
		for _, m := range r.members {
			left.expel(m)
		}
	}
	if !had {
		return ErrNoRoom
	}
	return nil
}

func (s *memoryStore) Admit(_ context.Context, seat Seat, version int64, maxMembers int) (Admission, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.tidy(seat.Room)
	if s.nodes.refused(seat.Node) {
		return Admission{}, ErrLapsed
	}
	r := s.room(seat.Room)
	if r.record.Version != version {
		return Admission{}, ErrConflict
	}
	if until := r.until(seat.User, Ban); !until.IsZero() {
		return Admission{}, &BannedError{Until: until}
	}
	muted := r.until(seat.User, Mute)
	i, in := r.find(seat.User)
	if in {
		delete(r.sanctions, sanctioned{seat.Connection, expelled})
		m := r.members[i]
		at := m.find(seat.Connection)
		switch {
		case at < 0:
			m.seats = append(m.seats, memorySeat{seat.Connection, seat.Node})
			s.nodes.took(seat.Node, seat.Room)
		case m.seats[at].node != seat.Node:
			s.nodes.gave(m.seats[at].node, seat.Room)
			m.seats[at].node = seat.Node
			s.nodes.took(seat.Node, seat.Room)
		}
		return Admission{Muted: muted}, nil
	}
	if len(r.members) >= maxMembers {
		return Admission{}, ErrRoomFull
	}
	delete(r.sanctions, sanctioned{seat.Connection, expelled})
	r.members = slices.Insert(r.members, i, &memoryMember{
		Member: Member{User: seat.User, Name: seat.Name, Since: time.Now()},
		seats:  []memorySeat{{seat.Connection, seat.Node}},
	})
	s.nodes.took(seat.Node, seat.Room)
	return Admission{First: true, Muted: muted}, nil
}

func (s *memoryStore) Sanction(_ context.Context, room, user string, kind Sanction, until time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.room(room)
	r.expire()
	if _, replaced := r.sanctions[sanctioned{user, kind}]; !replaced && r.lasting() >= MaxSanctions {
		return ErrTooManySanctions
	}
	if r.sanctions == nil {
		r.sanctions = make(map[sanctioned]time.Time)
	}
	r.sanctions[sanctioned{user, kind}] = until
	return nil
}

func (s *memoryStore) Lift(_ context.Context, room, user string, kind Sanction) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.tidy(room)
	if r := s.rooms[room]; r != nil {
		delete(r.sanctions, sanctioned{user, kind})
	}
	return nil
}

func (s *memoryStore) Dismiss(_ context.Context, seat Seat) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.tidy(seat.Room)
	r := s.rooms[seat.Room]
	if r == nil {
		return false, nil
	}
	delete(r.sanctions, sanctioned{seat.Connection, expelled})
	i, in := r.find(seat.User)
	if !in {
		return false, nil
	}
	at := r.members[i].find(seat.Connection)
	if at < 0 {
		return false, nil
	}
	return s.removeSeat(seat.Room, r, i, at), nil
}

// removeSeat removes a seat of a member, and the member with the last one. The
// caller holds mu.
func (s *memoryStore) removeSeat(name string, r *memoryRoom, member, seat int) (last bool) {
	m := r.members[member]
	s.nodes.gave(m.seats[seat].node, name)
	delete(r.sanctions, sanctioned{m.seats[seat].connection, expelled})
	m.seats = slices.Delete(m.seats, seat, seat+1)
	if len(m.seats) > 0 {
		return false
	}
	r.members = slices.Delete(r.members, member, member+1)
	r.emptied = time.Now()
	return true
}

func (s *memoryStore) Members(_ context.Context, room, after string, limit int) ([]Member, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[room]
	if r == nil {
		return nil, false, nil
	}
	i, in := r.find(after)
	if in {
		i++
	}
	rest := r.members[i:]
	page := make([]Member, min(limit, len(rest)))
	for i := range page {
		page[i] = rest[i].Member
		page[i].Connections = len(rest[i].seats)
	}
	return page, len(rest) > len(page), nil
}
