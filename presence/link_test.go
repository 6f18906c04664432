package presence_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/wardroom/wardroom/presence"
)

// errAway is what a link says that is down.
var errAway = errors.New("store is away")

type linkState int

const (
	up   linkState = iota
	away           // nothing gets through
	deaf           // everything is done, and the answer gets lost
	dead           // for ever
)

// A link is the way to a store.
type link struct {
	presence.Store

	mu     sync.Mutex
	state  linkState
	fault  func(op string) linkState // chooses the state for each call
	calls  map[string]int
	beaten time.Time // the last beat that got through
	ttl    time.Duration
}

func (l *link) set(s linkState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != dead {
		l.state = s
	}
}

func (l *link) enter(op string) linkState {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.calls == nil {
		l.calls = make(map[string]int)
	}
	l.calls[op]++
	if l.state == up && l.fault != nil {
		return l.fault(op)
	}
	return l.state
}

// counts returns how often each method was called since.
func (l *link) counts() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := maps.Clone(l.calls)
	clear(l.calls)
	return m
}

// lapse is when the lease lapses if no more is heard.
func (l *link) lapse() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.beaten.Add(l.ttl)
}

func (l *link) Beat(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
	state := l.enter("Beat")
	if state == away || state == dead {
		return presence.Lease{}, errAway
	}
	lease, err := l.Store.Beat(ctx, node, ttl)
	if err == nil {
		l.mu.Lock()
		l.beaten, l.ttl = time.Now(), ttl
		l.mu.Unlock()
	}
	if state == deaf {
		return presence.Lease{}, errAway
	}
	return lease, err
}

func (l *link) Orphans(ctx context.Context, node string, limit int) ([]presence.Orphan, error) {
	state := l.enter("Orphans")
	if state == away || state == dead {
		return nil, errAway
	}
	list, err := l.Store.Orphans(ctx, node, limit)
	if state == deaf {
		return nil, errAway
	}
	return list, err
}

func (l *link) Update(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
	state := l.enter("Update")
	if state == away || state == dead {
		return presence.Outcome{}, errAway
	}
	out, err := l.Store.Update(ctx, b)
	if state == deaf {
		return presence.Outcome{}, errAway
	}
	return out, err
}

func (l *link) Get(ctx context.Context, scope presence.Scope, user string) (presence.Record, error) {
	if state := l.enter("Get"); state != up {
		return presence.Record{}, errAway
	}
	return l.Store.Get(ctx, scope, user)
}

func (l *link) List(ctx context.Context, scope presence.Scope, after string, limit int) ([]presence.Record, bool, error) {
	if state := l.enter("List"); state != up {
		return nil, false, errAway
	}
	return l.Store.List(ctx, scope, after, limit)
}
