package redisroom

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/room"
)

// A lane carries calls of scripts to Redis, in order: while some are on their
// way the next ones gather, and go out together. A room's calls take one lane.
//
// A call waits for its deadline and no longer, whatever the connection does. A
// call that failed in a way that leaves open whether it was done is repeated
// until then: that is what the IDs of calls are for.
type lane struct {
	b      *Broker
	health *health
	safe   bool          // its calls are answered when enough replicas have them
	wake   chan struct{} // holds one while there is something in queue

	mu    sync.Mutex // protects queue
	queue []*call

	// later are calls whose slot is on its way from one server of a cluster to
	// another, which may take longer than the others should wait, and since is
	// when the first of them came. They are run's alone.
	later []*call
	since time.Time
}

// call is one call of a script.
type call struct {
	lane     *lane
	script   *script
	keys     []string
	args     []string
	began    time.Time
	deadline time.Time
	size     int           // bytes of args
	to       string        // the server that a cluster has sent it to
	asking   bool          // and that must be told so: the slot is on its way there
	done     chan struct{} // closed when reply and err are there
	reply    []rueidis.RedisMessage
	err      error
}

const (
	// lanes is how many there are. In a cluster it is a few for each primary:
	// a lane has a part of the slots, so that a primary that is away holds up
	// its own rooms and hardly any other.
	lanes        = 4
	clusterLanes = 16
	// What goes out together at most, so that what comes after need not wait
	// for long.
	batchCalls = 128
	batchBytes = 1 << 20
	// maxQueue is how many calls may gather in one lane. More are refused at
	// once: they would hardly be done in time.
	maxQueue = 16_384
	// pause is before a call is repeated.
	pause = 10 * time.Millisecond
)

var (
	errBusy   = fmt.Errorf("%w: redis: too many calls wait", room.ErrUnavailable)
	errDown   = fmt.Errorf("%w: redis is away", room.ErrUnavailable)
	errDeaf   = fmt.Errorf("%w: redis: the subscriptions are cut", room.ErrUnavailable)
	errClosed = fmt.Errorf("%w: the broker is closed", room.ErrUnavailable)
)

// run calls a script for a room. The caller must not change args any more. When
// it fails the script may have been run nevertheless, or be run yet.
func (b *Broker) run(ctx context.Context, r *keys, s *script, args []string) ([]rueidis.RedisMessage, error) {
	return b.runIn(ctx, false, r, s, args)
}

// runSafe is run for what must not get lost: it is answered only when as many
// replicas have it as the broker was told to wait for.
func (b *Broker) runSafe(ctx context.Context, r *keys, s *script, args []string) ([]rueidis.RedisMessage, error) {
	return b.runIn(ctx, true, r, s, args)
}

func (b *Broker) runIn(ctx context.Context, safe bool, r *keys, s *script, args []string) ([]rueidis.RedisMessage, error) {
	c, err := b.send(ctx, safe, r, s, args)
	if err != nil {
		return nil, err
	}
	return b.await(ctx, c)
}

// refuse says why a call need not begin, nil if it may.
func (b *Broker) refuse(ctx context.Context) error {
	switch err := ctx.Err(); {
	case b.ctx.Err() != nil:
		return errClosed
	case !b.ready():
		return errDown
	case err != nil:
		return fmt.Errorf("%w: %w", room.ErrUnavailable, err)
	}
	return nil
}

// send begins what run does, or runSafe; await must follow.
func (b *Broker) send(ctx context.Context, safe bool, r *keys, s *script, args []string) (*call, error) {
	if err := b.refuse(ctx); err != nil {
		return nil, err
	}
	l := b.lane(r)
	if safe && b.cfg.replicas > 0 {
		l = b.safeLanes[b.laneOf(r)]
	}
	if l.health.down() {
		return nil, errDown
	}
	now := time.Now()
	c := &call{lane: l, script: s, keys: r.all, args: args, began: now, deadline: now.Add(b.cfg.timeout), done: make(chan struct{})}
	if d, ok := ctx.Deadline(); ok && d.Before(c.deadline) {
		c.deadline = d
	}
	for _, a := range args {
		c.size += len(a)
	}
	if !l.add(c) {
		return nil, errBusy
	}
	return c, nil
}

