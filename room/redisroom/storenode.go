package redisroom

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redisx"
	"github.com/wardroom/wardroom/room"
)

const (
	// lapsedKept is how long a node that was reaped is told so.
	lapsedKept = 48 * time.Hour
	// reapShards is in how many shards at a time a dead node is reaped.
	reapShards = 32
)

// Beat implements [room.NodeStore]. It is one round trip, however many seats
// the node has.
func (s *Store) Beat(ctx context.Context, node string, ttl time.Duration) (room.NodeLease, error) {
	word, rest, err := s.run(ctx, s.scripts.beat, s.nodeKeys(), node, number(max(ttl, 0).Milliseconds()))
	switch {
	case err != nil:
		return room.NodeLease{}, err
	case word == "lapsed":
		return room.NodeLease{}, room.ErrLapsed
	}
	n, err := numbers(rest, 3)
	if err != nil {
		return room.NodeLease{}, err
	}
	return room.NodeLease{Fresh: n[0] == 1, Lapsed: n[1] == 1, Next: time.Duration(n[2]) * time.Millisecond}, nil
}

// Reap implements [room.NodeStore]. It looks at 32 of the 256 shards, in which
// dead nodes are buried first and then their seats removed room by room: four
// round trips.
//
// When it fails half way what is done is done, and another Reap goes on.
func (s *Store) Reap(ctx context.Context, node string, limit int) (room.Reaped, error) {
	word, rest, err := s.run(ctx, s.scripts.inherit, s.nodeKeys(), node)
	switch {
	case err != nil:
		return room.Reaped{}, err
	case word == "lapsed":
		return room.Reaped{}, room.ErrLapsed
	case word == "none":
		return room.Reaped{}, nil
	}
	if len(rest) != 2 {
		return room.Reaped{}, errAnswer
	}
	dead, err := rest[0].ToString()
	if err != nil {
		return room.Reaped{}, errAnswer
	}
	first, err := rest[1].AsInt64()
	if err != nil {
		return room.Reaped{}, errAnswer
	}
	seats, next, err := s.bury(ctx, dead, int(first), max(limit, 1))
	if err != nil {
		return room.Reaped{}, err
	}
	done, err := s.reap(ctx, dead, seats)
	if err != nil {
		return done, err
	}
	over := "0"
	if next == shards {
		over = "1"
	}
	word, _, err = s.run(ctx, s.scripts.reaped, s.nodeKeys(), node, dead, strconv.Itoa(next), over, number(lapsedKept.Milliseconds()))
	if err == nil && word == "lapsed" {
		err = room.ErrLapsed
	}
	done.More = true // of another node, perhaps: the next call finds out
	return done, err
}

// together calls a script for many keys at once and returns what follows the
// word of each.
func (s *Store) together(ctx context.Context, script redisx.Script, calls []redisx.Call) ([][]rueidis.RedisMessage, error) {
	replies := make([][]rueidis.RedisMessage, len(calls))
	if len(calls) == 0 {
		return replies, nil
	}
	err := s.call(ctx, func(ctx context.Context) error {
		for i, result := range script.RunAll(ctx, s.client, calls) {
			reply, err := result.ToArray()
			if err != nil {
				return err
			}
			if len(reply) == 0 {
				return errAnswer
			}
			replies[i] = reply[1:]
		}
		return nil
	})
	return replies, err
}

// bury says in some shards, from one on, that a node is dead, and returns up to
// limit of its seats there by room, and the first shard that may have others.
func (s *Store) bury(ctx context.Context, dead string, first, limit int) (seats map[string][]string, next int, err error) {
	last := min(first+reapShards, shards)
	calls := make([]redisx.Call, 0, reapShards)
	for shard := first; shard < last; shard++ {
		calls = append(calls, redisx.Call{
			Keys: []string{s.shardKey(shard, "held", dead), s.shardKey(shard, "dead")},
			Args: []string{dead, strconv.Itoa(limit), number(lapsedKept.Milliseconds())},
		})
	}
	replies, err := s.together(ctx, s.scripts.bury, calls)
	if err != nil {
		return nil, 0, err
	}
	seats = make(map[string][]string)
	found := 0
	for i, entries := range replies {
		if found+len(entries) >= limit {
			entries = entries[:limit-found]
			last = first + i // there may be more in this one
		}
		found += len(entries)
		for j := range entries {
			entry, err := entries[j].ToString()
			if err != nil {
				return nil, 0, errAnswer
			}
			name, user, connection, ok := splitHeld(entry)
			if !ok {
				return nil, 0, errAnswer
			}
			seats[name] = append(seats[name], user, connection)
		}
		if found == limit {
			break
		}
	}
	return seats, last, nil
}

// reap removes seats of a dead node.
func (s *Store) reap(ctx context.Context, dead string, seats map[string][]string) (done room.Reaped, err error) {
	calls := make([]redisx.Call, 0, len(seats))
	for name, list := range seats {
		calls = append(calls, redisx.Call{Keys: s.seatKeys(name, dead)[:7], Args: append([]string{name, dead}, list...)})
	}
	replies, err := s.together(ctx, s.scripts.reap, calls)
	for _, reply := range replies {
		if n, err := numbers(reply, 2); err == nil {
			done.Seats += int(n[0])
			done.Users += int(n[1])
		}
	}
	return done, err
}
