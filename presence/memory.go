package presence

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// answerKept is how long the answer to a batch after which its node had no
// entries left is kept, in case it is asked for again.
const answerKept = time.Minute

// errLate: the node has made a later batch in the scope.
var errLate = errors.New("presence: batch comes late")

// Memory is a [Store] in the memory of one process. Trackers of that process
// may share it.
//
// It has no goroutine: each call puts a few old things away.
type Memory struct {
	mu       sync.Mutex // protects everything below
	scopes   map[Scope]*crowd
	leases   leases
	seen     sightings
	spent    []spent // oldest first
	revision uint64
}

var _ Store = (*Memory)(nil)

// spent is a share without entries, to be forgotten at a time.
type spent struct {
	at    time.Time
	scope Scope
	node  string
	op    uint64
}

// A MemoryOption changes a default of [NewMemory].
type MemoryOption func(*Memory)

// WithLastSeen sets of how many users a [Memory] remembers when they were last
// seen, and for how long. The default, also for values below one, is 65,536
// users and 30 days; the users who have been gone longest are forgotten first.
func WithLastSeen(users int, d time.Duration) MemoryOption {
	return func(m *Memory) {
		if users > 0 {
			m.seen.most = users
		}
		if d > 0 {
			m.seen.keep = d
		}
	}
}

// NewMemory returns an empty Memory.
func NewMemory(opts ...MemoryOption) *Memory {
	m := &Memory{
		scopes: make(map[Scope]*crowd),
		leases: leases{nodes: make(map[string]*lease), lapsed: make(map[string]time.Time)},
		seen:   sightings{users: make(map[string]*sighting), most: 1 << 16, keep: 30 * 24 * time.Hour},
	}
	for _, opt := range opts {
		opt(m)
	}
	return m
}

