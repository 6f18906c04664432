package roomtest

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/wardroom/wardroom/room"
)

// storePlay plays random calls on a store and on a model of it that is written
// down from the contract, and compares the outcomes.
type storePlay struct {
	s      *storeScript
	rng    *rand.Rand
	prefix string
	rooms  map[string]*modelRoom
}

type modelRoom struct {
	record    *room.Record
	emptied   time.Time // or the record made
	users     map[string]*modelUser
	sanctions map[modelSanction]time.Time
}

type modelUser struct {
	name        string
	since       time.Time
	connections map[string]bool
}

type modelSanction struct {
	user string
	kind room.Sanction
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func (p *storePlay) room(name string) *modelRoom {
	r := p.rooms[name]
	if r == nil {
		r = &modelRoom{users: make(map[string]*modelUser), sanctions: make(map[modelSanction]time.Time)}
		p.rooms[name] = r
	}
	return r
}

func (r *modelRoom) version() int64 {
	if r.record == nil {
		return 0
	}
	return r.record.Version
}

func (r *modelRoom) until(user string, kind room.Sanction) time.Time {
	if until := r.sanctions[modelSanction{user, kind}]; until.After(time.Now()) {
		return until
	}
	return time.Time{}
}

func pick[T any](rng *rand.Rand, list ...T) T { return list[rng.IntN(len(list))] }

// step makes one call.
func (p *storePlay) step() {
	name := p.prefix + pick(p.rng, "a", "b", "a:b")
	user := pick(p.rng, "ada", "bob", "cyd", "a", "ad")
	kind := pick(p.rng, room.Ban, room.Mute)
	r := p.room(name)
	switch n := p.rng.IntN(100); {
	case n < 38:
		p.admit(r, seat(name, user, pick(p.rng, "1", "2", "3")))
	case n < 60:
		p.dismiss(r, seat(name, user, pick(p.rng, "1", "2", "3")))
	case n < 68:
		p.members(r, name)
	case n < 74:
		p.create(r, name)
	case n < 82:
		p.update(r, name)
	case n < 86:
		if r.record == nil {
			p.s.holdsNone(name)
		} else {
			p.s.holds(*r.record)
		}
	case n < 90:
		until := now().Add(pick(p.rng, -time.Hour, time.Hour, 30*24*time.Hour))
		if !p.s.real {
			until = now().Add(time.Duration(p.rng.IntN(20)-2) * time.Second)
		}
		p.s.sanction(name, user, kind, until)
		r.sanctions[modelSanction{user, kind}] = until
	case n < 93:
		p.s.lift(name, user, kind)
		delete(r.sanctions, modelSanction{user, kind})
	case n < 94:
		p.s.owned(map[string]int{"ada": p.owned("ada"), "bob": p.owned("bob"), "": 0})
	case n < 95:
		p.empty()
	case n < 96:
		before := p.before()
		empty := r.record != nil && len(r.users) == 0 && r.emptied.Before(before)
		p.s.deleteEmpty(name, before, empty)
		if empty {
			delete(p.rooms, name)
		}
	case n < 97:
		if r.record == nil {
			p.s.removeNone(name)
		} else {
			p.s.remove(name)
		}
		delete(p.rooms, name)
	default:
		if !p.s.real {
			time.Sleep(time.Duration(p.rng.IntN(3000)) * time.Millisecond)
		}
	}
}

// someVersion is mostly the present one.
func (p *storePlay) someVersion(r *modelRoom) int64 {
	if p.rng.IntN(6) > 0 {
		return r.version()
	}
	return r.version() + int64(p.rng.IntN(5)) - 2
}

func (p *storePlay) record(name string) room.Record {
	rec := full(name)
	rec.Owner = pick(p.rng, "", "ada", "bob")
	rec.Permission = pick(p.rng, room.Public, room.Private, room.Restricted, room.OwnerOnly)
	rec.MaxMembers = p.rng.IntN(1000)
	rec.Roles = rec.Roles[p.rng.IntN(len(rec.Roles)+1):]
	rec.Invited = rec.Invited[p.rng.IntN(len(rec.Invited)+1):]
	rec.Moderators = rec.Moderators[p.rng.IntN(len(rec.Moderators)+1):]
	return rec
}

func (p *storePlay) create(r *modelRoom, name string) {
	rec := p.record(name)
	ctx, cancel := callContext(p.s.t)
	defer cancel()
	got, err := p.s.store().Create(ctx, rec)
	if r.record != nil {
		p.s.wantErr("Create of a room that exists", err, room.ErrRoomExists)
		return
	}
	if err != nil {
		p.s.t.Fatalf("Create(%q): %v", name, err)
	}
	rec.Version = 1
	p.s.same("Create", got, rec)
	r.record, r.emptied = &rec, time.Now()
}

func (p *storePlay) update(r *modelRoom, name string) {
	rec := p.record(name)
	rec.Version = p.someVersion(r)
	if rec.Version != r.version() {
		p.s.conflict(rec)
		return
	}
	rec = p.s.update(rec)
	if r.record == nil {
		r.emptied = time.Now()
	}
	r.record = &rec
}

func (p *storePlay) admit(r *modelRoom, seat room.Seat) {
	version, most := p.someVersion(r), p.rng.IntN(5)
	ctx, cancel := callContext(p.s.t)
	defer cancel()
	in, err := p.s.store().Admit(ctx, seat, version, most)
	what := fmt.Sprintf("Admit(%s, version %d, at most %d) = %+v", describe(seat), version, most, in)
	user, ban := r.users[seat.User], r.until(seat.User, room.Ban)
	switch {
	case version != r.version():
		p.s.wantErr(what, err, room.ErrConflict)
		return
	case !ban.IsZero():
		var banned *room.BannedError
		if !errors.As(err, &banned) || !sameMilli(banned.Until, ban) {
			p.s.t.Fatalf("%s, error %v, want a *room.BannedError until %v", what, err, ban)
		}
		return
	case user == nil && len(r.users) >= most:
		p.s.wantErr(what, err, room.ErrRoomFull)
		return
	}
	mute := r.until(seat.User, room.Mute)
	if err != nil || in.First != (user == nil) || !sameMilli(in.Muted, mute) {
		p.s.t.Fatalf("%s, error %v, want First %v and Muted %v", what, err, user == nil, mute)
	}
	if user == nil {
		user = &modelUser{name: seat.Name, since: time.Now(), connections: make(map[string]bool)}
		r.users[seat.User] = user
	}
	user.connections[seat.Connection] = true
}

func (p *storePlay) dismiss(r *modelRoom, seat room.Seat) {
	user := r.users[seat.User]
	if user == nil || !user.connections[seat.Connection] {
		p.s.dismiss(seat, false)
		return
	}
	delete(user.connections, seat.Connection)
	p.s.dismiss(seat, len(user.connections) == 0)
	if len(user.connections) == 0 {
		delete(r.users, seat.User)
		r.emptied = time.Now()
	}
}

func (p *storePlay) owned(user string) (n int) {
	for _, r := range p.rooms {
		if r.record != nil && r.record.Owner == user {
			n++
		}
	}
	return n
}

// before is a time to ask for empty rooms by, well clear of what a clock that
// is off by the slack could see otherwise.
func (p *storePlay) before() time.Time {
	if p.s.real {
		return now().Add(pick(p.rng, -time.Hour, time.Hour))
	}
	return now().Add(time.Duration(p.rng.IntN(10)-8) * time.Second)
}

func (p *storePlay) empty() {
	before := p.before()
	got := p.s.empty(before, everyone)
	for name, r := range p.rooms {
		since, listed := got[name]
		if want := r.record != nil && len(r.users) == 0 && r.emptied.Before(before); listed != want {
			p.s.t.Fatalf("Empty(before %v) has %q: %v, want %v", before, name, listed, want)
		}
		if listed && !p.s.real && !sameMilli(since, r.emptied) {
			p.s.t.Fatalf("%q is empty since %v, want %v", name, since, r.emptied)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		p.s.t.Fatalf("Empty has %v, which are no rooms", got)
	}
}

func (p *storePlay) members(r *modelRoom, name string) {
	after, limit := pick(p.rng, "", "ada", "ad", "b", "zoe"), 1+p.rng.IntN(5)
	users := slices.DeleteFunc(slices.Sorted(maps.Keys(r.users)), func(user string) bool { return user <= after })
	list, more := p.s.page(name, after, limit)
	want := users[:min(limit, len(users))]
	if !slices.Equal(ids(list), want) || more != (len(users) > limit) {
		p.s.t.Fatalf("Members(%q, after %q, limit %d) = %q (more: %v), want %q (more: %v)",
			name, after, limit, ids(list), more, want, len(users) > limit)
	}
	for _, m := range list {
		user := r.users[m.User]
		if m.Connections != len(user.connections) || m.Name != user.name || !p.s.real && !sameMilli(m.Since, user.since) {
			p.s.t.Fatalf("Members(%q) has %+v, want %d connections, name %q, since %v",
				name, m, len(user.connections), user.name, user.since)
		}
	}
}
