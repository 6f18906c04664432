package redissession

import (
	"fmt"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/redisx"
)

// Option is a setting of the stores.
type Option func(*config)

type config struct {
	keys    redisx.Keys
	timeout time.Duration
	circuit *redisx.Circuit
	ttl     time.Duration
	most    int
}

func options(opts []Option) config {
	cfg := config{keys: redisx.NewKeys(""), timeout: redisx.DefaultTimeout, circuit: redisx.NewCircuit(), ttl: auth.DefaultSessionTTL, most: 1000}
	for _, opt := range opts {
		opt(&cfg)
	}
	return cfg
}

// WithPrefix begins every key. The default is "wardroom:".
func WithPrefix(prefix string) Option {
	return func(c *config) { c.keys = redisx.NewKeys(prefix) }
}

// WithTimeout bounds each exchange with Redis. The default is 250 ms; 0 leaves it to the caller's context.
func WithTimeout(d time.Duration) Option {
	return func(c *config) { c.timeout = d }
}

// WithSessionTTL is how long a session lives after its last activity. The default is [auth.DefaultSessionTTL]. It panics
// when d is shorter than a millisecond.
func WithSessionTTL(d time.Duration) Option {
	if d < time.Millisecond {
		panic(fmt.Sprintf("redissession: WithSessionTTL(%v): must be a millisecond or more", d))
	}
	return func(c *config) { c.ttl = d }
}

// WithMaxPerUser bounds what is kept for one user: the sessions with those that were revoked and would not have expired
// yet, and counted apart the revoked token IDs. A user who has that many gets an [auth.ErrUnavailable] rather than have
// something forgotten. It also bounds how long a script holds up the server. The default is 1,000. It panics when n is
// not positive.
func WithMaxPerUser(n int) Option {
	if n <= 0 {
		panic(fmt.Sprintf("redissession: WithMaxPerUser(%d): must be positive", n))
	}
	return func(c *config) { c.most = n }
}
