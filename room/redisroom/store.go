package redisroom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redisx"
	"github.com/wardroom/wardroom/room"
)

// Store is a [room.Store] in Redis, and a [room.NodeStore]. It has no goroutine
// and needs no closing. It is safe for concurrent use.
//
// Each method is one script, which is one round trip, but for Empty, Reap and
// those that have to do with who owns a room: Owned, Create, and an Update or
// Delete that makes a room another's or nobody's. See the package's documentation for how that is
// correct all the same.
//
// Every failure is a [room.ErrUnavailable], and comes at once while Redis is
// known to be away.
type Store struct {
	client rueidis.Client
	config
	circuit *redisx.Circuit
	scripts storeScripts
	lineage redisx.Lineage
}

var (
	_ room.NodeStore = (*Store)(nil)
	_ room.Lineage   = (*Store)(nil)
)

// NewStore returns a store. The client is the caller's and stays open.
func NewStore(client rueidis.Client, opts ...Option) *Store {
	cfg := options(opts)
	return &Store{client: client, config: cfg, circuit: redisx.NewCircuit(), scripts: newStoreScripts()}
}

// Lineage implements [room.Lineage]. It is one command, in a Cluster one and one
// for each primary.
func (s *Store) Lineage(ctx context.Context) (string, error) {
	text, err := s.lineage.Ask(ctx, s.client, s.timeout)
	return text, unavailable(err)
}

// errAnswer: Redis answered in a way that is not a script's own.
var errAnswer = fmt.Errorf("%w: redis: unexpected answer", room.ErrUnavailable)

// run calls a script and returns its word and what follows that.
func (s *Store) run(ctx context.Context, script redisx.Script, keys []string, args ...string) (string, []rueidis.RedisMessage, error) {
	var reply []rueidis.RedisMessage
	err := s.call(ctx, func(ctx context.Context) (err error) {
		reply, err = script.Run(ctx, s.client, 0, room.ErrUnavailable, keys, args)
		return err
	})
	if err != nil {
		return "", nil, err
	}
	if len(reply) == 0 {
		return "", nil, errAnswer
	}
	word, err := reply[0].ToString()
	if err != nil {
		return "", nil, errAnswer
	}
	return word, reply[1:], nil
}

// call does something with Redis, within the timeout and unless it is known to
// be away.
func (s *Store) call(ctx context.Context, f func(context.Context) error) error {
	return unavailable(s.circuit.Do(ctx, s.timeout, f))
}

