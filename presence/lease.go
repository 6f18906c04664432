package presence

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// mostOrphans is how many scopes of dead nodes are cleared at a time.
const mostOrphans = 256

// A keeper keeps the lease. One goroutine has it.
type keeper struct {
	candidate string        // a lease that the store was asked for
	since     time.Time     // when the beats began to succeed without a break
	sweep     time.Time     // when to make sure that the store has everything
	pause     time.Duration // after a beat that failed
	dropped   time.Time     // when a lease was last given up
	again     time.Duration // the pause after that; 0 when it had lasted
	rest      time.Time     // when that pause is over
}

// keepLease beats, looks for dead nodes, and sweeps.
func (t *Tracker) keepLease() {
	k := &keeper{sweep: time.Now().Add(t.options.Sweep)}
	timer := time.NewTimer(max(t.lookAfter(k), 0))
	defer timer.Stop()
	for {
		t.mu.Lock()
		t.speak()
		t.mu.Unlock()
		select {
		case <-t.stop:
			return
		case <-t.look:
		case <-timer.C:
		}
		timer.Reset(max(t.lookAfter(k), 0))
	}
}

// lookAfter does what is due for the lease, and returns when to come again.
func (t *Tracker) lookAfter(k *keeper) time.Duration {
	t.mu.Lock()
	node, suspect, asked := t.lease, t.suspect, t.asked
	t.suspect = false
	t.mu.Unlock()
	renewal := node != ""
	if !renewal {
		if rest := time.Until(k.rest); rest > 0 {
			return rest
		}
		if k.candidate == "" {
			k.candidate = t.options.Node + "." + rand.Text()
		}
		node = k.candidate
	}
	lease, err := t.beat(node)
	now := time.Now()
	switch {
	case errors.Is(err, ErrLapsed):
		// Others have announced, or will, that the users have left.
		t.dropLease(false)
		return t.takeAnother(k, err)
	case err != nil:
		k.since = time.Time{}
		k.pause = longer(k.pause, min(longestPause, t.options.Beat/4))
		t.beatFailed(fmt.Errorf("presence: beat: %w", err), suspect)
		return jitter(k.pause)
	case renewal && (suspect || lease.Fresh):
		// A new lease, because under this one there may be entries, of before,
		// that nobody wants any more. They are removed when it lapses.
		t.dropLease(true)
		return t.takeAnother(k, ErrLost)
	}
	k.pause = 0
	if k.since.IsZero() {
		k.since = now
	}
	t.hold(node)
	k.candidate = ""
	if asked || !now.Before(k.sweep) {
		k.sweep = now.Add(t.options.Sweep)
		t.sweep()
	}
	t.forget(k.since)
	wait := min(t.options.Beat, t.options.Check, k.sweep.Sub(now))
	if lease.Next > 0 {
		wait = min(wait, lease.Next+time.Millisecond)
	}
	if !lease.Lapsed {
		return wait
	}
	// When the store was away for a time, or lost its data, other nodes have no
	// lease without being dead. They get the time for a beat.
	if settled := k.since.Add(t.options.Beat * 5 / 4); now.Before(settled) {
		return min(wait, settled.Sub(now))
	}
	if err := t.reap(node); err != nil {
		t.beatFailed(err, false)
		k.pause = longer(k.pause, min(longestPause, t.options.Beat/4))
		return jitter(k.pause)
	}
	return wait
}

// takeAnother returns when to ask for another lease: at once, unless the last
// one was given up a moment ago. A store that loses what it is given again and
// again would otherwise be asked for leases, and given everything anew, as fast
// as it can answer.
func (t *Tracker) takeAnother(k *keeper, err error) time.Duration {
	now := time.Now()
	lasted := k.dropped.IsZero() || now.Sub(k.dropped) >= t.options.Beat
	k.since = time.Time{}
	k.candidate, k.dropped, k.again = "", now, longer(k.again, min(longestPause, t.options.Beat/4))
	if lasted {
		k.again = 0
		return 0
	}
	wait := jitter(k.again)
	k.rest = now.Add(wait)
	t.beatFailed(fmt.Errorf("presence: lease lost again: %w", err), false)
	return wait
}

func (t *Tracker) beat(node string) (Lease, error) {
	ctx, cancel := context.WithTimeout(t.ctx, t.options.StoreTimeout)
	defer cancel()
	return t.store.Beat(ctx, node, t.options.Timeout)
}

// hold notes that the node has a lease.
func (t *Tracker) hold(node string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lease != node || t.leaseErr != nil {
		// The store is back: what failed while it was away is tried again before
		// anyone takes this node for dead because of it.
		for _, l := range t.lanes {
			if l.state == timed && l.err != nil {
				t.makeReady(l)
			}
		}
	}
	t.recovered(&t.leaseErr)
	if t.lease == node {
		return
	}
	t.lease = node
	for _, l := range t.lanes {
		l.doubt = false
		switch {
		case l.state == parked:
			t.makeReady(l)
		case l.seats != nil && l.lease != node:
			l.audit = true
			if l.state == idle {
				t.makeReady(l)
			}
		}
	}
	t.retrace()
}

// dropLease notes that the node has no lease any more. Lanes write nothing
// before it has another, under which they write everything.
func (t *Tracker) dropLease(lost bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lease = ""
	t.asked = false // it is more than a sweep
	for _, l := range t.lanes {
		l.lost = l.lost || lost
	}
	if lost {
		t.say(func(log *slog.Logger) { log.Warn("presence store has lost data, writing it anew") })
	} else {
		t.say(func(log *slog.Logger) { log.Warn("presence lease has lapsed, taking another") })
	}
}

// beatFailed notes that the store could not be asked.
func (t *Tracker) beatFailed(err error, suspect bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return
	}
	t.suspect = t.suspect || suspect
	t.fail(&t.leaseErr, err, "")
	if t.lease != "" {
		return
	}
	for _, l := range t.lanes {
		if l.state == parked {
			l.serve(err)
		}
	}
}

// reap has the lanes remove the entries of nodes that have died. When they are
// done, it is called again for what is left.
func (t *Tracker) reap(node string) error {
	t.mu.Lock()
	busy := t.reaping > 0 || t.closing
	t.mu.Unlock()
	if busy {
		return nil
	}
	ctx, cancel := context.WithTimeout(t.ctx, t.options.StoreTimeout)
	defer cancel()
	orphans, err := t.store.Orphans(ctx, node, mostOrphans)
	if err != nil {
		return fmt.Errorf("presence: orphans: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, o := range orphans {
		l := t.lane(o.Scope)
		l.bury(dead{o.Node, true})
		t.reaping++
		t.mark(l, nil)
	}
	return nil
}

// reaped notes that one scope of a dead node is cleared.
func (t *Tracker) reaped() {
	t.reaping--
	if t.reaping == 0 {
		poke(t.look)
	}
}
