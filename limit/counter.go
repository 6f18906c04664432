package limit

import (
	"context"
	"sync"
	"time"
)

// A Counter counts how many of something exist at once per key, across nodes,
// and caps it: a [Gauge] that nodes share. What exists is named by an ID and
// counted for some time only, so that what a dead node had is not counted for
// ever; who has it renews that in time.
//
// Keys, and IDs of one key, are compared byte by byte. A Counter is safe for
// concurrent use. With an error it is not known whether anything was done.
// limittest.TestCounter tests what is said here.
type Counter interface {
	// Take counts id under key for ttl, unless most others or more are counted
	// there, and reports whether it did. It is exact: of any number of calls at
	// once, on whatever nodes, no more than most succeed. An id that is counted
	// already is renewed. A most of zero or less admits none.
	Take(ctx context.Context, key, id string, most int, ttl time.Duration) (bool, error)

	// Renew counts each of the leases for ttl from now on. One that is not
	// counted any more is counted again, however many there are: it exists.
	Renew(ctx context.Context, leases []Lease, ttl time.Duration) error

	// Drop stops counting id. One that is not counted is no error.
	Drop(ctx context.Context, key, id string) error
}

// Lease is one thing that a [Counter] counts.
type Lease struct{ Key, ID string }

// MemoryCounter is a [Counter] in the memory of one process. What has expired
// is forgotten when its key is used again, or by and by when others are. Make
// one with [NewMemoryCounter].
type MemoryCounter struct {
	mu   sync.Mutex // protects keys
	keys map[string]map[string]time.Time
}

var _ Counter = (*MemoryCounter)(nil)

// NewMemoryCounter returns a MemoryCounter that counts nothing yet.
func NewMemoryCounter() *MemoryCounter {
	return &MemoryCounter{keys: make(map[string]map[string]time.Time)}
}

// counterSweep is how many other keys are looked at when one is added.
const counterSweep = 2

// Take implements [Counter].
func (c *MemoryCounter) Take(_ context.Context, key, id string, most int, ttl time.Duration) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	ids := c.expire(key, now)
	if _, counted := ids[id]; !counted && len(ids) >= most {
		return false, nil
	}
	c.put(key, id, now.Add(ttl), now)
	return true, nil
}

// Renew implements [Counter].
func (c *MemoryCounter) Renew(_ context.Context, leases []Lease, ttl time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for _, l := range leases {
		c.put(l.Key, l.ID, now.Add(ttl), now)
	}
	return nil
}

// Drop implements [Counter].
func (c *MemoryCounter) Drop(_ context.Context, key, id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.keys[key], id)
	c.expire(key, time.Now())
	return nil
}

// put counts an id. The caller holds mu.
func (c *MemoryCounter) put(key, id string, until, now time.Time) {
	ids := c.keys[key]
	if ids == nil {
		seen := 0
		for other := range c.keys { // in random order
			if seen++; seen > counterSweep {
				break
			}
			c.expire(other, now)
		}
		ids = make(map[string]time.Time)
		c.keys[key] = ids
	}
	ids[id] = until
}

// expire forgets what has expired of a key and returns the rest. The caller
// holds mu.
func (c *MemoryCounter) expire(key string, now time.Time) map[string]time.Time {
	ids := c.keys[key]
	for id, until := range ids {
		if !until.After(now) {
			delete(ids, id)
		}
	}
	if len(ids) == 0 {
		delete(c.keys, key)
		return nil
	}
	return ids
}
