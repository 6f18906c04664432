package redisx

import (
	"context"

	"github.com/redis/rueidis"
)

// Do is the client's Do, and lasts no longer than the context. rueidis heeds
// the context while it waits for an answer, but not while it waits for another
// caller to connect, which takes up to the client's Dialer.Timeout.
func Do(ctx context.Context, c rueidis.Client, command rueidis.Completed) rueidis.RedisResult {
	command = kept(command)
	result, ok := await(ctx, func() rueidis.RedisResult { return c.Do(ctx, command) })
	if !ok {
		return rueidis.NewErrorResult(ctx.Err())
	}
	return result
}

// DoMulti is the client's DoMulti, and lasts no longer than the context.
func DoMulti(ctx context.Context, c rueidis.Client, commands ...rueidis.Completed) []rueidis.RedisResult {
	for i := range commands {
		commands[i] = kept(commands[i])
	}
	results, ok := await(ctx, func() []rueidis.RedisResult { return c.DoMulti(ctx, commands...) })
	if !ok {
		results = make([]rueidis.RedisResult, len(commands))
		for i := range results {
			results[i] = rueidis.NewErrorResult(ctx.Err())
		}
	}
	return results
}

// await returns what f returns, or false when ctx ends first. f then goes on
// until it fails by itself, and what it returns is dropped.
func await[T any](ctx context.Context, f func() T) (T, bool) {
	if ctx.Done() == nil {
		return f(), true
	}
	answer := make(chan T, 1)
	go func() { answer <- f() }()
	select {
	case v := <-answer:
		return v, true
	case <-ctx.Done():
		var none T
		return none, false
	}
}
