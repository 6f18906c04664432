package redisx

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"
)

// DefaultTimeout is how long one call of Redis may take on a path that users
// wait for.
const DefaultTimeout = 250 * time.Millisecond

// Script is a Lua script, called by its hash. Redis is sent the text only when
// it does not know it, as after a restart or SCRIPT FLUSH.
type Script struct{ lua *rueidis.Lua }

// NewScript returns a script. readOnly ones may run on replicas.
func NewScript(text string, readOnly bool) Script {
	if readOnly {
		return Script{rueidis.NewLuaScriptReadOnly(text)}
	}
	return Script{rueidis.NewLuaScript(text)}
}

// Run calls the script, for at most timeout where that is positive. An error
// of the script's own (redis.error_reply) is a *rueidis.RedisError; every other
// wraps unavailable, which is the caller's package's word for "nobody knows
// whether it was done".
func (s Script) Run(ctx context.Context, c rueidis.Client, timeout time.Duration, unavailable error, keys, args []string) ([]rueidis.RedisMessage, error) {
	ctx, cancel := Deadline(ctx, timeout)
	defer cancel()
	reply, err := s.lua.Exec(ctx, c, keys, args).ToArray()
	return reply, Error(err, unavailable)
}

// Deadline is context.WithTimeout where timeout is positive.
func Deadline(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, timeout)
}

// Error maps an error of rueidis. nil stays nil, and so does the absence of a
// value, which is an answer.
func Error(err, unavailable error) error {
	var own *rueidis.RedisError
	switch {
	case err == nil, rueidis.IsRedisNil(err):
		return nil
	case errors.As(err, &own) && !own.IsLoading() && !own.IsClusterDown() && !own.IsTryAgain():
		return err
	}
	return fmt.Errorf("%w: %w", unavailable, err)
}
