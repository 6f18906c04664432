package limit

import (
	"context"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"time"
)

const (
	// defaultMaxKeys keeps a Memory below some 150 MB at worst.
	defaultMaxKeys = 1 << 20
	maxShards      = 64
	// minPerShard is the share of keys below which a shard is not worth having.
	minPerShard = 64

	// idleGrace is how long a key that owes nothing is kept before it may be
	// forgotten, so that one in steady use is not inserted anew at each call.
	idleGrace = int64(time.Minute)
	// sweepHit and sweepInsert are how many entries a call looks at for
	// forgetting. An insert looks at more than one, so the table cannot outrun
	// its own sweep: it stays within about twice the keys that are worth keeping.
	sweepHit, sweepInsert = 1, 2
	// evictSample is how many entries a full shard picks its victim from.
	evictSample = 8

	// A shard that once held shrinkPeak keys or more gives memory back when it
	// is down to a shrinkShare-th: maps and slices never shrink by themselves.
	shrinkPeak, shrinkShare = 256, 8
)

// Memory is a [Limiter] in the memory of one process.
//
// A call on a known key allocates nothing. A refused call is cheaper than an
// admitted one, and never adds a key. Allow never waits for anything but a short
// lock on one of many shards, and ignores its context.
//
// A key that has owed nothing for a minute is forgotten. There is no goroutine
// for this: each admitted call looks at an entry or two. The number of keys is
// bounded ([WithMaxKeys]); when a flood of new keys reaches the bound, each new
// key takes the place of one that owes little.
type Memory struct {
	seed   maphash.Seed
	shards []shard
	start  time.Time
	clock  func() time.Time // nil: the monotonic clock of package time
}

var _ Limiter = (*Memory)(nil)

// A MemoryOption changes a default of [NewMemory].
type MemoryOption func(*memoryOptions)

type memoryOptions struct {
	clock   func() time.Time
	maxKeys int
}

// WithClock makes a [Memory] read the time from now, which must be safe for
// concurrent use. The default is [time.Now] with its monotonic reading. Inside
// a testing/synctest bubble that is the bubble's clock, with no option needed.
func WithClock(now func() time.Time) MemoryOption {
	return func(o *memoryOptions) { o.clock = now }
}

// WithMaxKeys bounds how many keys a [Memory] remembers, at some 100 bytes each
// plus the key itself. The default, also for n below one, is 1,048,576. With
// small bounds uneven hashing can make keys be forgotten a little earlier.
//
// A forgotten key starts afresh, so the bound should be well above the number
// of keys that can be in debt at a time: those seen within [Rate.Window].
func WithMaxKeys(n int) MemoryOption {
	return func(o *memoryOptions) { o.maxKeys = n }
}

// NewMemory returns an empty Memory.
func NewMemory(opts ...MemoryOption) *Memory {
	var o memoryOptions
	for _, opt := range opts {
		opt(&o)
	}
	if o.maxKeys < 1 {
		o.maxKeys = defaultMaxKeys
	}
	shards := maxShards
	for shards > 1 && o.maxKeys/shards < minPerShard {
		shards /= 2
	}
	m := &Memory{
		seed:   maphash.MakeSeed(),
		shards: make([]shard, shards),
		clock:  o.clock,
	}
	if m.clock == nil {
		m.start = time.Now()
	} else {
		m.start = m.clock()
	}
	for i := range m.shards {
		m.shards[i].index = make(map[string]uint32)
		m.shards[i].max = o.maxKeys / shards
	}
	return m
}

// Allow implements [Limiter]. Its only errors are [ErrInvalidRate] and
// [ErrInvalidCount].
func (m *Memory) Allow(_ context.Context, key string, r Rate, n int) (Decision, error) {
	if n < 0 {
		return Decision{}, fmt.Errorf("%w: %d", ErrInvalidCount, n)
	}
	if r.Unlimited() {
		return admitted(), nil
	}
	if !r.valid() {
		return Decision{}, r.Validate()
	}
	// The seed keeps keys from being chosen to meet in one shard.
	sh := &m.shards[maphash.String(m.seed, key)%uint64(len(m.shards))]
	now := m.now()

	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.allow(now, key, r, n), nil
}

