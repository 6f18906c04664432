package jwtauth

import (
	"container/list"
	"crypto/sha256"
	"sync"
)

// cache remembers the tokens that were verified last. It is keyed by a digest, so that a dump of it gives no token
// away and the time of a lookup says nothing about one.
type cache struct {
	size int

	mu     sync.Mutex // protects what follows; held for map and list operations only
	order  *list.List // of *entry, the one used last in front
	lookup map[[sha256.Size]byte]*list.Element
}

type entry struct {
	digest [sha256.Size]byte
	v      verified
}

func newCache(size int) *cache {
	return &cache{size: size, order: list.New(), lookup: make(map[[sha256.Size]byte]*list.Element)}
}

func (c *cache) get(digest [sha256.Size]byte) (verified, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.lookup[digest]
	if !ok {
		return verified{}, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*entry).v, true
}

func (c *cache) put(digest [sha256.Size]byte, v verified) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.lookup[digest]; ok {
		e.Value.(*entry).v = v
		c.order.MoveToFront(e)
		return
	}
	if len(c.lookup) >= c.size {
		oldest := c.order.Back()
		delete(c.lookup, oldest.Value.(*entry).digest)
		c.order.Remove(oldest)
	}
	c.lookup[digest] = c.order.PushFront(&entry{digest: digest, v: v})
}

func (c *cache) remove(digest [sha256.Size]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.lookup[digest]; ok {
		delete(c.lookup, digest)
		c.order.Remove(e)
	}
}