// await waits for what send began, with the same context.
func (b *Broker) await(ctx context.Context, c *call) ([]rueidis.RedisMessage, error) {
	timer := time.NewTimer(time.Until(c.deadline))
	defer timer.Stop()
	select {
	case <-c.done:
		return c.reply, c.err
	case <-timer.C:
		select {
		case <-c.done: // both, on a machine that is busy
			return c.reply, c.err
		default:
		}
		c.lane.late(c)
		return nil, fmt.Errorf("%w: redis: %w", room.ErrUnavailable, context.DeadlineExceeded)
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", room.ErrUnavailable, ctx.Err())
	case <-b.ctx.Done():
		return nil, errClosed
	}
}

// makeLanes starts the lanes. Where there is one server they know together
// whether it is away.
func (b *Broker) makeLanes() {
	n := lanes
	if b.lines.cluster {
		n = clusterLanes
	}
	one := &health{b: b}
	for range n {
		if b.lines.cluster {
			one = &health{b: b}
		}
		b.lanes = append(b.lanes, b.newLane(one, false))
		if b.cfg.replicas > 0 {
			b.safeLanes = append(b.safeLanes, b.newLane(one, true))
		}
	}
}

func (b *Broker) newLane(h *health, safe bool) *lane {
	l := &lane{b: b, health: h, safe: safe, wake: make(chan struct{}, 1)}
	b.wg.Go(l.run)
	return l
}

// lane is the one that a room's calls take, but for those that must be safe.
func (b *Broker) lane(r *keys) *lane { return b.lanes[b.laneOf(r)] }

func (b *Broker) laneOf(r *keys) int {
	if b.lines.cluster {
		return slotOf(r.channel) * len(b.lanes) / slots
	}
	return int(r.hash % uint64(len(b.lanes)))
}

// late notes that a call was not answered by its deadline. In a safe lane that
// may be for replicas that are away, and says nothing yet of Redis itself.
func (l *lane) late(c *call) {
	if l.safe {
		l.health.doubt(c)
	} else {
		l.health.late(c)
	}
}

func (l *lane) add(c *call) bool {
	l.mu.Lock()
	if len(l.queue) >= maxQueue {
		l.mu.Unlock()
		return false
	}
	l.queue = append(l.queue, c)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return true
}

// take returns the next calls that go out together.
func (l *lane) take(batch []*call) []*call {
	l.mu.Lock()
	defer l.mu.Unlock()
	size, n := 0, 0
	now := time.Now()
	for n < len(l.queue) && len(batch) < batchCalls && size < batchBytes {
		c := l.queue[n]
		l.queue[n] = nil
		n++
		if now.After(c.deadline) {
			continue // nobody waits for it, and it was never sent
		}
		size += c.size
		batch = append(batch, c)
	}
	l.queue = l.queue[n:]
	if len(l.queue) == 0 {
		l.queue = nil
	}
	return batch
}

// run sends what gathers until the broker is closed.
func (l *lane) run() {
	var batch []*call
	again := time.NewTimer(pause)
	defer again.Stop()
	for {
		batch = l.take(l.due(batch[:0]))
		if len(batch) == 0 {
			if len(l.later) > 0 {
				again.Reset(pause)
			}
			select {
			case <-l.b.ctx.Done():
				return
			case <-l.wake:
			case <-again.C:
			}
			continue
		}
		l.send(batch)
		clear(batch)
	}
}

