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
// a second redis_lost (messages that cannot be had any more) and
// redis_unreadable (what Redis has is not what this version writes). The default
// is to tell nobody.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) { c.log = l }
}
