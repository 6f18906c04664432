package room

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"time"
)

const (
	// leaseCall is the deadline of a call of the store about leases.
	leaseCall = 2 * time.Second
	// leaseAgain is the first pause after a beat that failed.
	leaseAgain     = 100 * time.Millisecond
	leaseAgainMost = 5 * time.Second
	// reapAtOnce is how many seats are removed in one step.
	reapAtOnce = 256
)

// lease is what this server's seats in the store live by. Each process has
// one of its own, and another whenever it lapses: a server that restarts under
// its old name does not keep its predecessor's seats alive.
type lease struct {
	look chan struct{} // capacity 1: the keeper has something to do

	mu      sync.Mutex // protects what follows
	node    string     // empty: none
	err     error      // why there is none
	outcome chan struct{}
	stale   bool // there may be seats under another than node
}

func newLease() lease { return lease{look: make(chan struct{}, 1), outcome: make(chan struct{})} }

// poke makes the keeper look.
func (l *lease) poke() {
	select {
	case l.look <- struct{}{}:
	default:
	}
}

// get returns the node that seats are taken for, once there is one, or why
// there is none.
func (l *lease) get(ctx context.Context) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.node == "" {
		outcome := l.outcome
		l.mu.Unlock()
		l.poke()
		select {
		case <-outcome:
		case <-ctx.Done():
		}
		l.mu.Lock()
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if l.node == "" && l.err != nil {
			return "", l.err
		}
	}
	return l.node, nil
}

// now returns the node that seats are taken for now, empty when there is none.
func (l *lease) now() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.node
}

// is reports whether the lease is still the node's.
func (l *lease) is(node string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.node == node
}

// hold notes the outcome of a beat: a lease, or why there is none.
func (l *lease) hold(node string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.stale = l.stale || l.node != node
		l.node = node
	}
	l.err = err
	close(l.outcome)
	l.outcome = make(chan struct{})
}

// drop gives a lease up that has lapsed. The keeper takes another.
func (l *lease) drop(node string) {
	l.mu.Lock()
	if l.node == node {
		l.node = ""
	}
	l.mu.Unlock()
	l.poke()
}

// doubt says that there are seats under another lease than the present one.
func (l *lease) doubt() {
	l.mu.Lock()
	l.stale = true
	l.mu.Unlock()
	l.poke()
}

// takeStale reports whether there may be seats under another lease, once.
func (l *lease) takeStale() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	stale := l.stale && l.node != ""
	if stale {
		l.stale = false
	}
	return stale
}

// leaseOf returns the node that seats are taken for.
func (s *Server) leaseOf(ctx context.Context) (string, error) {
	if s.nodeStore == nil {
		return s.node, nil
	}
	return s.lease.get(ctx)
}

// leaseNow is leaseOf for who cannot wait; empty when there is no lease.
func (s *Server) leaseNow() string {
	if s.nodeStore == nil {
		return s.node
	}
	return s.lease.now()
}

// leased reports whether a seat that was taken for a node is this server's.
func (s *Server) leased(node string) bool { return s.nodeStore == nil || s.lease.is(node) }

// keeper keeps the lease. One goroutine has it.
type keeper struct {
	srv       *Server
	candidate string    // a lease that the store was asked for
	since     time.Time // when the beats began to succeed without a break
	pause     time.Duration
	busy      chan struct{} // closed when no readmission is going on
}

// keepLease beats, looks for dead nodes, and takes seats anew that the store
// has lost.
func (s *Server) keepLease() {
	k := &keeper{srv: s, busy: make(chan struct{})}
	close(k.busy)
	timer := time.NewTimer(max(k.turn(), 0))
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.lease.look:
		case <-timer.C:
		}
		timer.Reset(max(k.turn(), 0))
	}
}

// turn does what is due, and returns when to come again.
func (k *keeper) turn() time.Duration {
	s, l := k.srv, &k.srv.lease
	node := l.now()
	renewal := node != ""
	if !renewal {
		if k.candidate == "" {
			k.candidate = s.node + "." + rand.Text()
		}
		node = k.candidate
	}
	answer, err := k.beat(node)
	now := time.Now()
	switch {
	case errors.Is(err, ErrLapsed):
		return k.another(node, "node's lease has lapsed")
	case err != nil:
		k.since = time.Time{}
		k.pause = min(max(2*k.pause, leaseAgain), leaseAgainMost, s.limits.PresenceBeat)
		l.hold("", fmt.Errorf("no lease: %w", err))
		return k.pause/2 + mathrand.N(k.pause/2+1)
	case renewal && answer.Fresh:
		// Under the old one the store may find seats again, of before, that
		// nobody wants any more. It lapses, and they are reaped.
		return k.another(node, "store has lost the node's lease")
	}
	k.pause, k.candidate = 0, ""
	if k.since.IsZero() {
		k.since = now
	}
	l.hold(node, nil)
	k.readmit(node)
	wait := s.limits.PresenceBeat
	if answer.Next > 0 {
		wait = min(wait, answer.Next+time.Millisecond)
	}
	if !answer.Lapsed {
		return wait
	}
	// When the store was away for a time, other nodes have their leases lapsed
	// without being dead. They get the time to come back, which they do within a
	// beat.
	if settled := k.since.Add(s.limits.PresenceBeat * 3 / 2); now.Before(settled) {
		return min(wait, settled.Sub(now))
	}
	return k.reap(node, wait)
}

func (k *keeper) beat(node string) (NodeLease, error) {
	ctx, cancel := context.WithTimeout(k.srv.ctx, leaseCall)
	defer cancel()
	return k.srv.nodeStore.Beat(ctx, node, k.srv.limits.PresenceTimeout)
}

// another gives a lease up for the next one, at once.
func (k *keeper) another(node, why string) time.Duration {
	k.candidate = ""
	k.srv.journal.write(k.srv.ctx, slog.LevelWarn, eventError, nil, slog.String("error", why+": "+node))
	k.srv.lease.drop(node)
	return 0
}

// reap removes the seats of dead nodes, until it is time for the next beat.
func (k *keeper) reap(node string, wait time.Duration) time.Duration {
	s := k.srv
	var sum Reaped
	defer func() {
		if sum.Seats > 0 {
			s.journal.write(s.ctx, slog.LevelInfo, eventReap, nil, slog.Int("seats", sum.Seats), slog.Int("users", sum.Users))
		}
	}()
	for end := time.Now().Add(s.limits.PresenceBeat / 2); ; {
		ctx, cancel := context.WithTimeout(s.ctx, leaseCall)
		done, err := s.nodeStore.Reap(ctx, node, reapAtOnce)
		cancel()
		sum.Seats += done.Seats
		sum.Users += done.Users
		switch {
		case err != nil:
			return min(wait, leaseAgain)
		case !done.More:
			return wait
		case time.Now().After(end):
			return 0
		}
	}
}

// giveLease ends the lease of a server that has shut down, so that seats which
// it could not give back do not wait for it to lapse.
func (s *Server) giveLease(ctx context.Context) {
	if s.nodeStore == nil {
		return
	}
	s.lease.mu.Lock()
	node := s.lease.node
	s.lease.node = ""
	s.lease.mu.Unlock()
	if node == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseCall)
	defer cancel()
	if _, err := s.nodeStore.Beat(ctx, node, 0); err != nil && !errors.Is(err, ErrLapsed) {
		s.journal.write(ctx, slog.LevelWarn, eventError, nil, slog.Any("error", err))
	}
}
