package roomtest

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/room"
)

// A listener is a subscriber that keeps what it is given.
type listener struct {
	s      *brokerScript
	room   string
	at     room.Position
	cancel func()

	busy atomic.Bool
	slow bool // takes its time, so that others may come in between

	mu       sync.Mutex // protects what follows
	got      []room.Message
	overlaps int
	changed  chan struct{} // has an element when got has grown
}

func newListener(s *brokerScript) *listener {
	return &listener{s: s, changed: make(chan struct{}, 1)}
}

func (l *listener) deliver(m room.Message) {
	alone := l.busy.CompareAndSwap(false, true)
	if l.slow {
		for range 20 {
			runtime.Gosched()
		}
	}
	l.mu.Lock()
	if !alone {
		l.overlaps++
	}
	l.got = append(l.got, m)
	l.mu.Unlock()
	if alone {
		l.busy.Store(false)
	}
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// all is what came so far.
func (l *listener) all() []room.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.got)
}

// until waits for a message and takes what came before it. The message itself
// is dropped.
func (l *listener) until(last func(room.Message) bool) []room.Message {
	l.s.t.Helper()
	timeout := time.NewTimer(l.s.delivery)
	defer timeout.Stop()
	for {
		l.mu.Lock()
		if i := slices.IndexFunc(l.got, last); i >= 0 {
			before := slices.Clone(l.got[:i])
			l.got = slices.Delete(l.got, 0, i+1)
			l.mu.Unlock()
			return before
		}
		n := len(l.got)
		l.mu.Unlock()
		select {
		case <-l.changed:
		case <-timeout.C:
			l.s.t.Fatalf("a subscriber of %q waited %v in vain for a message; %d others came", l.room, l.s.delivery, n)
		}
	}
}

// wait waits for n messages and takes them.
func (l *listener) wait(n int) []room.Message {
	l.s.t.Helper()
	seen := 0
	timeout := time.NewTimer(l.s.delivery)
	defer timeout.Stop()
	for {
		l.mu.Lock()
		if len(l.got) >= n {
			list := slices.Clone(l.got[:n])
			l.got = slices.Delete(l.got, 0, n)
			l.mu.Unlock()
			return list
		}
		seen = len(l.got)
		l.mu.Unlock()
		select {
		case <-l.changed:
		case <-timeout.C:
			l.s.t.Fatalf("a subscriber of %q was given %d messages in %v, want %d", l.room, seen, l.s.delivery, n)
		}
	}
}
