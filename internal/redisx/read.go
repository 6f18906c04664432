package redisx

import "github.com/redis/rueidis"

// Read makes a command that only reads, and that may be repeated, of one key. It
// goes to the primary even where the client sends to replicas what rueidis takes
// to be read-only: they may be behind what this caller has just written.
func Read(c rueidis.Client, name, key string, args ...string) rueidis.Completed {
	return c.B().Arbitrary(name).Keys(key).Args(args...).Build().ToRetryable()
}
