package redisroom

import (
	"errors"
	"time"

	"github.com/redis/rueidis"
)

// due returns those of later that go out now.
func (l *lane) due(batch []*call) []*call {
	if len(l.later) == 0 || time.Since(l.since) < pause {
		return batch
	}
	now := time.Now()
	l.later = keepIf(l.later, func(c *call) bool {
		if len(batch) == batchCalls {
			return true
		}
		if now.Before(c.deadline) { // else nobody waits for it any more
			batch = append(batch, c)
		}
		return false
	})
	if len(l.later) == 0 {
		l.later = nil
	}
	l.since = now
	return batch
}

// onItsWay says whether a call failed because some of its keys are on one server
// of a cluster and some on another. With a key that does not exist that is so for
// as long as the slot takes.
func onItsWay(err error) bool {
	own, ok := rueidis.IsRedisErr(err)
	return ok && own.IsTryAgain()
}

// repeatable says whether a call that failed so may do better the next time.
func repeatable(err error) bool {
	var own *rueidis.RedisError
	if errors.As(err, &own) {
		return own.IsLoading() || own.IsClusterDown() || own.IsNoScript() || hasPrefix(own.Error(), "READONLY", "MASTERDOWN", "BUSY ")
	}
	return !errors.Is(err, rueidis.ErrClosing)
}