// send makes the calls, and repeats those of which it is not known whether they
// were done until their deadlines.
func (l *lane) send(batch []*call) {
	b := l.b
	for attempt := 0; len(batch) > 0 && b.ctx.Err() == nil; attempt++ {
		last := batch[0].deadline
		for _, c := range batch {
			if c.deadline.After(last) {
				last = c.deadline
			}
		}
		now := time.Now()
		// Half of what is left, so that an answer that got lost leaves time
		// for asking again; where replicas are waited for it is more.
		left := last.Sub(now)
		share := left / 2
		if l.safe {
			share = left - left/4
		}
		limit := now.Add(max(share, time.Millisecond))
		ctx, cancel := context.WithDeadline(b.ctx, limit)
		batch = l.attempt(ctx, batch)
		cancel()
		if len(batch) == 0 {
			return
		}
		now = time.Now()
		batch = keepIf(batch, func(c *call) bool {
			if now.Before(c.deadline) {
				return true
			}
			c.finish(nil, fmt.Errorf("%w: redis: %w", room.ErrUnavailable, context.DeadlineExceeded))
			l.late(c)
			return false
		})
		if len(batch) == 0 || l.health.down() && attempt > 0 {
			break
		}
		if attempt > 0 && !b.sleep(pause) {
			break
		}
	}
	for _, c := range batch {
		c.finish(nil, errDown)
	}
}

func (c *call) finish(reply []rueidis.RedisMessage, err error) {
	c.reply, c.err = reply, err
	close(c.done)
}

// attempt makes the calls once and returns those that are to be repeated.
func (l *lane) attempt(ctx context.Context, batch []*call) []*call {
	answers := l.exchange(ctx, batch, false)
	var unknown []int
	var texts []*call
	for i, a := range answers {
		if err, ok := rueidis.IsRedisErr(a.err); ok && err.IsNoScript() {
			unknown = append(unknown, i)
			texts = append(texts, batch[i])
		}
	}
	if len(unknown) > 0 {
		for i, a := range l.exchange(ctx, texts, true) {
			answers[unknown[i]] = a
		}
	}
	n := 0
	for i, a := range answers {
		c, err := batch[i], a.err
		few := errors.Is(err, errReplicas)
		if few {
			l.health.answered()
			l.b.few()
		}
		if onItsWay(err) {
			l.health.answered()
			if len(l.later) == 0 {
				l.since = time.Now()
			}
			l.later = append(l.later, c)
			continue
		}
		// When there is hardly any time left no replica will come in it.
		if few && time.Until(c.deadline) >= leastWait || err != nil && !few && (c.to != "" || repeatable(err)) {
			batch[n] = c
			n++
			continue
		}
		l.health.answered()
		if err != nil && !few {
			err = fmt.Errorf("%w: redis: %w", room.ErrUnavailable, err)
		}
		c.finish(a.reply, err)
	}
	return batch[:n]
}

// answer is what became of a call.
type answer struct {
	reply []rueidis.RedisMessage
	err   error
}

// exchange sends calls, whose scripts are named or are given as texts, and
// returns the answers in the same order.
func (l *lane) exchange(ctx context.Context, batch []*call, texts bool) []answer {
	if l.safe {
		return l.exchangeSafe(ctx, batch, texts)
	}
	commands := make(rueidis.Commands, len(batch))
	for i, c := range batch {
		commands[i] = l.b.command(c, texts)
	}
	answers := make([]answer, len(batch))
	for i, r := range l.b.client.DoMulti(ctx, commands...) {
		answers[i].reply, answers[i].err = r.ToArray()
	}
	return answers
}

func (b *Broker) command(c *call, text bool) rueidis.Completed {
	if text {
		return b.client.B().Eval().Script(c.script.text).Numkeys(int64(len(c.keys))).Key(c.keys...).Arg(c.args...).Build()
	}
	return b.client.B().Evalsha().Sha1(c.script.sha).Numkeys(int64(len(c.keys))).Key(c.keys...).Arg(c.args...).Build()
}
