package presence

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// shortestPause is the first pause after a failure; each further one is twice
// as long, up to longestPause.
const shortestPause = 100 * time.Millisecond

// errStopped is for a Notify that stops without saying why.
var errStopped = errors.New("stopped before the last event")

// work handles lanes while there are any. One worker stays when there are none:
// most work comes one lane at a time, and a new goroutine has to grow its stack
// first.
func (t *Tracker) work() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for !t.stopped {
		if l := t.ready.pop(); l != nil {
			t.setState(l, busy)
			t.step(l)
			t.speak()
			continue
		}
		t.workers--
		if t.resting {
			return
		}
		t.resting = true
		t.mu.Unlock()
		<-t.rest
		t.mu.Lock()
	}
	t.workers--
}

// summon sees to it that one more worker comes, as far as there may be.
func (t *Tracker) summon() {
	if t.workers >= t.options.Parallel || t.stopped {
		return
	}
	t.workers++
	if t.resting {
		t.rouse()
		return
	}
	t.wg.Go(t.work)
}

// rouse ends the rest of the worker that rests.
func (t *Tracker) rouse() {
	t.resting = false
	t.rest <- struct{}{}
}

// step writes a batch of a lane and announces what has come of it. The lock is
// held, but not while the store or Notify are called.
func (t *Tracker) step(l *lane) {
	if len(l.events) == 0 && !t.write(l) {
		return
	}
	if len(l.events) > 0 && !t.announce(l) {
		return
	}
	l.pause = 0
	t.recovered(&l.err)
	for _, w := range l.serving {
		w.served(nil)
	}
	l.serving = nil
	t.release(l)
}

// write has the store take what is to be written. It reports false when that
// has failed; the lane has gone where it waits then.
func (t *Tracker) write(l *lane) bool {
	f := l.flight
	if f == nil {
		if t.lease == "" || l.doubt {
			t.setState(l, parked)
			if t.lease == "" && t.leaseErr != nil {
				l.serve(t.leaseErr)
			}
			return false
		}
		f = t.load(l)
		if !l.rest {
			l.serving, l.waiting = append(l.serving, l.waiting...), nil
		}
		if f == nil {
			return true
		}
		l.flight = f
	}
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.ctx, t.options.StoreTimeout)
	out, err := t.store.Update(ctx, f.batch)
	cancel()
	t.mu.Lock()
	switch {
	case err == nil:
		t.landed(l, f, &out)
		return true
	case errors.Is(err, ErrLost):
		t.turnBack(l, f)
	default:
		t.failed(l, fmt.Errorf("presence: update: %w", err))
	}
	return false
}

// announce calls Notify. It reports false when that has failed; the lane has
// gone where it waits then.
func (t *Tracker) announce(l *lane) bool {
	events := l.events
	t.mu.Unlock()
	n, err := t.notify(events)
	t.mu.Lock()
	n = min(max(n, 0), len(events))
	if n == len(events) {
		l.events = nil
		return true
	}
	l.events = events[n:]
	if err == nil {
		err = errStopped
	}
	t.failed(l, fmt.Errorf("presence: notify: %w", err))
	return false
}

func (t *Tracker) notify(events []Event) (n int, err error) {
	ctx, cancel := context.WithTimeout(t.ctx, t.options.NotifyTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			t.options.Logger.ErrorContext(ctx, "presence events lost", "room", events[0].Room, "events", len(events), "panic", p)
			n, err = len(events), nil
		}
	}()
	return t.options.Notify(ctx, append([]Event(nil), events...))
}

// failed has a lane pause before what failed is tried again.
func (t *Tracker) failed(l *lane, err error) {
	t.fail(&l.err, err, l.scope.Room)
	l.serve(err)
	l.pause = longer(l.pause, longestPause)
	t.setState(l, timed)
	t.set(&l.alarm, time.Now().Add(jitter(l.pause)), l)
}

// longer is the pause after a pause.
func longer(pause, most time.Duration) time.Duration {
	return min(max(2*pause, shortestPause), most)
}

// jitter spreads those who would all come at once.
func jitter(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/4+1))
}
