package redisroom

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redisx"
	"github.com/wardroom/wardroom/room"
)

// Members implements [room.Store].
func (s *Store) Members(ctx context.Context, name, after string, limit int) ([]room.Member, bool, error) {
	limit = max(limit, 1)
	_, rest, err := s.run(ctx, s.scripts.members, s.roomKeys(name), after, strconv.Itoa(limit+1))
	if err != nil {
		return nil, false, err
	}
	list := make([]room.Member, 0, len(rest)/2)
	for i := 0; i+1 < len(rest); i += 2 {
		m, err := member(rest[i : i+2])
		if err != nil {
			return nil, false, err
		}
		list = append(list, m)
	}
	if len(list) > limit {
		return list[:limit], true, nil
	}
	return list, false, nil
}

// member reads one user: the ID and "CONNECTIONS SINCE NAME".
func member(reply []rueidis.RedisMessage) (m room.Member, err error) {
	fields, err := texts(reply, 2)
	if err != nil {
		return m, err
	}
	connections, rest, _ := strings.Cut(fields[1], " ")
	since, name, ok := strings.Cut(rest, " ")
	if m.Connections, err = strconv.Atoi(connections); err != nil || !ok {
		return m, errAnswer
	}
	ms, err := strconv.ParseInt(since, 10, 64)
	if err != nil {
		return m, errAnswer
	}
	m.User, m.Name, m.Since = fields[0], name, time.UnixMilli(ms)
	return m, nil
}

// Seats implements [room.NodeStore]. It asks one shard after the other until it
// has enough, as many at a time as what it has found so far lets expect: 256
// commands in up to seven round trips for a node that has few seats.
func (s *Store) Seats(ctx context.Context, node string, after room.Seat, limit int) ([]room.Seat, bool, error) {
	limit = max(limit, 1)
	first, behind := 0, "-"
	if after.Room != "" || after.User != "" || after.Connection != "" {
		first, behind = shardOf(after.Room), "("+joinHeld(after.Room, after.User, after.Connection)
	}
	var list []room.Seat
	begin := first
	for ask := 1; first < shards && len(list) <= limit; {
		commands := make(rueidis.Commands, min(ask, shards-first))
		for i := range commands {
			commands[i] = redisx.Read(s.client, "ZRANGEBYLEX", s.shardKey(first+i, "held", node),
				behind, "+", "LIMIT", "0", strconv.Itoa(limit+1-len(list)))
			behind = "-"
		}
		first += len(commands)
		var entries []string
		err := s.call(ctx, func(ctx context.Context) error {
			entries = entries[:0]
			for _, reply := range redisx.DoMulti(ctx, s.client, commands...) {
				part, err := reply.AsStrSlice()
				if err != nil {
					return err
				}
				entries = append(entries, part...)
			}
			return nil
		})
		if err != nil {
			return nil, false, err
		}
		for _, entry := range entries[:min(len(entries), limit+1-len(list))] {
			seat := room.Seat{Node: node}
			var ok bool
			if seat.Room, seat.User, seat.Connection, ok = splitHeld(entry); !ok {
				return nil, false, errAnswer
			}
			list = append(list, seat)
		}
		if ask *= 4; len(list) > 0 {
			ask = (limit+1-len(list))*(first-begin)/len(list) + 1
		}
		ask = min(ask, shardsAtOnce)
	}
	if len(list) > limit {
		return list[:limit:limit], true, nil
	}
	return list, false, nil
}

// shardsAtOnce is how many shards are asked in one round trip.
const shardsAtOnce = 64

// Empty implements [room.Store]. It asks one shard after the other, from a
// random one on, until it has enough: four round trips when there are few.
func (s *Store) Empty(ctx context.Context, before time.Time, limit int) ([]room.EmptyRoom, error) {
	var list []room.EmptyRoom
	limit = max(limit, 1)
	start := rand.IntN(shards)
	for first := 0; first < shards && len(list) < limit; first += shardsAtOnce {
		var replies []rueidis.RedisResult
		err := s.call(ctx, func(ctx context.Context) error {
			commands := make(rueidis.Commands, shardsAtOnce)
			for i := range commands {
				commands[i] = redisx.Read(s.client, "ZRANGEBYSCORE", s.shardKey((start+first+i)%shards, "empty"),
					"-inf", "("+number(ceil(before)), "WITHSCORES", "LIMIT", "0", strconv.Itoa(limit-len(list)))
			}
			replies = redisx.DoMulti(ctx, s.client, commands...)
			for _, reply := range replies {
				if err := reply.Error(); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		for _, reply := range replies {
			found, err := reply.AsZScores()
			if err != nil {
				return nil, errAnswer
			}
			for _, z := range found {
				if len(list) < limit {
					list = append(list, room.EmptyRoom{Room: z.Member, Since: time.UnixMilli(int64(z.Score))})
				}
			}
		}
	}
	return list, nil
}
