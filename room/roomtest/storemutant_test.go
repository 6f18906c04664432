package roomtest

import (
	"context"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wardroom/wardroom/room"
)

// mutantStore is a store as the contract has it, with one bug.
type mutantStore struct {
	bug   string
	mu    sync.Mutex // protects rooms
	rooms map[string]*mutantRoom
	owned map[string]int
}

type mutantRoom struct {
	record    room.Record
	emptied   time.Time
	users     map[string]*mutantUser
	sanctions map[string]time.Time
}

type mutantUser struct {
	room.Member
	connections []string
	latest      time.Time
}

func newMutantStore(bug string) *mutantStore {
	return &mutantStore{bug: bug, rooms: make(map[string]*mutantRoom), owned: make(map[string]int)}
}

func (s *mutantStore) has(bug string) bool { return s.bug == bug }

// apart lets others in between two steps that belong together.
func (s *mutantStore) apart(bug string) {
	if s.has(bug) {
		s.mu.Unlock()
		for range 20 {
			runtime.Gosched()
		}
		s.mu.Lock()
	}
}

func (s *mutantStore) room(name string) *mutantRoom {
	switch {
	case s.has("rooms in lower case"):
		name = strings.ToLower(name)
	case s.has("long rooms are cut"):
		name = name[:min(len(name), 63)]
	}
	r := s.rooms[name]
	if r == nil {
		r = &mutantRoom{users: make(map[string]*mutantUser), sanctions: make(map[string]time.Time)}
		s.rooms[name] = r
	}
	return r
}

// sanctionKey finds where a sanction is kept.
func (s *mutantStore) sanctionKey(name, user string, kind room.Sanction) (map[string]time.Time, string) {
	key := user + " " + sanctionName(kind)
	switch {
	case s.has("sanctions are of all rooms"):
		return s.room("").sanctions, key
	case s.has("keys run together"):
		return s.room("").sanctions, name + ":" + key
	case s.has("a mute bans"):
		key = user + " Ban"
	case s.has("users in lower case"):
		key = strings.ToLower(key)
	}
	return s.room(name).sanctions, key
}

func (s *mutantStore) until(name, user string, kind room.Sanction) time.Time {
	list, key := s.sanctionKey(name, user, kind)
	until, now := list[key], time.Now()
	switch {
	case s.has("bans never end") && kind == room.Ban:
		return until
	case s.has("bans end early") && kind == room.Ban:
		now = now.Add(time.Second)
	case s.has("mutes never end") && kind == room.Mute:
		return until
	case s.has("ends are rounded up"):
		now = now.Add(-time.Minute)
	}
	if !until.After(now) {
		return time.Time{}
	}
	return until
}

func (s *mutantStore) Create(_ context.Context, rec room.Record) (room.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.room(rec.Room)
	if r.record.Version != 0 && !s.has("the second creator wins") {
		if s.has("creating twice is a conflict") {
			return room.Record{}, room.ErrConflict
		}
		if s.has("a failed Create writes") {
			r.record.Owner = rec.Owner
		}
		return room.Record{}, room.ErrRoomExists
	}
	s.apart("creates apart")
	switch {
	case s.has("keeps the given version") && rec.Version != 0:
	default:
		rec.Version = 1
	}
	switch {
	case s.has("sorts what it is given"):
		slices.Sort(rec.Invited)
	case s.has("loses the moderators"):
		rec.Moderators = nil
	case s.has("whole seconds"):
		rec.CreatedAt = rec.CreatedAt.Truncate(time.Second)
	case s.has("creating empties the room"):
		clear(r.users)
	}
	s.owned[rec.Owner]++
	r.record, r.emptied = rec, time.Now()
	if s.has("what nobody used is not empty") {
		r.emptied = forever
	}
	return rec, nil
}

func (s *mutantStore) Owned(_ context.Context, user string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if user == "" && !s.has("nobody owns the host's") {
		return 0, nil
	}
	return s.owned[user], nil
}

func (s *mutantStore) emptySince(r *mutantRoom, before time.Time) bool {
	switch {
	case r.record.Version == 0 && !s.has("no record is empty too"):
		return false
	case s.has("times are not compared"):
		return len(r.users) == 0
	case s.has("before is included") && r.emptied.Equal(before):
		return len(r.users) == 0
	}
	return len(r.users) == 0 && r.emptied.Before(before)
}

func (s *mutantStore) Empty(_ context.Context, before time.Time, limit int) ([]room.EmptyRoom, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []room.EmptyRoom
	for name, r := range s.rooms {
		if s.emptySince(r, before) && (len(list) < limit || s.has("all empty ones")) {
			list = append(list, room.EmptyRoom{Room: name, Since: r.emptied})
		}
	}
	return list, nil
}

