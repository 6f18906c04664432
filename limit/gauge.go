package limit

import (
	"hash/maphash"
	"strings"
	"sync"
)

// gaugeShards is enough for connections, which come and go far less often than
// messages.
const gaugeShards = 32

// A Gauge counts how many of something exist at once per key, and caps it: the
// connections from an address, of a user, of a node. It is exact: of any number
// of concurrent calls no more than the cap succeed.
//
// A key whose count is back at zero is forgotten, so the memory in use follows
// what exists. A Gauge is safe for concurrent use.
type Gauge struct {
	seed   maphash.Seed
	shards [gaugeShards]gaugeShard
}

type gaugeShard struct {
	mu     sync.Mutex // protects everything below
	counts map[string]int
	peak   int // most keys since counts was made
}

// NewGauge returns a Gauge on which nothing is counted.
func NewGauge() *Gauge {
	g := &Gauge{seed: maphash.MakeSeed()}
	for i := range g.shards {
		g.shards[i].counts = make(map[string]int)
	}
	return g
}

// Acquire counts one more of key, unless there are limit of them already. A limit of
// zero is no cap: everything succeeds and is counted. A negative limit admits
// none.
//
// The limit belongs to the call, not to the key: when it is lowered, what exists
// stays, and the next call fails until enough was released.
//
// If ok, release must be called once the thing is gone. It counts one less;
// further calls of it do nothing, so it is safe to defer and to call early. If
// not ok, release does nothing. It is never nil, and safe for concurrent use.
func (g *Gauge) Acquire(key string, limit int) (release func(), ok bool) {
	sh := g.shard(key)
	if !sh.acquire(key, limit) {
		return func() {}, false
	}
	key = strings.Clone(key) // the caller's may be a piece of something large
	var once sync.Once
	return func() { once.Do(func() { sh.release(key) }) }, true
}

// Enter is Acquire for a caller that keeps in mind itself that it has counted
// one, which costs nothing: if ok, it must call Leave with the same key, once.
func (g *Gauge) Enter(key string, limit int) (ok bool) {
	return g.shard(key).acquire(key, limit)
}

// Leave counts one less of key. It must follow an Enter that succeeded.
func (g *Gauge) Leave(key string) { g.shard(key).release(key) }

// Count returns how many of key exist.
func (g *Gauge) Count(key string) int {
	sh := g.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.counts[key]
}

// Len returns how many keys have a count above zero.
func (g *Gauge) Len() int {
	n := 0
	for i := range g.shards {
		sh := &g.shards[i]
		sh.mu.Lock()
		n += len(sh.counts)
		sh.mu.Unlock()
	}
	return n
}

func (g *Gauge) shard(key string) *gaugeShard {
	return &g.shards[maphash.String(g.seed, key)%gaugeShards]
}

// acquire counts one more of key.
func (sh *gaugeShard) acquire(key string, limit int) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	n := sh.counts[key]
	if limit < 0 || limit > 0 && n >= limit {
		return false
	}
	if n == 0 {
		key = strings.Clone(key) // the map keeps it; the caller's may be a piece of something large
	}
	sh.counts[key] = n + 1
	sh.peak = max(sh.peak, len(sh.counts))
	return true
}

func (sh *gaugeShard) release(key string) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if n := sh.counts[key]; n > 1 {
		sh.counts[key] = n - 1
		return
	}
	delete(sh.counts, key)
	if sh.peak >= shrinkPeak && len(sh.counts) < sh.peak/shrinkShare {
		counts := make(map[string]int, len(sh.counts))
		for k, n := range sh.counts {
			counts[k] = n
		}
		sh.counts, sh.peak = counts, len(counts)
	}
}
