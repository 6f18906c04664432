package auth

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// MemoryRevocations is a [RevocationList] in the memory of one process. It has no goroutine and needs no closing.
type MemoryRevocations struct {
	mu    sync.Mutex // protects table
	table revocations
}

// NewMemoryRevocations returns an empty list. Of the options [MaxEntries] applies.
func NewMemoryRevocations(opts ...MemoryOption) *MemoryRevocations {
	return &MemoryRevocations{table: newRevocations(memoryOptions(opts).max)}
}

// Revoke implements [RevocationList].
func (l *MemoryRevocations) Revoke(ctx context.Context, r Revocation) error {
	if err := firstError(ctx.Err(), r.Validate()); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.table.add(r, time.Now())
}

// Revoked implements [RevocationList].
func (l *MemoryRevocations) Revoked(ctx context.Context, id Identity) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.table.covers(id, time.Now()), nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// revocations is a list without a lock: there is one in MemorySessions too, under the lock of the sessions.
type revocations struct {
	max   int
	byKey map[revocationKey]*revocationEntry
	queue queue[*revocationEntry]
}

// revocationKey has an empty token for the revocation of everything issued before some time: there is one for a user.
type revocationKey struct{ user, token string }

type revocationEntry struct {
	Revocation
	expiring
}

func newRevocations(limit int) revocations {
	return revocations{max: limit, byKey: make(map[revocationKey]*revocationEntry)}
}

func (t *revocations) add(r Revocation, now time.Time) error {
	t.sweep(now)
	if !r.Until.IsZero() && !now.Before(r.Until) {
		return nil
	}
	key := revocationKey{r.User, r.TokenID}
	e := t.byKey[key]
	if e == nil {
		if len(t.byKey) >= t.max {
			return fmt.Errorf("%w: the list of revocations is full", ErrUnavailable)
		}
		e = &revocationEntry{Revocation: r, expiring: expiring{at: r.Until}}
		t.byKey[key] = e
		t.queue.push(e)
		return nil
	}
	// Two of a kind become one that covers both.
	if r.IssuedBefore.After(e.IssuedBefore) {
		e.IssuedBefore = r.IssuedBefore
	}
	if !e.Until.IsZero() && (r.Until.IsZero() || r.Until.After(e.Until)) {
		e.Until, e.at = r.Until, r.Until
		t.queue.moved(e)
	}
	return nil
}

func (t *revocations) covers(id Identity, now time.Time) bool {
	for _, token := range [...]string{"", id.TokenID} {
		e := t.byKey[revocationKey{id.ID, token}]
		if e != nil && e.Covers(id) && (e.Until.IsZero() || now.Before(e.Until)) {
			return true
		}
	}
	return false
}

func (t *revocations) sweep(now time.Time) {
	for range sweep {
		e, ok := t.queue.due(now)
		if !ok {
			return
		}
		t.queue.remove(e)
		delete(t.byKey, revocationKey{e.User, e.TokenID})
	}
}
