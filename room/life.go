package room

import (
	"context"
	"sync"
	"time"
)

// life is the context of a connection. Most are asked only whether they are
// over, so what is needed to wait for that is made when somebody first does.
type life struct {
	mu   sync.Mutex // protects what follows
	over bool
	real context.Context
	end  context.CancelFunc
}

var _ context.Context = (*life)(nil)

func (l *life) cancel() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	if l.end != nil {
		l.end()
	}
}

// Done implements [context.Context].
func (l *life) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.real == nil {
		l.real, l.end = context.WithCancel(context.Background())
		if l.over {
			l.end()
		}
	}
	return l.real.Done()
}

// Err implements [context.Context].
func (l *life) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return context.Canceled
	}
	return nil
}

// Deadline implements [context.Context]: there is none.
func (l *life) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }

// Value implements [context.Context]. What package context itself asks for,
// always after Done, has the contexts made of this one end with it without a
// goroutine for each.
func (l *life) Value(key any) any {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.real == nil {
		return nil
	}
	return l.real.Value(key)
}
