package redisroom

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// A line is the connection through which the channels of this node's rooms are
// heard. It is a connection of its own, because only so it is known when it
// broke: then every room has to look for what it missed.
type line struct {
	b      *Broker
	lines  *lines
	addr   string          // of the node in a cluster
	wake   chan struct{}   // holds one while there is something to look at
	ctx    context.Context // until the node is no more, or the broker
	cancel context.CancelFunc

	mu    sync.Mutex          // protects what follows
	turn  int                 // counts the connections
	ok    bool                // all that is wanted has been asked for on this one
	have  map[string]struct{} // channels that are subscribed to on this one
	dirty map[string]struct{} // channels that may have to be subscribed to, or no longer
}

const (
	// lineBatch is how many channels one command names.
	lineBatch = 200
	// pipeline is how many commands go out together.
	pipeline = 100
	// The line is asked for a sign of life every pingEvery, and given up
	// when there was none for pingTimeout, or no echo.
	pingEvery   = time.Second
	pingTimeout = 2 * time.Second
	// Pauses before the line is made again.
	lineAgain     = 20 * time.Millisecond
	lineAgainMost = time.Second
)

// newLine starts a line.
func newLine(s *lines, addr string) *line {
	l := &line{b: s.b, lines: s, addr: addr, wake: make(chan struct{}, 1), have: make(map[string]struct{}), dirty: make(map[string]struct{})}
	l.ctx, l.cancel = context.WithCancel(s.b.ctx)
	s.b.wg.Go(l.run)
	return l
}

// stop ends a line; the broker waits for it.
func (l *line) stop() { l.cancel() }

// lookAll has the line look at all that it hears or may have to.
func (l *line) lookAll() {
	l.b.mu.RLock()
	channels := make([]string, 0, len(l.b.feeds))
	for channel := range l.b.feeds {
		channels = append(channels, channel)
	}
	l.b.mu.RUnlock()
	l.mu.Lock()
	for channel := range l.have {
		l.dirty[channel] = struct{}{}
	}
	for _, channel := range channels {
		l.dirty[channel] = struct{}{}
	}
	l.mu.Unlock()
	l.signal()
}

// look has the line see whether a channel is wanted.
func (l *line) look(channel string) {
	l.mu.Lock()
	l.dirty[channel] = struct{}{}
	l.mu.Unlock()
	l.signal()
}

func (l *line) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run keeps a connection until the line is stopped.
func (l *line) run() {
	log := l.b.cfg.log
	again, told := lineAgain, false
	for {
		began := time.Now()
		err := l.connect()
		l.mu.Lock()
		l.ok = false
		l.mu.Unlock()
		if l.ctx.Err() != nil {
			return
		}
		l.lines.refresh() // its slots may have moved
		if time.Since(began) > lineAgainMost {
			again = lineAgain
		}
		if !told || time.Since(began) > lineAgainMost {
			log.LogAttrs(l.b.ctx, slog.LevelWarn, "redis_subscription_lost", slog.String("server", l.addr), slog.Any("error", err))
			told = true
		}
		if !l.b.sleep(again/2 + rand.N(again)) { // so that nodes do not come back all at once
			return
		}
		again = min(2*again, lineAgainMost)
	}
}

// connect makes a connection, subscribes to all that is wanted, and goes on
// until it breaks.
func (l *line) connect() error {
	client := l.lines.client(l.addr)
	if client == nil {
		return errDeaf
	}
	conn, release := client.Dedicate()
	defer release()
	defer conn.Close() // what was subscribed to must not go back to the pool

	l.mu.Lock()
	l.turn++
	turn := l.turn
	l.ok = false
	clear(l.have)
	l.mu.Unlock()
	l.lookAll()

	var e *echo
	if !l.lines.cluster { // there a line is told when a slot is elsewhere
		e = newEcho(l.b, turn)
	}
	broken := conn.SetPubSubHooks(rueidis.PubSubHooks{
		OnMessage: func(m rueidis.PubSubMessage) {
			if e == nil || !e.hear(m) {
				l.b.arrive(m.Channel, m.Message)
			}
		},
		OnSubscription: func(s rueidis.PubSubSubscription) {
			if e == nil || s.Channel != e.channel {
				l.changed(turn, s)
			}
		},
	})
	if e != nil {
		if err := l.do(conn, conn.B().Subscribe().Channel(e.channel).Build()); err != nil {
			return err
		}
	}
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return nil
		case err := <-broken:
			return err
		case <-l.wake:
			if err := l.settle(conn); err != nil {
				return err
			}
		case <-ping.C:
			if err := l.do(conn, conn.B().Ping().Build()); err != nil {
				return err
			}
			if e != nil && e.absent(l.ctx) {
				return errElsewhere
			}
		}
	}
}

