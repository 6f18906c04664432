// Package redislimit counts rates in Redis, so that all nodes share them.
//
// [New] is exact: one script with the server's clock decides, one round trip a
// call. [Lease] borrows from a limiter in batches and decides most calls
// locally; what it may admit too much is bounded, see there.
package redislimit

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redisx"
	"github.com/wardroom/wardroom/limit"
)

// ErrUnavailable says that Redis did not answer in time. Whether the events
// were spent is not known.
var ErrUnavailable = errors.New("redislimit: redis unavailable")

//go:embed allow.lua
var allowText string

// Option configures a [Limiter].
type Option func(*Limiter)

// WithPrefix begins every key. The default is "wardroom:".
func WithPrefix(prefix string) Option {
	return func(l *Limiter) { l.keys = redisx.NewKeys(prefix) }
}

// WithTimeout bounds each call. The default is 250 ms; 0 leaves it to the
// caller's context.
func WithTimeout(d time.Duration) Option { return func(l *Limiter) { l.timeout = d } }

// Limiter is a [limit.Limiter] in Redis. Its clock is the server's and tells
// microseconds.
type Limiter struct {
	client  rueidis.Client
	keys    redisx.Keys
	timeout time.Duration
	allow   redisx.Script
	circuit *redisx.Circuit
}

var _ limit.Limiter = (*Limiter)(nil)

// New returns a Limiter. The client is the caller's and stays open.
func New(client rueidis.Client, opts ...Option) *Limiter {
	l := &Limiter{
		client: client, keys: redisx.NewKeys(""), timeout: redisx.DefaultTimeout,
		allow: redisx.NewScript(allowText, false), circuit: redisx.NewCircuit(),
	}
	for _, opt := range opts {
		opt(l)
	}
	return l
}

// Allow implements [limit.Limiter]. An error of Redis wraps [ErrUnavailable],
// and comes at once while Redis is known to be away.
func (l *Limiter) Allow(ctx context.Context, key string, r limit.Rate, n int) (limit.Decision, error) {
	switch {
	case n < 0:
		return limit.Decision{}, limit.ErrInvalidCount
	case r.Unlimited():
		return limit.Decision{OK: true, Remaining: math.MaxInt}, nil
	}
	if err := r.Validate(); err != nil {
		return limit.Decision{}, err
	}
	var reply []rueidis.RedisMessage
	err := l.circuit.Do(ctx, l.timeout, func(ctx context.Context) (err error) {
		reply, err = l.allow.Run(ctx, l.client, 0, ErrUnavailable, []string{l.keys.Key("l", key)}, []string{
			strconv.Itoa(r.Events), strconv.FormatInt(int64(r.Per), 10), strconv.Itoa(r.Size()), strconv.Itoa(n),
		})
		return err
	})
	if err != nil && !errors.Is(err, ErrUnavailable) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err != nil {
		return limit.Decision{}, err
	}
	var v [4]int64
	if len(reply) != len(v) {
		return limit.Decision{}, fmt.Errorf("%w: %d values", ErrUnavailable, len(reply))
	}
	for i := range v {
		if v[i], err = reply[i].AsInt64(); err != nil {
			return limit.Decision{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	return limit.Decision{
		OK: v[0] == 1, Remaining: int(v[1]),
		RetryAfter: time.Duration(v[2]) * time.Microsecond, ResetAfter: time.Duration(v[3]) * time.Microsecond,
	}, nil
}
