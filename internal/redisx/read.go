package redisx

import "github.com/redis/rueidis"

// Read makes a command that only reads, and that may be repeated, of one key. It
// goes to the primary even where the client sends to replicas what rueidis takes
// to be read-only: they may be behind what this caller has just written.
func Read(c rueidis.Client, name, key string, args ...string) rueidis.Completed {
	return kept(c.B().Arbitrary(name).Keys(key).Args(args...).Build().ToRetryable())
}

// kept has rueidis not use the memory of a command again, if it is one that it
// repeats by itself when a connection breaks. The connection that broke may still
// be about to write it when the answer has come through the next one, and would
// read what others make of the memory meanwhile.
func kept(command rueidis.Completed) rueidis.Completed {
	if command.IsRetryable() {
		return command.Pin()
	}
	return command
}