// Len returns how many keys are remembered.
func (m *Memory) Len() int {
	n := 0
	for i := range m.shards {
		sh := &m.shards[i]
		sh.mu.Lock()
		n += len(sh.entries)
		sh.mu.Unlock()
	}
	return n
}

// Evicted returns how many keys were forgotten while they still owed something,
// because there were more of them than [WithMaxKeys] allows. A number that
// grows means that limits are not kept.
func (m *Memory) Evicted() uint64 {
	var n uint64
	for i := range m.shards {
		sh := &m.shards[i]
		sh.mu.Lock()
		n += sh.evicted
		sh.mu.Unlock()
	}
	return n
}

// now returns the nanoseconds since m was made.
func (m *Memory) now() int64 {
	if m.clock == nil {
		return int64(time.Since(m.start))
	}
	return int64(m.clock().Sub(m.start))
}

// A shard holds the keys of one hash class.
type shard struct {
	mu      sync.Mutex // protects everything below
	index   map[string]uint32
	entries []entry // dense, so that the sweep is a walk along a slice
	hand    int     // where the sweep goes on
	peak    int     // most entries since index and entries were made
	max     int
	evicted uint64

	_ [64]byte // a lock shares no cache line with the next shard
}

type entry struct {
	key    string
	bucket Bucket
}

// allow is Allow on a locked shard.
func (sh *shard) allow(now int64, key string, r Rate, n int) Decision {
	if i, ok := sh.index[key]; ok {
		d := sh.entries[i].bucket.take(now, r, n)
		if d.OK {
			sh.sweep(now, sweepHit)
		}
		return d
	}
	bucket := Bucket{tat: now}
	d := bucket.take(now, r, n)
	if d.OK && n > 0 {
		sh.sweep(now, sweepInsert)
		sh.insert(now, key, bucket)
	}
	return d
}

// insert adds a key that is not there.
func (sh *shard) insert(now int64, key string, b Bucket) {
	if len(sh.entries) >= sh.max {
		sh.evict(now)
	}
	// The caller's key may be a piece of something large.
	key = strings.Clone(key)
	sh.index[key] = uint32(len(sh.entries))
	sh.entries = append(sh.entries, entry{key: key, bucket: b})
	sh.peak = max(sh.peak, len(sh.entries))
}

// sweep looks at the next n entries and forgets those that are long idle.
func (sh *shard) sweep(now int64, n int) {
	for range min(n, len(sh.entries)) {
		if sh.hand >= len(sh.entries) {
			sh.hand = 0
		}
		if sh.entries[sh.hand].bucket.tat < now-idleGrace {
			sh.remove(sh.hand) // another entry is under the hand now
		} else {
			sh.hand++
		}
	}
	if sh.peak >= shrinkPeak && len(sh.entries) < sh.peak/shrinkShare {
		sh.shrink()
	}
}

// evict removes the entry that owes for the shortest time among the next few.
func (sh *shard) evict(now int64) {
	victim := -1
	for range min(evictSample, len(sh.entries)) {
		if sh.hand >= len(sh.entries) {
			sh.hand = 0
		}
		if victim < 0 || sh.entries[sh.hand].bucket.tat < sh.entries[victim].bucket.tat {
			victim = sh.hand
		}
		sh.hand++
	}
	if sh.entries[victim].bucket.after(now) > 0 {
		sh.evicted++
	}
	sh.remove(victim)
}

// remove deletes the entry at i and puts the last one in its place.
func (sh *shard) remove(i int) {
	delete(sh.index, sh.entries[i].key)
	last := len(sh.entries) - 1
	if i != last {
		sh.entries[i] = sh.entries[last]
		sh.index[sh.entries[i].key] = uint32(i)
	}
	sh.entries[last] = entry{} // let go of the key
	sh.entries = sh.entries[:last]
}

// shrink moves what is left into a map and a slice of its size.
func (sh *shard) shrink() {
	entries := make([]entry, len(sh.entries), 2*len(sh.entries)+1)
	copy(entries, sh.entries)
	index := make(map[string]uint32, len(entries))
	for i, e := range entries {
		index[e.key] = uint32(i)
	}
	sh.entries, sh.index, sh.peak = entries, index, len(entries)
}
