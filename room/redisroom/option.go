package redisroom

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/wardroom/wardroom/internal/redisx"
)

// Option is a setting of a broker or a store. Those that share rooms, on all
// nodes, must have the same prefix.
type Option func(*config)

type config struct {
	keys    redisx.Keys
	timeout time.Duration
	log     *slog.Logger
	// replicas is how many must have what was stored.
	replicas int
}

func options(opts []Option) config {
	cfg := config{keys: redisx.NewKeys(""), timeout: redisx.DefaultTimeout, log: slog.New(slog.DiscardHandler)}
	for _, opt := range opts {
		opt(&cfg)
	}
	return cfg
}

// WithPrefix begins every key and channel. The default is "wardroom:".
func WithPrefix(prefix string) Option {
	return func(c *config) { c.keys = redisx.NewKeys(prefix) }
}

// WithTimeout bounds each call, whatever it takes, retries included. The
// default is 250 ms. A context that ends earlier ends the call earlier. It
// panics when d is shorter than a millisecond.
func WithTimeout(d time.Duration) Option {
	if d < time.Millisecond {
		panic(fmt.Sprintf("redisroom: WithTimeout(%v): must be a millisecond or more", d))
	}
	return func(c *config) { c.timeout = d }
}

// WithLogger is told when Redis goes and when it comes back, not of every call
// that fails: redis_down, redis_up and redis_subscription_lost, and at most once
// a second redis_lost (messages that cannot be had any more), redis_unreadable
// (what Redis has is not what this version writes) and redis_replicas_missing
// (see [WithReplicas]). The default is to tell nobody. It panics when l is nil.
func WithLogger(l *slog.Logger) Option {
	if l == nil {
		panic("redisroom: WithLogger(nil): leave it out to tell nobody")
	}
	return func(c *config) { c.log = l }
}

// WithReplicas has a broker acknowledge what it stores, which is messages of
// rooms with history, amendments, and that a log was forgotten, only when at
// least n replicas of the primary have it as well (Redis' WAIT). If they do not
// within the timeout the call fails with a [room.ErrUnavailable]. What it was
// about may be stored and delivered all the same; when the caller repeats it
// with the message's ID it is a duplicate, for which the replicas are waited for
// too. Everything else, other rooms' messages without history among it, does not
// wait, unless it was published in one call with what does and in the same room.
// In a Cluster each primary needs n replicas.
//
// A failover to a replica that has what was acknowledged loses nothing of it.
// That is any replica only if n is the number of all that may be promoted; the
// package comment says what it is with fewer, and what else it takes.
//
// The default is 0: what the primary has is acknowledged. It panics when n is
// negative. A store takes no notice of it.
func WithReplicas(n int) Option {
	if n < 0 {
		panic(fmt.Sprintf("redisroom: WithReplicas(%d): must not be negative", n))
	}
	return func(c *config) { c.replicas = n }
}
