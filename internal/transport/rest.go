package transport

import (
	"sync"
	"time"
)

// User is whom a connection is for. Its methods are called by one goroutine at
// a time, though not always the same.
type User interface {
	// Handle is given the messages, one after the other. message is valid
	// until it returns.
	Handle(message []byte, binary bool)
	// Idle is called whenever all input that one read brought is handled,
	// before the next, and before the connection is closed for what comes next
	// in it: the moment to flush what it caused.
	Idle()
	// Ended is called last, with the socket closed and every goroutine of
	// the connection gone but the one that calls it.
	Ended(how Closing)
}

// States of reading. A goroutine that reads makes its own state, but for two
// that others make of idling: the timer interrupts it, and input, or the end of
// the connection, wakes what is parked (under Conn.mu).
const (
	busy        int32 = iota // with what was read
	waiting                  // for the rest of a message, or where there is no park
	idling                   // waiting for the next message
	interrupted              // idling for so long that it should park
	parked                   // idling without a goroutine
)

// parkAfter is how long a connection says nothing before it gives up its
// goroutine. Another one costs a few microseconds, which is little where that
// happens no more often.
const parkAfter = 500 * time.Millisecond

// Serve reads messages and gives them to u until the connection ends, which
// Ended tells. It returns then, or else when the connection is parked: what
// comes after is handled by goroutines that are counted in owner, as is the
// connection all the time.
func (c *Conn) Serve(u User, owner *sync.WaitGroup) {
	c.user, c.owner = u, owner
	owner.Add(1)
	c.Flush() // of the handshake's response, where nothing was sent yet
	c.mu.Lock()
	if c.timer != nil && !c.closing.Load() {
		c.timer.Reset(c.hush(0, c.opts.Heartbeat))
	}
	c.mu.Unlock()
	c.read()
}

// mayPark reports whether the connection can do without a goroutine.
func (c *Conn) mayPark() bool { return c.park != nil }

// hush interrupts a reader that has been idling for long. It returns when to
// look again at the latest, given when something else is due. The caller holds
// mu.
func (c *Conn) hush(silent, due time.Duration) time.Duration {
	switch {
	case !c.mayPark() || c.state.Load() >= interrupted:
		return due
	case silent < c.park.after:
		return min(due, c.park.after-silent)
	case c.state.CompareAndSwap(idling, interrupted):
		_ = c.raw.SetReadDeadline(past)
		return due
	}
	return min(due, c.park.after)
}

// rest gives the goroutine up and reports whether it did: what comes next is
// another's.
func (c *Conn) rest() bool {
	if c.in != nil { // it has read what keeps it from being another's
		c.in.close()
		c.in = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Load() {
		return false
	}
	c.brief = true
	c.state.Store(parked)
	if c.park.add(c) {
		return true
	}
	c.state.Store(busy)
	c.brief, c.park = false, nil // it need not be tried again
	return false
}

// resume starts a goroutine for a connection that is parked. The caller holds
// mu.
func (c *Conn) resume() {
	if c.state.CompareAndSwap(parked, busy) {
		c.park.forget(c)
		c.owner.Go(c.read)
	}
}

// awake is called for the first message after a rest: more may follow.
func (c *Conn) awake() {
	c.brief = false
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing.Load() {
		c.timer.Reset(min(c.park.after, c.opts.Heartbeat))
	}
}
