package redisx

import (
	"context"
	"crypto/sha1" //nolint:gosec // Redis names scripts by it
	"encoding/hex"
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
type Script struct {
	lua       *rueidis.Lua
	text, sha string
}

// NewScript returns a script. readOnly ones may run on replicas.
func NewScript(text string, readOnly bool) Script {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // as above
	s := Script{text: text, sha: hex.EncodeToString(sum[:])}
	if readOnly {
		s.lua = rueidis.NewLuaScriptReadOnly(text)
	} else {
		s.lua = rueidis.NewLuaScript(text)
	}
	return s
}

// Call is one call of a script.
type Call struct{ Keys, Args []string }

// RunAll makes calls of the script in one round trip, or in two where Redis
// does not know it. In a Cluster it is as many for each node, at the same time.
// It may run on the primary only.
func (s Script) RunAll(ctx context.Context, c rueidis.Client, calls []Call) []rueidis.RedisResult {
	commands := make(rueidis.Commands, len(calls))
	for i, call := range calls {
		commands[i] = c.B().Evalsha().Sha1(s.sha).Numkeys(int64(len(call.Keys))).Key(call.Keys...).Arg(call.Args...).Build()
	}
	results := DoMulti(ctx, c, commands...)
	var again []int
	var texts rueidis.Commands
	for i, r := range results {
		if err, ok := rueidis.IsRedisErr(r.Error()); ok && err.IsNoScript() {
			again = append(again, i)
			call := calls[i]
			texts = append(texts, c.B().Eval().Script(s.text).Numkeys(int64(len(call.Keys))).Key(call.Keys...).Arg(call.Args...).Build())
		}
	}
	if len(again) == 0 {
		return results
	}
	for i, r := range DoMulti(ctx, c, texts...) {
		results[again[i]] = r
	}
	return results
}

// Run calls the script, for at most timeout where that is positive. An error
// of the script's own (redis.error_reply) is a *rueidis.RedisError; every other
// wraps unavailable, which is the caller's package's word for "nobody knows
// whether it was done".
func (s Script) Run(ctx context.Context, c rueidis.Client, timeout time.Duration, unavailable error, keys, args []string) ([]rueidis.RedisMessage, error) {
	ctx, cancel := Deadline(ctx, timeout)
	defer cancel()
	result, ok := await(ctx, func() rueidis.RedisResult { return s.lua.Exec(ctx, c, keys, args) })
	if !ok {
		return nil, Error(ctx.Err(), unavailable)
	}
	reply, err := result.ToArray()
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
