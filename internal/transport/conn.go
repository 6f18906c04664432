package transport

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Options bounds a connection. Every field must be set.
type Options struct {
	// MaxText and MaxBinary are the largest messages taken, in bytes after
	// joining fragments and inflating.
	MaxText, MaxBinary int64
	// MessageDeadline is how long a message may take from its first byte to
	// its last.
	MessageDeadline time.Duration
	// Heartbeat is how often a silent peer is pinged; after two pings
	// without an answer it is given up.
	Heartbeat time.Duration
	// WriteDeadline is how long a full socket may take to make room for the
	// next 16 KiB.
	WriteDeadline time.Duration
	// CloseDeadline is how long a closing handshake may take before the
	// socket is closed under it.
	CloseDeadline time.Duration
	// MaxQueue is how many bytes a connection may be behind of its own frames
	// and of the logs that it has left.
	MaxQueue int
	// Compress offers permessage-deflate.
	Compress bool
	// Subprotocols are negotiated in this order.
	Subprotocols []string
	// Park is where idle connections wait. Nil, and for those that are no
	// sockets of the system, each waits in a goroutine of its own.
	Park *Park
}

// Conn is one WebSocket connection, already upgraded. [Conn.Serve] must be
// called exactly once. Everything else is safe for concurrent use.
type Conn struct {
	opts   *Options
	raw    net.Conn
	socket *socket // nil where raw is no socket of the system: TLS, a pipe

	subprotocol string
	deflate     bool

	// Serve's goroutine's.
	in        *intake // nil while there is no input
	user      User
	brief     bool // it was woken and has not found a message yet
	controls  int  // control frames in the second that began at controlAt
	controlAt time.Duration

	// mu protects the outbound side: what follows, writing to raw without
	// waiting, and the cursors of this connection's members.
	mu     sync.Mutex
	out    outbound
	timer  *time.Timer
	missed int           // pings since the peer was heard
	pinged time.Duration // when the last ping was, after opened
	park   *Park         // nil where the connection needs its goroutine
	place  int           // in the park

	closing atomic.Bool // a close frame is queued or the socket is gone

	opened time.Time
	heard  atomic.Int64 // when the peer was, in nanoseconds after opened
	state  atomic.Int32 // of reading; the states say who changes it

	// wg counts the goroutines of this connection apart from those that read,
	// which are the owner's.
	wg    sync.WaitGroup
	owner *sync.WaitGroup
}

// Subprotocol is the negotiated subprotocol, empty when there is none.
func (c *Conn) Subprotocol() string { return c.subprotocol }

// Deflated says whether permessage-deflate was negotiated.
func (c *Conn) Deflated() bool { return c.deflate }

// Closing reports whether the connection is closing or closed.
func (c *Conn) Closing() bool { return c.closing.Load() }

// Close starts the closing handshake: what is queued is still sent, then the
// close frame, and nothing after it. It does not wait; the socket is closed
// when the peer has answered, at the latest after Options.CloseDeadline. Only
// the first call does anything.
func (c *Conn) Close(code int, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shut(code, reason)
}

// Abort closes the socket at once, without a close frame.
func (c *Conn) Abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost()
}

// shut is Close. The caller holds mu.
func (c *Conn) shut(code int, reason string) {
	var frame [2 + maxControlPayload]byte
	c.shutWith(Closing{Code: code, Reason: reason}, appendClose(frame[:0], code, reason))
}

// shutWith queues the close frame and makes everyone stop. The caller holds mu.
func (c *Conn) shutWith(closing Closing, frame []byte) {
	if c.closing.Load() {
		return
	}
	c.out.queue = append(c.out.queue, frame...)
	c.end(closing)
	c.pump()
	if c.timer != nil {
		c.out.hangUpAt = time.Since(c.opened) + c.opts.CloseDeadline
		c.timer.Reset(c.opts.CloseDeadline)
	}
	// The reader wakes and sees closing.
	_ = c.raw.SetReadDeadline(past)
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

// end makes the connection take nothing more to send. The caller holds mu.
func (c *Conn) end(closing Closing) {
	c.out.closing = closing
	c.closing.Store(true)
	for _, m := range c.out.members {
		m.leave()
	}
	c.out.members = nil
	c.resume()
}

// lost ends a connection whose socket is of no use any more. The caller holds
// mu.
func (c *Conn) lost() {
	if !c.closing.Load() {
		c.end(Closing{Code: closeAbnormal})
	}
	c.hangUp()
}

// hangUp closes the socket. The caller holds mu.
func (c *Conn) hangUp() {
	c.out.dead = true
	c.out.queue = nil
	_ = bottom(c.raw).Close()
}

// bottom is what stands beneath TLS: closing TLS itself may wait for room in
// the socket, for its goodbye.
func bottom(c net.Conn) net.Conn {
	for {
		over, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		c = over.NetConn()
	}
}

// beat is the connection's timer.
func (c *Conn) beat() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.dead || c.timer == nil {
		return
	}
	if c.closing.Load() {
		// It may have been due as heartbeat just when the closing began.
		if left := c.out.hangUpAt - time.Since(c.opened); left > 0 {
			c.timer.Reset(left)
			return
		}
		c.hangUp()
		return
	}
	heard := time.Duration(c.heard.Load())
	silent := time.Since(c.opened) - heard
	if heard >= c.pinged {
		// The answer may have come in no time, where there is no network.
		c.missed = 0
	}
	switch {
	case silent < c.opts.Heartbeat:
		c.missed = 0
		c.timer.Reset(c.hush(silent, c.opts.Heartbeat-silent))
		return
	case c.state.Load() == busy:
		// A handler takes its time: the peer is not silent, it is not
		// listened to.
		c.timer.Reset(c.opts.Heartbeat)
		return
	case c.missed == maxMissed:
		c.shut(CloseHeartbeatLost, "heartbeat lost")
		// Half-open: there is nobody to wait for.
		c.hangUp()
		return
	}
	c.missed++
	c.pinged = time.Since(c.opened)
	c.out.queue = append(c.out.queue, bitFin|opPing, 0)
	c.pump()
	c.timer.Reset(c.opts.Heartbeat)
}

// maxMissed is how many pings in a row a peer may leave without an answer.
const maxMissed = 2
