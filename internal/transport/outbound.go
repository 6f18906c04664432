package transport

import (
	"errors"
	"time"
)

// outbound is the write side of a connection. Conn.mu protects it.
type outbound struct {
	// queue holds whole frames of the connection's own, apart from its
	// front, which may be the rest of a frame that the socket took in part.
	queue []byte
	// members have been handed over by flushers because the socket was full.
	members []*Member
	// draining says that a goroutine is writing.
	draining bool
	dead     bool
	closing  Closing
}

type flushed int

const (
	caughtUp flushed = iota
	behind
	handedOver // somebody else owns the member now, or nobody has to
)

const (
	// gather is up to how many bytes are copied together to save a call.
	gather = 64 << 10
	// keepQueue is how much memory an empty queue may keep.
	keepQueue = 4 << 10
	// runsPerVisit bounds the time one member gets.
	runsPerVisit = 4
)

// Send queues a frame of the connection's own, behind those already queued.
// The bytes are copied. Call [Conn.Flush] after the last of a run. A connection
// whose queue grows past Options.MaxQueue is closed as a slow consumer.
func (c *Conn) Send(f Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Load() {
		return
	}
	c.out.queue = f.append(c.out.queue)
	if len(c.out.queue) > c.opts.MaxQueue && c.out.draining {
		c.slow()
	}
}

// Flush writes what is queued, as far as the socket takes it without waiting.
func (c *Conn) Flush() {
	c.mu.Lock()
	c.pump()
	c.mu.Unlock()
}

// slow closes with 4103. The caller holds mu.
func (c *Conn) slow() {
	const reason = "too far behind"
	var frame [2 + maxControlPayload]byte
	c.shut(Closing{Code: CloseSlowConsumer, Reason: reason}, appendClose(frame[:0], CloseSlowConsumer, reason))
}

// pump writes the queue. The caller holds mu.
func (c *Conn) pump() {
	o := &c.out
	if o.draining || o.dead || len(o.queue) == 0 {
		return
	}
	n, err := c.tryWrite(o.queue)
	if err != nil {
		c.lost()
		return
	}
	if n < len(o.queue) {
		o.queue = o.queue[:copy(o.queue, o.queue[n:])]
		c.startDrain()
		return
	}
	if cap(o.queue) > keepQueue {
		o.queue = nil
	}
	o.queue = o.queue[:0]
	c.halfClose()
}

// halfClose tells a peer whose close frame is out that nothing follows. The
// caller holds mu and has seen the queue empty.
func (c *Conn) halfClose() {
	if tcp, ok := c.raw.(interface{ CloseWrite() error }); ok && c.rawc != nil && c.closing.Load() {
		_ = tcp.CloseWrite()
	}
}

// lost ends a connection whose socket failed. The caller holds mu.
func (c *Conn) lost() {
	if !c.closing.Load() {
		c.closing.Store(true)
		c.out.closing = Closing{Code: closeAbnormal}
	}
	c.hangUp()
}

// flushMember writes the queue and what m lacks, as far as the socket takes it
// without waiting. The caller owns m and keeps it unless handedOver returns.
func (c *Conn) flushMember(m *Member) flushed {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range runsPerVisit {
		run := m.next()
		switch {
		case c.closing.Load() || m.gone.Load():
			return handedOver
		case run == nil:
			c.pump()
			return caughtUp
		case c.out.draining:
			c.out.members = append(c.out.members, m)
			return handedOver
		case c.rawc == nil, len(c.out.queue) > 0:
			// Small things travel together; a socket that cannot say
			// "full" is always written by the goroutine.
			run = wholeFrames(run, gather)
			c.out.queue = append(c.out.queue, run...)
			m.advance(len(run))
			c.pump()
		default:
			n, err := c.tryWrite(run)
			if err != nil {
				c.lost()
				return handedOver
			}
			if n < len(run) {
				c.cut(m, run, n)
			} else {
				m.advance(n)
			}
		}
		if c.out.draining {
			c.out.members = append(c.out.members, m)
			return handedOver
		}
	}
	return behind
}

// cut leaves the cursor of m at the start of a frame after the socket took n
// bytes of run: the rest of the frame it stopped in moves to the queue.
func (c *Conn) cut(m *Member, run []byte, n int) {
	end := 0
	for end < n {
		end += frameLen(run[end:])
	}
	c.out.queue = append(c.out.queue, run[n:end]...)
	m.advance(end)
	c.startDrain()
}

// wholeFrames is the longest run of whole frames at the start of run that is
// not longer than limit, but at least one frame.
func wholeFrames(run []byte, limit int) []byte {
	if len(run) <= limit {
		return run
	}
	end := frameLen(run)
	for {
		next := end + frameLen(run[end:])
		if next > limit {
			return run[:end]
		}
		end = next
	}
}

// takeRest moves all that m lacks to the queue. The caller holds mu.
func (c *Conn) takeRest(m *Member) {
	if c.closing.Load() {
		return
	}
	for run := m.next(); run != nil; run = m.next() {
		c.out.queue = append(c.out.queue, run...)
		m.advance(len(run))
	}
}

// startDrain starts the goroutine that waits for the socket. The caller holds
// mu and has seen that nobody is draining.
func (c *Conn) startDrain() {
	c.out.draining = true
	c.wg.Go(c.drain)
}

// drain writes with waiting until there is nothing left, then ends.
func (c *Conn) drain() {
	for {
		buf, ok := c.takeQueue()
		if !ok {
			return
		}
		for len(buf) > 0 {
			piece := buf[:min(len(buf), gather)]
			if !c.closing.Load() {
				_ = c.raw.SetWriteDeadline(time.Now().Add(c.opts.WriteDeadline))
			}
			n, err := c.raw.Write(piece)
			buf = buf[n:]
			if err != nil && !c.stalled(err) {
				return
			}
		}
	}
}

// stalled deals with a failed write and reports whether to go on: a consumer
// found slow gets the time of the closing handshake to take the rest of its
// frame and the close frame.
func (c *Conn) stalled(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	var timeout interface{ Timeout() bool }
	if c.out.dead || c.closing.Load() || !errors.As(err, &timeout) || !timeout.Timeout() {
		c.lost()
		c.out.draining = false
		return false
	}
	c.slow()
	_ = c.raw.SetWriteDeadline(time.Now().Add(c.opts.CloseDeadline))
	return true
}

// takeQueue hands the drain what to write next, ready to be written without
// the lock. It reports false, and the drain is over, when there is nothing.
func (c *Conn) takeQueue() ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := &c.out
	for len(o.members) > 0 && len(o.queue) < gather && !c.closing.Load() {
		m := o.members[0]
		run := m.next()
		if run != nil {
			run = wholeFrames(run, gather)
			o.queue = append(o.queue, run...)
			m.advance(len(run))
			continue
		}
		if len(m.log.sleep([]*Member{m}, nil)) == 0 {
			o.members[0] = nil
			o.members = o.members[1:]
		}
	}
	if len(o.queue) == 0 || o.dead {
		o.draining = false
		o.members = nil
		_ = c.raw.SetWriteDeadline(time.Time{}) // it would spoil tryWrite
		c.halfClose()
		return nil, false
	}
	buf := o.queue
	o.queue = nil
	return buf, true
}