func (l *line) do(conn rueidis.DedicatedClient, commands ...rueidis.Completed) error {
	ctx, cancel := context.WithTimeout(l.ctx, pingTimeout)
	defer cancel()
	var moved error
	for _, r := range conn.DoMulti(ctx, commands...) {
		err := r.Error()
		if _, own := rueidis.IsRedisErr(err); own && l.lines.cluster {
			moved = err // the connection is all right
		} else if err != nil {
			return err
		}
	}
	if moved != nil {
		// A slot is on its way, or has no owner at present.
		l.lines.refresh()
		if l.b.sleep(ownersPause) {
			l.lookAll()
		}
	}
	return nil
}

// settle subscribes to what is wanted and not had, and the other way round.
func (l *line) settle(conn rueidis.DedicatedClient) error {
	l.mu.Lock()
	dirty := make([]string, 0, len(l.dirty))
	for channel := range l.dirty {
		dirty = append(dirty, channel)
	}
	clear(l.dirty)
	l.mu.Unlock()
	var in, out []string
	for _, channel := range dirty {
		f := l.b.feedOf(channel)
		if l.lines.owner(channel) != l {
			f = nil
		}
		switch had := l.has(channel); {
		case f != nil && had:
			f.heardHere()
		case f != nil:
			in = append(in, channel)
		case had:
			out = append(out, channel)
		}
	}
	for part := range slices.Chunk(l.batches(in), pipeline) {
		commands := make(rueidis.Commands, len(part))
		for i, channels := range part {
			if l.lines.cluster {
				commands[i] = conn.B().Ssubscribe().Channel(channels...).Build()
			} else {
				commands[i] = conn.B().Subscribe().Channel(channels...).Build()
			}
		}
		if err := l.do(conn, commands...); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(l.batches(out), pipeline) {
		commands := make(rueidis.Commands, len(part))
		for i, channels := range part {
			if l.lines.cluster {
				commands[i] = conn.B().Sunsubscribe().Channel(channels...).Build()
			} else {
				commands[i] = conn.B().Unsubscribe().Channel(channels...).Build()
			}
		}
		if err := l.do(conn, commands...); err != nil {
			return err
		}
	}
	l.mu.Lock()
	l.ok = true
	l.mu.Unlock()
	return nil
}

// batches are the channels that one command may name each: in a cluster only
// those of one slot.
func (l *line) batches(channels []string) [][]string {
	if !l.lines.cluster {
		return slices.Collect(slices.Chunk(channels, lineBatch))
	}
	bySlot := make(map[int][]string)
	for _, channel := range channels {
		slot := slotOf(channel)
		bySlot[slot] = append(bySlot[slot], channel)
	}
	var list [][]string
	for _, same := range bySlot {
		list = slices.AppendSeq(list, slices.Chunk(same, lineBatch))
	}
	return list
}

// up says whether there is a connection.
func (l *line) up() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ok
}

func (l *line) has(channel string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ok := l.have[channel]
	return ok
}

// changed is called by the connection's reader when Redis has confirmed that a
// channel is subscribed to, or no longer is.
func (l *line) changed(turn int, s rueidis.PubSubSubscription) {
	l.mu.Lock()
	if turn != l.turn {
		l.mu.Unlock()
		return
	}
	if s.Kind == "unsubscribe" || s.Kind == "sunsubscribe" {
		delete(l.have, s.Channel)
		l.dirty[s.Channel] = struct{}{} // somebody may want it again, or its slot has moved
		l.mu.Unlock()
		l.signal()
		return
	}
	l.have[s.Channel] = struct{}{}
	l.mu.Unlock()
	if f := l.b.feedOf(s.Channel); f != nil {
		f.online()
	}
}