// unavailable says that the store could not do what it was asked, whatever
// Redis calls the reason.
func unavailable(err error) error {
	if err == nil || errors.Is(err, room.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: redis: %w", room.ErrUnavailable, err)
}

// Create implements [room.Store].
func (s *Store) Create(ctx context.Context, rec room.Record) (room.Record, error) {
	rec.Version = 1
	rec.CreatedAt = milli(rec.CreatedAt)
	text, err := encode(&rec)
	if err != nil {
		return room.Record{}, err
	}
	claim, err := s.claim(ctx, rec.Owner, rec.Room)
	if err != nil {
		return room.Record{}, err
	}
	word, _, err := s.run(ctx, s.scripts.create, s.roomKeys(rec.Room), rec.Room, text, rec.Owner, claim)
	switch {
	case err != nil:
		return room.Record{}, err
	case word == "exists":
		s.unclaim(ctx, rec.Owner, claim)
		return room.Record{}, room.ErrRoomExists
	}
	return rec, nil
}

// Record implements [room.Store].
func (s *Store) Record(ctx context.Context, name string) (room.Record, error) {
	var rec room.Record
	missing := false
	err := s.call(ctx, func(ctx context.Context) error {
		reply := redisx.Do(ctx, s.client, redisx.Read(s.client, "HGET", s.roomKey(name), "record"))
		text, err := reply.ToString()
		if missing = rueidis.IsRedisNil(err); missing {
			return nil
		}
		if err == nil {
			err = json.Unmarshal([]byte(text), &rec)
		}
		return err
	})
	if err == nil && missing {
		err = room.ErrNoRoom
	}
	if err != nil {
		return room.Record{}, err
	}
	return rec, nil
}

// Update implements [room.Store].
func (s *Store) Update(ctx context.Context, rec room.Record) (room.Record, error) {
	was := rec.Version
	rec.Version++
	rec.CreatedAt = milli(rec.CreatedAt)
	text, err := encode(&rec)
	if err != nil {
		return room.Record{}, err
	}
	update := func(claim string) (string, []rueidis.RedisMessage, error) {
		return s.run(ctx, s.scripts.update, s.roomKeys(rec.Room), rec.Room, number(was), number(rec.Version), text, rec.Owner, claim)
	}
	claim := ""
	word, rest, err := update(claim)
	if err == nil && word == "claim" {
		if claim, err = s.claim(ctx, rec.Owner, rec.Room); err == nil {
			word, rest, err = update(claim)
		}
	}
	switch {
	case err != nil:
		return room.Record{}, err
	case word == "conflict":
		s.unclaim(ctx, rec.Owner, claim)
		return room.Record{}, room.ErrConflict
	}
	values, err := texts(rest, 3)
	if err != nil {
		return room.Record{}, err
	}
	s.unclaim(ctx, values[0], values[1])
	if claim != values[2] { // the owner was the same after all
		s.unclaim(ctx, rec.Owner, claim)
	}
	return rec, nil
}

// Delete implements [room.Store].
func (s *Store) Delete(ctx context.Context, name string) error {
	deleted, err := s.remove(ctx, name, "")
	if err == nil && !deleted {
		err = room.ErrNoRoom
	}
	return err
}

// DeleteEmpty implements [room.Store].
func (s *Store) DeleteEmpty(ctx context.Context, name string, before time.Time) (bool, error) {
	return s.remove(ctx, name, number(ceil(before)))
}

// remove reports whether a record was.
func (s *Store) remove(ctx context.Context, name, before string) (bool, error) {
	word, rest, err := s.run(ctx, s.scripts.remove, s.roomKeys(name), name, before)
	if err != nil || word != "ok" {
		return false, err
	}
	claim, err := texts(rest, 2)
	if err != nil {
		return false, err
	}
	s.unclaim(ctx, claim[0], claim[1])
	return true, nil
}

// Admit implements [room.Store].
func (s *Store) Admit(ctx context.Context, seat room.Seat, version int64, maxMembers int) (room.Admission, error) {
	word, rest, err := s.run(ctx, s.scripts.admit, s.seatKeys(seat.Room, seat.Node),
		seat.Room, seat.User, seat.Name, seat.Connection, seat.Node, number(version), strconv.Itoa(maxMembers))
	if err != nil {
		return room.Admission{}, err
	}
	switch word {
	case "ok":
		return admission(rest)
	case "lapsed":
		return room.Admission{}, room.ErrLapsed
	case "conflict":
		return room.Admission{}, room.ErrConflict
	case "full":
		return room.Admission{}, room.ErrRoomFull
	case "banned":
		if len(rest) == 1 {
			if until, err := rest[0].AsInt64(); err == nil {
				return room.Admission{}, &room.BannedError{Until: time.UnixMilli(until).UTC()}
			}
		}
	}
	return room.Admission{}, errAnswer
}

func admission(rest []rueidis.RedisMessage) (in room.Admission, err error) {
	n, err := numbers(rest, 2)
	if err != nil {
		return in, err
	}
	in.First = n[0] == 1
	if n[1] > 0 {
		in.Muted = time.UnixMilli(n[1]).UTC()
	}
	return in, nil
}

// Dismiss implements [room.Store].
func (s *Store) Dismiss(ctx context.Context, seat room.Seat) (bool, error) {
	_, rest, err := s.run(ctx, s.scripts.dismiss, s.seatKeys(seat.Room, seat.Node)[:7], seat.Room, seat.User, seat.Connection)
	if err != nil {
		return false, err
	}
	n, err := numbers(rest, 1)
	if err != nil {
		return false, err
	}
	return n[0] == 1, nil
}

// Sanction implements [room.Store].
func (s *Store) Sanction(ctx context.Context, name, user string, kind room.Sanction, until time.Time) error {
	word, _, err := s.run(ctx, s.scripts.sanction, s.roomKeys(name), sanctioned(user, kind), number(until.UnixMilli()), strconv.Itoa(room.MaxSanctions))
	if err == nil && word == "full" {
		err = room.ErrTooManySanctions
	}
	return err
}

// Lift implements [room.Store].
func (s *Store) Lift(ctx context.Context, name, user string, kind room.Sanction) error {
	return s.call(ctx, func(ctx context.Context) error {
		return redisx.Do(ctx, s.client, s.client.B().Zrem().Key(s.roomKeys(name)[4]).Member(sanctioned(user, kind)).Build()).Error()
	})
}

func sanctioned(user string, kind room.Sanction) string {
	if kind == room.Ban {
		return "b" + user
	}
	return "m" + user
}

// encode writes a record as it is kept.
func encode(rec *room.Record) (string, error) {
	text, err := json.Marshal(rec)
	if err != nil {
		return "", fmt.Errorf("%w: cannot be stored: %w", room.ErrUnavailable, err)
	}
	return string(text), nil
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// milli is a time as it is kept.
func milli(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

// ceil is the first whole millisecond that is not before t.
func ceil(t time.Time) int64 {
	ms := t.UnixMilli()
	if t.After(time.UnixMilli(ms)) && ms < math.MaxInt64 {
		ms++
	}
	return ms
}

// texts reads n texts of a reply.
func texts(reply []rueidis.RedisMessage, n int) ([]string, error) {
	if len(reply) != n {
		return nil, errAnswer
	}
	list := make([]string, n)
	for i := range reply {
		var err error
		if list[i], err = reply[i].ToString(); err != nil {
			return nil, errAnswer
		}
	}
	return list, nil
}

// numbers reads n numbers of a reply.
func numbers(reply []rueidis.RedisMessage, n int) ([]int64, error) {
	if len(reply) != n {
		return nil, errAnswer
	}
	list := make([]int64, n)
	for i := range reply {
		var err error
		if list[i], err = reply[i].AsInt64(); err != nil {
			return nil, errAnswer
		}
	}
	return list, nil
}
