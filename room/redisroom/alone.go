package redisroom

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redisx"
	"github.com/wardroom/wardroom/room"
)

// runAlone is run beside the lanes and with all of the context's time, for an
// answer that may be too large for a call's. The others would have to wait for it.
func (b *Broker) runAlone(ctx context.Context, r *keys, s *script, args []string) ([]rueidis.RedisMessage, error) {
	if err := b.refuse(ctx); err != nil {
		return nil, err
	}
	if b.lane(r).health.down() {
		return nil, errDown
	}
	c := &call{script: s, keys: r.all, args: args}
	result := redisx.Do(ctx, b.client, b.command(c, false))
	if err, own := rueidis.IsRedisErr(result.Error()); own && err.IsNoScript() {
		result = redisx.Do(ctx, b.client, b.command(c, true))
	}
	reply, err := result.ToArray()
	return reply, redisx.Error(err, room.ErrUnavailable)
}
