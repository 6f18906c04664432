package redisroom

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redisx"
	"github.com/wardroom/wardroom/room"
)

var _ room.Inspector = (*Store)(nil)

// Expel implements [room.Inspector]. It takes Redis as long as there are
// connections in the room.
func (s *Store) Expel(ctx context.Context, name, user string) error {
	_, _, err := s.run(ctx, s.scripts.expel, s.roomKeys(name), user)
	return err
}

// Inspect implements [room.Inspector]. It is one round trip, which has one
// script for each room.
func (s *Store) Inspect(ctx context.Context, asks []room.Inspection) ([]room.Finding, error) {
	calls := make([]redisx.Call, len(asks))
	for i, ask := range asks {
		args := make([]string, 0, 2*len(ask.Seats))
		for _, seat := range ask.Seats {
			args = append(args, seat.User, seat.Connection)
		}
		calls[i] = redisx.Call{Keys: s.roomKeys(ask.Room), Args: args}
	}
	replies, err := s.together(ctx, s.scripts.inspect, calls)
	if err != nil {
		return nil, err
	}
	list := make([]room.Finding, len(asks))
	for i, reply := range replies {
		if list[i], err = finding(reply, len(asks[i].Seats)); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func finding(reply []rueidis.RedisMessage, seats int) (f room.Finding, err error) {
	if len(reply) != 1+4*seats {
		return f, errAnswer
	}
	text, err := reply[0].ToString()
	if err != nil {
		return f, errAnswer
	}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &f.Record); err != nil {
			return f, fmt.Errorf("%w: redis: %w", room.ErrUnavailable, err)
		}
	}
	f.Seats = make([]room.SeatFinding, seats)
	for i := range f.Seats {
		part := reply[1+4*i : 5+4*i]
		if f.Seats[i].Node, err = part[0].ToString(); err != nil {
			return f, errAnswer
		}
		leaves, err := part[1].AsInt64()
		if err != nil {
			return f, errAnswer
		}
		f.Seats[i].Expelled = leaves == 1
		for j, end := range [...]*time.Time{&f.Seats[i].Banned, &f.Seats[i].Muted} {
			if text, err := part[2+j].ToString(); err == nil && text == "" {
				continue
			}
			until, err := part[2+j].AsInt64()
			if err != nil {
				return f, errAnswer
			}
			*end = time.UnixMilli(until).UTC()
		}
	}
	return f, nil
}