func (s *mutantStore) DeleteEmpty(_ context.Context, name string, before time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.room(name)
	switch {
	case s.has("deletes who is in") && r.record.Version != 0:
	case s.has("empties what is not empty") && len(r.users) == 0 && !s.emptySince(r, before):
		clear(r.sanctions)
		return false, nil
	case !s.emptySince(r, before):
		return false, nil
	}
	s.apart("empty apart")
	if !s.has("emptying frees no owner") {
		s.owned[r.record.Owner]--
	}
	r.record = room.Record{}
	clear(r.users)
	if !s.has("emptying leaves sanctions") {
		clear(r.sanctions)
	}
	return true, nil
}

func (s *mutantStore) Record(ctx context.Context, name string) (room.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.room(name)
	switch {
	case s.has("no record is an empty one"):
		return r.record, nil
	case s.has("members make a record") && len(r.users) > 0:
		return r.record, nil
	case s.has("a context that is done is no room") && ctx.Err() != nil:
		return room.Record{}, room.ErrNoRoom
	case r.record.Version == 0:
		return room.Record{}, room.ErrNoRoom
	}
	return r.record, nil
}

func (s *mutantStore) Update(_ context.Context, rec room.Record) (room.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.room(rec.Room)
	switch {
	case s.has("updates without asking"):
		rec.Version = r.record.Version
	case s.has("version 0 is any") && rec.Version == 0:
		rec.Version = r.record.Version
	case s.has("updates need a record") && r.record.Version == 0:
		return room.Record{}, room.ErrConflict
	case s.has("older is fine") && rec.Version > 0 && rec.Version < r.record.Version:
		rec.Version = r.record.Version
	}
	if r.record.Version != rec.Version {
		return room.Record{}, room.ErrConflict
	}
	s.apart("updates apart")
	rec.Version++
	switch {
	case s.has("the version stays"):
		rec.Version--
	case s.has("merges"):
		if len(rec.Roles) == 0 {
			rec.Roles = r.record.Roles
		}
	case s.has("updating empties the room"):
		clear(r.users)
	case s.has("updating lifts sanctions"):
		clear(r.sanctions)
	}
	if !s.has("rooms cannot be given away") {
		s.owned[r.record.Owner]--
		s.owned[rec.Owner]++
	}
	if r.record.Version == 0 || s.has("updates are visits") {
		r.emptied = time.Now()
	}
	r.record = rec
	return rec, nil
}

func (s *mutantStore) Delete(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.room(name)
	none := r.record.Version == 0
	if none && s.has("deletes nothing without a record") {
		return room.ErrNoRoom
	}
	if !s.has("owned only grows") {
		s.owned[r.record.Owner]--
	}
	r.record = room.Record{}
	switch {
	case s.has("deleting leaves members"):
		clear(r.sanctions)
	case s.has("deleting leaves sanctions"):
		clear(r.users)
	case s.has("deleting leaves mutes"):
		clear(r.users)
		maps.DeleteFunc(r.sanctions, func(key string, _ time.Time) bool { return strings.HasSuffix(key, "Ban") })
	default:
		clear(r.users)
		clear(r.sanctions)
	}
	if none && !s.has("deleting nothing is fine") {
		return room.ErrNoRoom
	}
	return nil
}

// checks are those of Admit, in the order of the contract or another.
func (s *mutantStore) checks(seat room.Seat, version int64, most int) error {
	r := s.room(seat.Room)
	u := r.users[seat.User]
	conflict := func() error {
		if r.record.Version == version || s.has("any version") ||
			s.has("no version is any") && version == 0 || s.has("older versions are fine") && version < r.record.Version && version > 0 {
			return nil
		}
		return room.ErrConflict
	}
	banned := func() error {
		until := s.until(seat.Room, seat.User, room.Ban)
		switch {
		case until.IsZero(), s.has("who is in is not banned") && u != nil:
			return nil
		case s.has("a bare ErrBanned"):
			return room.ErrBanned
		case s.has("until the end of 32 bits") && until.Unix() > 1<<32:
			until = time.Unix(1<<32, 0)
		}
		return &room.BannedError{Until: until}
	}
	fits := func() error {
		n := len(r.users)
		switch {
		case s.has("one more than the cap"):
			n--
		case s.has("the cap is for all") && n >= most:
			return room.ErrRoomFull
		case s.has("no cap of zero") && most == 0:
			return nil
		case s.has("connections count for the cap"):
			n = 0
			for _, u := range r.users {
				n += len(u.connections)
			}
		}
		if u == nil && n >= most {
			return room.ErrRoomFull
		}
		return nil
	}
	order := []func() error{conflict, banned, fits}
	switch {
	case s.has("the cap first"):
		order = []func() error{fits, conflict, banned}
	case s.has("the ban first"):
		order = []func() error{banned, conflict, fits}
	}
	for i, check := range order {
		if err := check(); err != nil {
			return err
		}
		s.apart([]string{"version apart", "ban apart", "cap apart"}[i])
	}
	return nil
}

