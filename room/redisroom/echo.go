package redisroom

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/room"
)

// An echo is how a line finds out whether it hears the server that the broker
// speaks to. A primary that comes back before the Sentinels have told it that it
// is none any more is a server like any other to a line that was on its way
// there, and the client speaks to the new primary: both connections are well,
// and nothing of what is published is heard.
//
// The line listens to a channel that nobody else does. What the broker says
// there reaches somebody, as Redis tells, or is heard although something in
// between does not count.
type echo struct {
	b       *Broker
	channel string
	heard   chan struct{} // holds one when something was
}

// echoWait is how long what reached nobody has for being heard nevertheless.
const echoWait = 250 * time.Millisecond

var errElsewhere = fmt.Errorf("%w: redis: the subscriptions are on another server", room.ErrUnavailable)

// newEcho makes the echo of a connection; each has its own channel, so that one
// that Redis has not seen the end of does not answer for the next.
func newEcho(b *Broker, turn int) *echo {
	return &echo{b: b, channel: b.cfg.keys.Key("e", hex.EncodeToString(b.node[:]), strconv.Itoa(turn)), heard: make(chan struct{}, 1)}
}

// hear takes a message of the line, and says whether it was the echo's.
func (e *echo) hear(m rueidis.PubSubMessage) bool {
	if m.Channel != e.channel {
		return false
	}
	select {
	case e.heard <- struct{}{}:
	default:
	}
	return true
}

// absent asks, and says that there is no echo. That Redis does not answer says
// nothing.
func (e *echo) absent(ctx context.Context) bool {
	select {
	case <-e.heard: // of before
	default:
	}
	asking, cancel := context.WithTimeout(ctx, e.b.cfg.timeout)
	defer cancel()
	n, err := e.b.client.Do(asking, e.b.client.B().Publish().Channel(e.channel).Message("").Build()).AsInt64()
	if err != nil || n > 0 {
		return false
	}
	timer := time.NewTimer(echoWait)
	defer timer.Stop()
	select {
	case <-e.heard:
		return false
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
