package auth

import (
	"fmt"
	"time"
)

// MemoryOption is a setting of the stores in memory.
type MemoryOption func(*memoryConfig)

type memoryConfig struct {
	max int
	ttl time.Duration
}

func memoryOptions(opts []MemoryOption) memoryConfig {
	cfg := memoryConfig{max: 100_000, ttl: DefaultSessionTTL}
	for _, opt := range opts {
		opt(&cfg)
	}
	return cfg
}

// MaxEntries bounds a store: its sessions and, counted apart, its revocations, or its tickets. A store that is full and
// has nothing that expired fails with [ErrUnavailable] rather than forget. The default is 100,000. It panics when n is
// not positive.
func MaxEntries(n int) MemoryOption {
	if n <= 0 {
		panic(fmt.Sprintf("auth: MaxEntries(%d): must be positive", n))
	}
	return func(c *memoryConfig) { c.max = n }
}

// SessionTTL is how long a session lives after its last activity. The default is [DefaultSessionTTL]. It panics when d
// is not positive.
func SessionTTL(d time.Duration) MemoryOption {
	if d <= 0 {
		panic(fmt.Sprintf("auth: SessionTTL(%v): must be positive", d))
	}
	return func(c *memoryConfig) { c.ttl = d }
}

// sweep is how many expired entries a call removes at most on the way, so that none takes long. Each call adds one entry
// at most, so a store never holds on to more than it had at its fullest.
const sweep = 16