// Beat implements [Store].
func (m *Memory) Beat(ctx context.Context, node string, ttl time.Duration) (Lease, error) {
	if err := ctx.Err(); err != nil {
		return Lease{}, fmt.Errorf("presence: beat: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.tidy(now)
	return m.leases.beat(node, now, ttl)
}

// Orphans implements [Store].
func (m *Memory) Orphans(ctx context.Context, node string, limit int) ([]Orphan, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("presence: orphans: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.leases.orphans(node, time.Now(), limit)
}

// Get implements [Store].
func (m *Memory) Get(ctx context.Context, scope Scope, user string) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, fmt.Errorf("presence: get: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r := Record{User: user}
	if c := m.scopes[scope]; c != nil {
		r.Entries = slices.Clone(c.entries(user))
	}
	if scope.User == user && scope.Room == "" && !anyVisible(r.Entries) {
		r.Seen = m.seen.get(user, time.Now())
	}
	return r, nil
}

// List implements [Store].
func (m *Memory) List(ctx context.Context, scope Scope, after string, limit int) (records []Record, more bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, fmt.Errorf("presence: list: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.scopes[scope]
	if c == nil {
		return nil, false, nil
	}
	i, found := c.find(after)
	if found {
		i++
	}
	end := min(i+max(limit, 1), len(c.users))
	for _, u := range c.users[i:end] {
		r := Record{User: u.id, Entries: slices.Clone(u.entries)}
		if scope.User == u.id && scope.Room == "" && !anyVisible(u.entries) {
			r.Seen = m.seen.get(u.id, time.Now())
		}
		records = append(records, r)
	}
	return records, end < len(c.users), nil
}

// Update implements [Store].
func (m *Memory) Update(ctx context.Context, b Batch) (Outcome, error) {
	if err := ctx.Err(); err != nil {
		return Outcome{}, fmt.Errorf("presence: update: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.tidy(now)
	c := m.scopes[b.Scope]
	if c == nil {
		c = new(crowd)
	}
	var last uint64
	surplus := false
	if s := c.share(b.Node); s != nil {
		last = s.op
		if last == b.Op {
			return s.answer(), nil
		}
		surplus = b.Bare && s.entries > 0
	}
	if surplus || b.Prev != 0 && b.Prev != last {
		return Outcome{}, ErrLost
	}
	if b.Op < last {
		return Outcome{}, errLate
	}
	m.scopes[b.Scope] = c
	out := m.apply(c, &b)
	m.remember(c, &b, out, now)
	return out, nil
}

// apply makes the changes of b in c.
func (m *Memory) apply(c *crowd, b *Batch) Outcome {
	var out Outcome
	touch := func(user string) {
		i, found := slices.BinarySearchFunc(out.Transitions, user, func(t Transition, user string) int { return strings.Compare(t.User, user) })
		if !found {
			out.Transitions = slices.Insert(out.Transitions, i, Transition{User: user, Before: slices.Clone(c.entries(user))})
		}
	}
	for i := range b.Changes {
		ch := &b.Changes[i]
		e := &ch.Entry
		switch ch.Action {
		case Put, Amend:
			touch(e.User)
			if old, ok := c.put(e, ch.Action == Put); ok {
				m.moved(b.Scope, c, old, e.Node)
			}
		case Remove:
			touch(e.User)
			if old, ok := c.remove(e.User, e.Connection); ok {
				m.moved(b.Scope, c, old, "")
			}
		case RemoveUser:
			touch(e.User)
			for _, old := range c.removeAll(e.User) {
				m.moved(b.Scope, c, old.Node, "")
			}
		case RemoveNode:
			out.More = m.removeNode(c, b.Scope, e.Node, max(ch.Limit, 1), touch) || out.More
		}
	}
	for i := range out.Transitions {
		t := &out.Transitions[i]
		t.After = slices.Clone(c.entries(t.User))
		if t.User == b.Scope.User && b.Scope.Room == "" {
			m.sight(t, b.At)
		}
	}
	out.Users = len(c.users)
	// The time keeps the revision growing even after a restart.
	m.revision = max(m.revision+1, uint64(time.Now().UnixMicro()))
	out.Revision = m.revision
	return out
}

// removeNode removes up to limit entries of a node, and reports whether it has
// more.
func (m *Memory) removeNode(c *crowd, scope Scope, node string, limit int, touch func(string)) (more bool) {
	s := c.share(node)
	if s == nil {
		m.leases.left(node, scope)
		return false
	}
	s.op, s.out = 0, Outcome{}
	for i := 0; i < len(c.users) && s.entries > 0 && limit > 0; {
		u := c.users[i]
		for j := 0; j < len(u.entries) && limit > 0; {
			if u.entries[j].Node != node {
				j++
				continue
			}
			touch(u.id)
			u.entries = slices.Delete(u.entries, j, j+1)
			s.entries--
			limit--
		}
		if len(u.entries) == 0 {
			c.users = slices.Delete(c.users, i, i+1)
		} else {
			i++
		}
	}
	if s.entries > 0 {
		return true
	}
	c.dropShare(node)
	m.leases.left(node, scope)
	return false
}

// moved keeps account of an entry that went from one node to another; either
// may be none.
func (m *Memory) moved(scope Scope, c *crowd, from, to string) {
	if from == to {
		return
	}
	if s := c.share(from); s != nil {
		s.entries--
	}
	if to != "" {
		c.ensureShare(to).entries++
		m.leases.entered(to, scope)
	}
}

// remember keeps the answer to b, in case it is asked for again.
func (m *Memory) remember(c *crowd, b *Batch, out Outcome, now time.Time) {
	s := c.ensureShare(b.Node)
	s.op, s.out = b.Op, out
	s.out.Transitions = cloneTransitions(out.Transitions)
	if s.entries == 0 {
		m.spent = append(m.spent, spent{at: now.Add(answerKept), scope: b.Scope, node: b.Node, op: b.Op})
		m.leases.left(b.Node, b.Scope)
	}
}

// sight keeps when a user was last visible.
func (m *Memory) sight(t *Transition, at time.Time) {
	switch {
	case anyVisible(t.After):
		m.seen.forget(t.User)
	case anyVisible(t.Before):
		m.seen.put(t.User, at)
	}
}

// tidy forgets answers that nobody will ask for any more.
func (m *Memory) tidy(now time.Time) {
	n := 0
	for n < len(m.spent) && !m.spent[n].at.After(now) {
		old := &m.spent[n]
		n++
		c := m.scopes[old.scope]
		if c == nil {
			continue
		}
		if s := c.share(old.node); s != nil && s.entries == 0 && s.op == old.op {
			c.dropShare(old.node)
		}
		if len(c.users) == 0 && len(c.shares) == 0 {
			delete(m.scopes, old.scope)
		}
	}
	clear(m.spent[:n])
	m.spent = m.spent[n:]
	m.seen.tidy(now)
}

func anyVisible(entries []Entry) bool {
	return slices.ContainsFunc(entries, func(e Entry) bool { return e.Status.visible() })
}
