package redisx

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// ErrAway says that Redis did not answer those who asked a moment ago, so it was not
// asked.
var ErrAway = errors.New("redis is away")

const (
	// tripAfter is after how many calls in a row without an answer Redis is
	// taken to be away.
	tripAfter = 3
	// probeEvery is how often one call may see whether it is back.
	probeEvery = 100 * time.Millisecond
	// enough is how much of the timeout, in percent, a caller has to have waited
	// for it to count. Callers with a deadline of their own of the same length
	// wait a little less.
	enough = 80
)

// Circuit makes calls fail at once while Redis is known to be away, so that
// what waits for it does not pile up. It is safe for concurrent use.
type Circuit struct {
	mu     sync.Mutex // protects everything below
	missed int        // calls in a row that got no answer
	probe  time.Time  // while Redis is away: when the next call may try
}

// NewCircuit returns a Circuit that takes Redis to be there.
func NewCircuit() *Circuit { return &Circuit{} }

// Do calls f, with a context that ends after timeout where that is positive,
// and returns its error, or ErrAway without calling it. An error of Redis's own
// is an answer; that the caller has given up says nothing about Redis, unless
// it has waited for most of the timeout.
func (c *Circuit) Do(ctx context.Context, timeout time.Duration, f func(context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !c.enter() {
		return ErrAway
	}
	began := time.Now()
	inner, cancel := Deadline(ctx, timeout)
	defer cancel()
	err := f(inner)
	var own *rueidis.RedisError
	switch {
	case err == nil, errors.As(err, &own):
		c.answered()
	case ctx.Err() == nil, timeout > 0 && time.Since(began) >= timeout*enough/100:
		c.unanswered()
	}
	if err != nil && inner.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("no answer within %v: %w", timeout, err)
	}
	return err
}

// Away reports whether Redis is taken to be away.
func (c *Circuit) Away() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.missed >= tripAfter
}

// enter reports whether to ask Redis.
func (c *Circuit) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.missed < tripAfter {
		return true
	}
	now := time.Now()
	if now.Before(c.probe) {
		return false
	}
	c.probe = now.Add(probeEvery)
	return true
}

func (c *Circuit) answered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.missed = 0
}

func (c *Circuit) unanswered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.missed++
	c.probe = time.Now().Add(probeEvery)
}
