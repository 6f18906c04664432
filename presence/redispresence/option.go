package redispresence

import (
	"fmt"
	"time"

	"github.com/wardroom/wardroom/internal/redisx"
)

// Option is a setting of a [Store]. Stores that share presence, on all nodes,
// must have the same prefix.
type Option func(*Store)

// WithPrefix begins every key. The default is "wardroom:".
func WithPrefix(prefix string) Option {
	return func(s *Store) { s.keys = redisx.NewKeys(prefix) }
}

// WithTimeout bounds each exchange with Redis. The default is 250 ms; 0 leaves
// it to the caller's context.
func WithTimeout(d time.Duration) Option {
	return func(s *Store) { s.timeout = d }
}

// WithLastSeen is for how long it is known when a user was last seen anywhere.
// The default is 30 days. It panics when d is shorter than a day, which is what
// [presence.Record] promises.
func WithLastSeen(d time.Duration) Option {
	if d < 24*time.Hour {
		panic(fmt.Sprintf("redispresence: WithLastSeen(%v): must be a day or more", d))
	}
	return func(s *Store) { s.seenKept = d }
}