func (s *mutantStore) Admit(_ context.Context, seat room.Seat, version int64, most int) (room.Admission, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checks(seat, version, most); err != nil {
		if s.has("the refused are in") {
			r := s.room(seat.Room)
			r.users[seat.User] = &mutantUser{Member: room.Member{User: seat.User, Name: seat.Name, Since: time.Now()}}
		}
		return room.Admission{}, err
	}
	r := s.room(seat.Room)
	u := r.users[seat.User]
	in := room.Admission{First: u == nil, Muted: s.until(seat.Room, seat.User, room.Mute)}
	s.apart("first apart")
	if u = r.users[seat.User]; u == nil {
		u = &mutantUser{Member: room.Member{User: seat.User, Name: seat.Name, Since: time.Now()}}
		r.users[seat.User] = u
	}
	if !slices.Contains(u.connections, seat.Connection) || s.has("counts twice") {
		u.connections = append(u.connections, seat.Connection)
		u.latest = time.Now()
	}
	switch {
	case s.has("nobody is first"):
		in.First = false
	case s.has("everyone is first"):
		in.First = true
	case s.has("only the first is muted") && !in.First:
		in.Muted = time.Time{}
	case s.has("nobody is muted"):
		in.Muted = time.Time{}
	case s.has("no names"):
		u.Name = ""
	case s.has("the latest name"):
		u.Name = seat.Name
	case s.has("since the latest"):
		u.Since = u.latest
	case s.has("moderators never leave") && slices.Contains(r.record.Moderators, "mod"):
		u.connections = append(u.connections, "ghost")
	}
	return in, nil
}

func (s *mutantStore) Sanction(_ context.Context, name, user string, kind room.Sanction, until time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, key := s.sanctionKey(name, user, kind)
	r := s.room(name)
	switch {
	case s.has("the longest stays") && list[key].After(until), s.has("the first stays") && !list[key].IsZero():
		return nil
	case s.has("one sanction each"):
		delete(list, user+" Ban")
		delete(list, user+" Mute")
	case s.has("bans remove who is in") && kind == room.Ban:
		delete(r.users, user)
	case s.has("until the end of 32 bits") && until.Unix() > 1<<32:
		until = time.Unix(1<<32, 0)
	}
	if full := len(list) >= room.MaxSanctions && !s.has("any number of sanctions"); full && (list[key].IsZero() || s.has("full for everyone")) {
		return room.ErrTooManySanctions
	}
	list[key] = until
	return nil
}

func (s *mutantStore) Lift(_ context.Context, name, user string, kind room.Sanction) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, key := s.sanctionKey(name, user, kind)
	switch {
	case s.has("lifting nothing is an error") && list[key].IsZero():
		return room.ErrNoRoom
	case s.has("lifts both"):
		clear(list)
	case s.has("lifts nothing"):
		return nil
	}
	delete(list, key)
	return nil
}

func (s *mutantStore) Dismiss(_ context.Context, seat room.Seat) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.room(seat.Room)
	u := r.users[seat.User]
	if s.has("connections are anyone's") {
		for _, other := range r.users {
			if slices.Contains(other.connections, seat.Connection) {
				u = other
			}
		}
	}
	if u == nil || !slices.Contains(u.connections, seat.Connection) {
		if s.has("a stranger is an error") {
			return false, room.ErrNoRoom
		}
		return s.has("a stranger is last"), nil
	}
	i := slices.Index(u.connections, seat.Connection)
	rest := slices.Delete(slices.Clone(u.connections), i, i+1)
	s.apart("dismisses apart")
	u.connections = rest
	switch {
	case s.has("every dismissal is last"):
		delete(r.users, u.User)
		return true, nil
	case s.has("nobody is last"):
		delete(r.users, u.User)
		return false, nil
	case len(rest) > 0:
		return false, nil
	case s.has("leaving lifts a ban"):
		delete(r.sanctions, u.User+" Ban")
	case s.has("the last stays listed"):
		return true, nil
	}
	s.apart("last apart")
	delete(r.users, u.User)
	if !s.has("empty since it was made") {
		r.emptied = time.Now()
	}
	return true, nil
}

func (s *mutantStore) Members(_ context.Context, name, after string, limit int) ([]room.Member, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	users := s.room(name).users
	keys := slices.Sorted(maps.Keys(users))
	switch {
	case s.has("no order of case"):
		slices.SortStableFunc(keys, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	case s.has("the cursor must be there") && after != "" && users[after] == nil:
		return nil, false, nil
	}
	keys = slices.DeleteFunc(keys, func(user string) bool {
		return user < after || user == after && !s.has("the cursor is in the page")
	})
	n := min(limit, len(keys))
	if s.has("one more than the limit") {
		n = min(limit+1, len(keys))
	}
	more := len(keys) > n
	if s.has("a full page has more") {
		more = n == limit
	}
	list := make([]room.Member, 0, n)
	for _, user := range keys[:n] {
		m := users[user].Member
		m.Connections = len(users[user].connections)
		if s.has("one connection each") {
			m.Connections = 1
		}
		list = append(list, m)
	}
	return list, more, nil
}
