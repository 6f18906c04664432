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
	b    *Broker
	wake chan struct{} // holds one while there is something to look at

	mu    sync.Mutex          // protects what follows
	turn  int                 // counts the connections
	ok    bool                // all that is wanted has been asked for on this one
	have  map[string]struct{} // channels that are subscribed to on this one
	dirty map[string]struct{} // channels that may have to be subscribed to, or no longer
}

const (
	// lineBatch is how many channels one command names.
	lineBatch = 200
	// The line is asked for a sign of life every pingEvery, and given up
	// when there was none for pingTimeout.
	pingEvery   = time.Second
	pingTimeout = 2 * time.Second
	// Pauses before the line is made again.
	lineAgain     = 20 * time.Millisecond
	lineAgainMost = time.Second
)

func newLine(b *Broker) *line {
	return &line{b: b, wake: make(chan struct{}, 1), have: make(map[string]struct{}), dirty: make(map[string]struct{})}
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

// run keeps a connection until the broker is closed.
func (l *line) run() {
	log := l.b.cfg.log
	again, told := lineAgain, false
	for {
		began := time.Now()
		err := l.connect()
		l.mu.Lock()
		l.ok = false
		l.mu.Unlock()
		if l.b.ctx.Err() != nil {
			return
		}
		if time.Since(began) > lineAgainMost {
			again = lineAgain
		}
		if !told || time.Since(began) > lineAgainMost {
			log.LogAttrs(l.b.ctx, slog.LevelWarn, "redis_subscription_lost", slog.Any("error", err))
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
	conn, release := l.b.client.Dedicate()
	defer release()
	defer conn.Close() // what was subscribed to must not go back to the pool

	l.mu.Lock()
	l.turn++
	turn := l.turn
	l.ok = false
	clear(l.have)
	l.mu.Unlock()
	l.b.mu.RLock()
	wanted := make([]string, 0, len(l.b.feeds))
	for channel := range l.b.feeds {
		wanted = append(wanted, channel)
	}
	l.b.mu.RUnlock()
	l.mu.Lock()
	for _, channel := range wanted {
		l.dirty[channel] = struct{}{}
	}
	l.mu.Unlock()
	l.signal()

	broken := conn.SetPubSubHooks(rueidis.PubSubHooks{
		OnMessage:      func(m rueidis.PubSubMessage) { l.b.arrive(m.Channel, m.Message) },
		OnSubscription: func(s rueidis.PubSubSubscription) { l.changed(turn, s) },
	})
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for {
		select {
		case <-l.b.ctx.Done():
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
		}
	}
}

func (l *line) do(conn rueidis.DedicatedClient, cmd rueidis.Completed) error {
	ctx, cancel := context.WithTimeout(l.b.ctx, pingTimeout)
	defer cancel()
	return conn.Do(ctx, cmd).Error()
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
		switch had := l.has(channel); {
		case f != nil && had:
			f.online() // it is another feed than the one that it was subscribed for
		case f != nil:
			in = append(in, channel)
		case had:
			out = append(out, channel)
		}
	}
	for part := range slices.Chunk(in, lineBatch) {
		if err := l.do(conn, conn.B().Subscribe().Channel(part...).Build()); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(out, lineBatch) {
		if err := l.do(conn, conn.B().Unsubscribe().Channel(part...).Build()); err != nil {
			return err
		}
	}
	l.mu.Lock()
	l.ok = true
	l.mu.Unlock()
	return nil
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
	if s.Kind != "subscribe" {
		delete(l.have, s.Channel)
		l.dirty[s.Channel] = struct{}{} // somebody may want it again
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
