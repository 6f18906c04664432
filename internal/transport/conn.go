package transport

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coder/websocket"
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
	// WriteDeadline is how long a full socket may take no byte.
	WriteDeadline time.Duration
	// CloseDeadline is how long a closing handshake may take before the
	// socket is closed under it.
	CloseDeadline time.Duration
	// MaxQueue is how many bytes of its own frames a connection may be
	// behind.
	MaxQueue int
	// Compress offers permessage-deflate.
	Compress bool
	// Subprotocols are negotiated in this order.
	Subprotocols []string
}

// Conn is one WebSocket connection, already upgraded. [Conn.Serve] must be
// called exactly once. Everything else is safe for concurrent use.
type Conn struct {
	opts *Options
	raw  net.Conn
	rawc syscall.RawConn // nil where raw is no socket of the system: TLS, a pipe
	ws   *websocket.Conn

	subprotocol string
	deflate     bool

	in inbound

	// mu protects the outbound side: what follows, writing to raw without
	// waiting, and the cursors of this connection's members.
	mu    sync.Mutex
	out   outbound
	timer *time.Timer

	closing   atomic.Bool // a close frame is queued or the socket is gone
	lastHeard atomic.Int64
	missed    atomic.Int32

	// wg counts the goroutines of this connection apart from Serve's.
	wg sync.WaitGroup
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
	var frame [2 + maxControlPayload]byte
	c.shut(Closing{Code: code, Reason: reason}, appendClose(frame[:0], code, reason))
}

// Abort closes the socket at once, without a close frame.
func (c *Conn) Abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing.Load() {
		c.closing.Store(true)
		c.out.closing = Closing{Code: closeAbnormal}
	}
	c.hangUp()
}

// shut queues the close frame and makes everyone stop. The caller holds mu.
func (c *Conn) shut(closing Closing, frame []byte) {
	if c.closing.Load() {
		return
	}
	c.out.queue = append(c.out.queue, frame...)
	c.out.closing = closing
	c.closing.Store(true)
	c.pump()
	if c.timer != nil {
		c.timer.Reset(c.opts.CloseDeadline)
	}
	// The reader wakes and sees closing.
	_ = c.raw.SetReadDeadline(past)
}

// past is a deadline that is over.
var past = time.Unix(1, 0)

// hangUp closes the socket. The caller holds mu.
func (c *Conn) hangUp() {
	c.out.dead = true
	c.out.queue, c.out.members = nil, nil
	_ = c.raw.Close()
}

// beat is the connection's only timer.
func (c *Conn) beat() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.dead || c.timer == nil {
		return
	}
	if c.closing.Load() {
		c.hangUp()
		return
	}
	silent := time.Since(time.Unix(0, c.lastHeard.Load()))
	if silent < c.opts.Heartbeat {
		c.missed.Store(0)
		c.timer.Reset(c.opts.Heartbeat - silent)
		return
	}
	if c.missed.Add(1) > maxMissed {
		var frame [2 + maxControlPayload]byte
		c.shut(Closing{Code: CloseHeartbeatLost, Reason: heartbeatLost}, appendClose(frame[:0], CloseHeartbeatLost, heartbeatLost))
		// Half-open: there is nobody to wait for.
		c.hangUp()
		return
	}
	c.out.queue = append(c.out.queue, bitFin|opPing, 0)
	c.pump()
	c.timer.Reset(c.opts.Heartbeat)
}

const (
	maxMissed     = 2
	heartbeatLost = "heartbeat lost"
)
