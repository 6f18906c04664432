package redislimit

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redisx"
	"github.com/wardroom/wardroom/limit"
)

var (
	//go:embed take.lua
	takeText string
	//go:embed renew.lua
	renewText string
)

// renewAtOnce is how many keys are renewed in one round trip.
const renewAtOnce = 500

// Counter is a [limit.Counter] in Redis. Each method is one round trip; Renew
// is one for every 500 keys. An error of Redis wraps [ErrUnavailable], and
// comes at once while Redis is known to be away.
type Counter struct {
	client      rueidis.Client
	config      Limiter // its keys and timeout
	circuit     *redisx.Circuit
	take, renew redisx.Script
}

var _ limit.Counter = (*Counter)(nil)

// NewCounter returns a Counter. The client is the caller's and stays open.
func NewCounter(client rueidis.Client, opts ...Option) *Counter {
	return &Counter{
		client: client, config: *New(client, opts...), circuit: redisx.NewCircuit(),
		take: redisx.NewScript(takeText, false), renew: redisx.NewScript(renewText, false),
	}
}

func (c *Counter) key(key string) string { return c.config.keys.Key("c", key) }

func (c *Counter) call(ctx context.Context, f func(context.Context) error) error {
	if err := c.circuit.Do(ctx, c.config.timeout, f); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// Take implements [limit.Counter].
func (c *Counter) Take(ctx context.Context, key, id string, most int, ttl time.Duration) (ok bool, err error) {
	err = c.call(ctx, func(ctx context.Context) error {
		reply, err := c.take.Run(ctx, c.client, 0, ErrUnavailable, []string{c.key(key)},
			[]string{id, strconv.Itoa(max(most, 0)), strconv.FormatInt(ttl.Milliseconds(), 10)})
		if err != nil {
			return err
		}
		if len(reply) != 1 {
			return fmt.Errorf("%d values", len(reply))
		}
		n, err := reply[0].AsInt64()
		ok = n == 1
		return err
	})
	return ok && err == nil, err
}

// Renew implements [limit.Counter].
func (c *Counter) Renew(ctx context.Context, leases []limit.Lease, ttl time.Duration) error {
	byKey := make(map[string]int, len(leases))
	calls := make([]redisx.Call, 0, len(leases))
	for _, l := range leases {
		i, known := byKey[l.Key]
		if !known {
			i = len(calls)
			byKey[l.Key] = i
			calls = append(calls, redisx.Call{Keys: []string{c.key(l.Key)}, Args: []string{strconv.FormatInt(ttl.Milliseconds(), 10)}})
		}
		calls[i].Args = append(calls[i].Args, l.ID)
	}
	for part := range slices.Chunk(calls, renewAtOnce) {
		err := c.call(ctx, func(ctx context.Context) error {
			for _, result := range c.renew.RunAll(ctx, c.client, part) {
				if err := result.Error(); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Drop implements [limit.Counter].
func (c *Counter) Drop(ctx context.Context, key, id string) error {
	return c.call(ctx, func(ctx context.Context) error {
		return redisx.Do(ctx, c.client, c.client.B().Zrem().Key(c.key(key)).Member(id).Build()).Error()
	})
}
