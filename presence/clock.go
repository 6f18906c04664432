package presence

import (
	"container/heap"
	"time"
)

// An alarm is something to be done at a time. It is part of what it is for.
type alarm struct {
	at    time.Time
	index int // in alarms, from 1; 0: not set
	bell  bell
}

// A bell is rung when its alarm goes off, with the Tracker locked.
type bell interface {
	ring(t *Tracker, now time.Time)
}

// set has b rung at a time.
func (t *Tracker) set(a *alarm, at time.Time, b bell) {
	a.at, a.bell = at, b
	if a.index == 0 {
		heap.Push(&t.alarms, a)
	} else {
		heap.Fix(&t.alarms, a.index-1)
	}
	if a.index == 1 {
		poke(t.tick)
	}
}

func (t *Tracker) unset(a *alarm) {
	if a != nil && a.index != 0 {
		heap.Remove(&t.alarms, a.index-1)
	}
}

// runClock rings what is due. It is the one timer of all rooms and connections.
func (t *Tracker) runClock() {
	timer := time.NewTimer(time.Hour)
	timer.Stop() // until the first alarm, of which tick tells
	defer timer.Stop()
	for {
		select {
		case <-t.stop:
			return
		case <-t.tick:
		case <-timer.C:
		}
		t.mu.Lock()
		now := time.Now()
		for len(t.alarms) > 0 && !t.alarms[0].at.After(now) {
			heap.Pop(&t.alarms).(*alarm).bell.ring(t, now)
		}
		if len(t.alarms) > 0 {
			timer.Reset(t.alarms[0].at.Sub(now))
		} else {
			timer.Stop()
		}
		t.mu.Unlock()
	}
}

// alarms is a heap, the next one first.
type alarms []*alarm

func (h alarms) Len() int           { return len(h) }
func (h alarms) Less(i, j int) bool { return h[i].at.Before(h[j].at) }

func (h alarms) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

// Push is for package heap.
func (h *alarms) Push(x any) {
	a := x.(*alarm)
	*h = append(*h, a)
	a.index = len(*h)
}

// Pop is for package heap.
func (h *alarms) Pop() any {
	old := *h
	a := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	a.index = 0
	return a
}
