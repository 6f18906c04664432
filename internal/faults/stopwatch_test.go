package faults

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"
)

// stopwatch sees to it that calls on the path of a request end by their
// deadline.
type stopwatch struct {
	o *sheet
	// most is the deadline that a store has for each call.
	most  time.Duration
	pulse *pulse
	late  sync.WaitGroup // of what looks at calls that took too long
}

// observe makes a stopwatch of an oracle's.
func observe(t *testing.T, o *oracle) *stopwatch {
	o.pulse = newPulse()
	t.Cleanup(o.pulse.end)
	return &stopwatch{o: o.sheet, most: callMost, pulse: o.pulse}
}

// start begins a call. The result ends it.
func (w *stopwatch) start(ctx context.Context, what string) func() {
	return w.startFor(ctx, what, w.most)
}

// startFor is start for a call that has a deadline of its own.
func (w *stopwatch) startFor(ctx context.Context, what string, most time.Duration) func() {
	began := time.Now()
	if end, ok := ctx.Deadline(); ok {
		most = max(0, min(most, time.Until(end)))
	}
	return func() {
		ended := time.Now()
		took := ended.Sub(began)
		w.o.took("call of "+what, took)
		over := took - most - max(most/5, 10*time.Millisecond) - raceSlack // 10 ms is what a timer is late by
		if over <= 0 {
			return
		}
		// What the machine did not let run is not the store's fault. It is known
		// when it runs again.
		w.late.Go(func() {
			time.Sleep(afterwards)
			if stalled := w.pulse.stalled(began, ended); over > stalled {
				w.o.violate(overdue, "%s took %v of %v, of which the machine took %v", what, took, most, stalled)
			} else {
				w.o.count("calls that the machine made late", 1)
			}
		})
	}
}

// afterwards is after how long all that did not run has run.
const afterwards = 300 * time.Millisecond

// pulse knows for how long something of this process did not run that should
// have, because the machine or the process itself was too busy.
type pulse struct {
	veins [8]vein
	stop  chan struct{}
	wg    sync.WaitGroup
}

// vein is one goroutine that only wants to wake up. There are several because
// each waits for one processor, and others may be free.
type vein struct {
	mu     sync.Mutex // protects stalls
	stalls []stall
}

type stall struct {
	at   time.Time
	long time.Duration
}

const tick = 5 * time.Millisecond

func newPulse() *pulse {
	p := &pulse{stop: make(chan struct{})}
	for i := range p.veins {
		p.wg.Go(func() { p.veins[i].beat(p.stop) })
	}
	return p
}

func (v *vein) beat(stop chan struct{}) {
	for {
		began := time.Now()
		select {
		case <-stop:
			return
		case <-time.After(tick):
		}
		runtime.Gosched() // to the end of the queue, where calls that have ended are
		if long := time.Since(began) - tick; long > tick {
			v.note(long)
		}
	}
}

func (v *vein) note(long time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.stalls) > 10_000 {
		v.stalls = append(v.stalls[:0], v.stalls[5_000:]...)
	}
	v.stalls = append(v.stalls, stall{time.Now(), long})
}

// stalled is for how long one of them did not run in total in a span of time.
func (p *pulse) stalled(from, to time.Time) (most time.Duration) {
	for i := range p.veins {
		most = max(most, p.veins[i].between(from, to))
	}
	return most
}

func (v *vein) between(from, to time.Time) (sum time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i := len(v.stalls) - 1; i >= 0 && v.stalls[i].at.After(from); i-- {
		if s := v.stalls[i]; s.at.Add(-s.long).Before(to) {
			sum += s.long
		}
	}
	return sum
}

func (p *pulse) end() {
	close(p.stop)
	p.wg.Wait()
}
