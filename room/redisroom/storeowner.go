package redisroom

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redisx"
	"github.com/wardroom/wardroom/room"
)

// Who owns what is an index in the user's slot, which no script can write
// together with a record in the room's. So it is written first, and believed
// only where the record agrees: a claim says that a room may be the user's, and
// the record, which names one claim, whether it is. What is in the index is
// therefore never too little. What is too much, after a call that was cut off
// half way, is removed when Owned comes upon it and it is old.

// claimPatience is after how long a claim that no record names will not be
// named by one that is still on its way.
const claimPatience = time.Hour

// claimsAtOnce is how many claims are checked in one round trip.
const claimsAtOnce = 250

// claim notes that a user is about to own a room, and returns the claim. Nobody
// owns the host's.
func (s *Store) claim(ctx context.Context, user, name string) (string, error) {
	if user == "" {
		return "", nil
	}
	// A claim sorts by its time.
	claim := fmt.Sprintf("%013x %s %s", time.Now().UnixMilli(), rand.Text(), name)
	return claim, s.call(ctx, func(ctx context.Context) error {
		return redisx.Do(ctx, s.client, s.client.B().Zadd().Key(s.ownerKey(user)).ScoreMember().ScoreMember(0, claim).Build()).Error()
	})
}

// unclaim removes a claim that no record names. When that fails, Owned does it
// some day.
func (s *Store) unclaim(ctx context.Context, user string, claims ...string) {
	if user == "" || len(claims) == 0 || claims[0] == "" {
		return
	}
	_ = s.call(ctx, func(ctx context.Context) error {
		return redisx.Do(ctx, s.client, s.client.B().Zrem().Key(s.ownerKey(user)).Member(claims...).Build()).Error()
	})
}

// Owned implements [room.Store]. It asks for what the user may own, and then of
// each room whether it is so: two round trips for every 250.
func (s *Store) Owned(ctx context.Context, user string) (int, error) {
	if user == "" {
		return 0, nil
	}
	owned := 0
	var stale []string
	for after := "-"; ; {
		claims, err := s.claims(ctx, user, after)
		if err != nil {
			return 0, err
		}
		named, err := s.named(ctx, user, claims)
		if err != nil {
			return 0, err
		}
		old := time.Now().Add(-claimPatience).UnixMilli()
		for i, claim := range claims {
			at, _, _ := strings.Cut(claim, " ")
			switch ms, err := strconv.ParseInt(at, 16, 64); {
			case named[i]:
				owned++
			case err != nil || ms < old:
				stale = append(stale, claim)
			}
		}
		if len(claims) < claimsAtOnce {
			break
		}
		after = "(" + claims[len(claims)-1]
	}
	s.unclaim(ctx, user, stale...)
	return owned, nil
}

// claims returns the next claims of a user, in order.
func (s *Store) claims(ctx context.Context, user, after string) (claims []string, err error) {
	err = s.call(ctx, func(ctx context.Context) error {
		claims, err = redisx.Do(ctx, s.client, redisx.Read(s.client, "ZRANGEBYLEX", s.ownerKey(user),
			after, "+", "LIMIT", "0", strconv.Itoa(claimsAtOnce))).AsStrSlice()
		return err
	})
	return claims, err
}

// named reports of each claim whether the record of its room names it.
func (s *Store) named(ctx context.Context, user string, claims []string) ([]bool, error) {
	named := make([]bool, len(claims))
	if len(claims) == 0 {
		return named, nil
	}
	err := s.call(ctx, func(ctx context.Context) error {
		commands := make(rueidis.Commands, len(claims))
		for i, claim := range claims {
			fields := strings.SplitN(claim, " ", 3)
			commands[i] = redisx.Read(s.client, "HMGET", s.roomKey(fields[len(fields)-1]), "owner", "claim")
		}
		for i, reply := range redisx.DoMulti(ctx, s.client, commands...) {
			values, err := reply.AsStrSlice()
			if err != nil {
				return err
			}
			named[i] = len(values) == 2 && values[0] == user && values[1] == claims[i]
		}
		return nil
	})
	return named, err
}

var _ room.Store = (*Store)(nil)
