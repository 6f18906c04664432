package redisroom

import (
	"context"
	"errors"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/room"
)

// What one script publishes at most: meanwhile Redis does nothing else.
const (
	burstMessages = 128
	burstBytes    = 1 << 20
)

// Publish implements [room.Broker].
func (b *Broker) Publish(ctx context.Context, m room.Message, keep room.Retention) (room.Receipt, error) {
	list := [1]room.Publication{{Message: m, Keep: keep}}
	var results [1]room.Result
	b.publishSome(ctx, list[:], results[:])
	return results[0].Receipt, results[0].Err
}

// PublishAll implements [room.BatchBroker]: one script for each room, all of
// them on their way at once, and again for each 128 messages.
func (b *Broker) PublishAll(ctx context.Context, list []room.Publication) []room.Result {
	results := make([]room.Result, len(list))
	for done := 0; done < len(list); {
		n, bytes := 0, 0
		for n < burstMessages && done+n < len(list) && (n == 0 || bytes+len(list[done+n].Message.Data) <= burstBytes) {
			bytes += len(list[done+n].Message.Data)
			n++
		}
		b.publishSome(ctx, list[done:done+n], results[done:done+n])
		done += n
	}
	return results
}

// part is what a burst has for one room.
type part struct {
	keys  *keys
	feed  *feed
	posts []post
	args  []string
	safe  bool // something of it is stored
	call  *call
	err   error // there is no call
}

// post is one message of it.
type post struct {
	index   int
	op      opID
	message room.Message
	local   bool // it is delivered here if Redis does not answer
}

// publishSome publishes as much as one script may.
func (b *Broker) publishSome(ctx context.Context, list []room.Publication, results []room.Result) {
	if err := b.refuse(ctx); err != nil {
		for i := range results {
			results[i].Err = err
		}
		return
	}
	parts := b.parts(list)
	for i := range parts {
		p := &parts[i]
		if p.feed != nil {
			p.feed.begin(p.posts)
		}
		p.call, p.err = b.send(ctx, p.safe, p.keys, publishScript, p.args)
	}
	for i := range parts {
		p := &parts[i]
		reply, err := []rueidis.RedisMessage(nil), p.err
		if err == nil {
			reply, err = b.await(ctx, p.call)
		}
		p.finish(reply, err, results)
	}
}

// parts sorts a list by room.
func (b *Broker) parts(list []room.Publication) []part {
	parts := make([]part, 0, 1)
	for i := range list {
		m, keep := list[i].Message, list[i].Keep
		m.Position = room.Position{}
		if m.Kind != room.KindMessage {
			keep = room.Retention{}
		}
		n := 0
		for n < len(parts) && parts[n].keys.room != m.Room {
			n++
		}
		if n == len(parts) {
			k, f := b.find(m.Room)
			args := append(b.args(f, 3+6*(len(list)-i)), k.channel, b.publish, strconv.Itoa(maxTail))
			parts = append(parts, part{keys: k, feed: f, posts: make([]post, 0, len(list)-i), args: args})
		}
		p, op, id := &parts[n], b.nextOp(), ""
		if keep.Messages > 0 {
			p.safe = true
			if m.ID != "" {
				id = digest(m.From, m.ID)
			}
		}
		p.args = append(append(p.args, string(op[:]), id), retention(keep)...)
		p.args = append(p.args, millis(m.At), rueidis.BinaryString(appendBody(nil, &m, op)))
		p.posts = append(p.posts, post{i, op, m, p.feed != nil && keep.Messages == 0})
	}
	return parts
}

// finish says what became of each message.
func (p *part) finish(reply []rueidis.RedisMessage, err error, results []room.Result) {
	away, here := err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, errClosed), false
	if p.feed != nil {
		here = p.feed.end(p.posts, away)
	}
	if err == nil && len(reply) != 4*len(p.posts) {
		err = errAnswer
	}
	for i := range p.posts {
		post := &p.posts[i]
		result := &results[post.index]
		switch {
		case away && here && post.local && post.message.Kind == room.KindMessage:
			result.Receipt.At = post.message.At
		case err != nil:
			result.Err = err
		default:
			result.Receipt, result.Err = receipt(reply[4*i : 4*i+4])
		}
	}
}
