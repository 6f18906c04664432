package transport

import (
	"sync"
	"time"
)

// outbound is the write side of a connection. Conn.mu protects it.
type outbound struct {
	// queue holds whole frames of the connection's own, apart from its
	// front, which may be the rest of a frame that the socket took in part.
	queue []byte
	// box is what the queue's memory came from the pool in, nil when it did
	// not.
	box *[]byte
	// members have been handed over by flushers because the socket was full.
	members []*Member
	// draining says that a goroutine is writing.
	draining bool
	// stall fires when the drain has waited too long.
	stall *time.Timer

	dead     bool
	closing  Closing
	hangUpAt time.Duration // after Conn.opened, when closing
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
	// piece is how much a full socket must make room for in WriteDeadline.
	piece = 16 << 10
	// keepQueue is how large a queue's memory may be to be used again.
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
	c.out.open()
	c.out.queue = f.append(c.out.queue)
	switch n := len(c.out.queue); {
	case !c.out.draining:
		// One input may ask for many large answers, which all come before
		// the user flushes.
		if n > c.opts.MaxQueue/2 {
			c.pump()
		}
	case n > c.opts.MaxQueue:
		c.shut(CloseSlowConsumer, tooFarBehind)
	}
}

const tooFarBehind = "too far behind"

// Flush writes what is queued, as far as the socket takes it without waiting.
func (c *Conn) Flush() {
	c.mu.Lock()
	c.pump()
	c.mu.Unlock()
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
	o.keep(o.queue)
	c.halfClose()
}

// queues holds the memory of queues: most connections are idle, and one that
// is has nothing queued.
var queues = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

// open gives the queue memory when it has none.
func (o *outbound) open() {
	if o.queue == nil {
		o.box = queues.Get().(*[]byte)
		o.queue = (*o.box)[:0]
	}
}

// keep makes the queue empty and gives buf, which nobody reads any more, to
// the next queue unless it is large.
func (o *outbound) keep(buf []byte) {
	if o.box != nil && cap(buf) <= keepQueue {
		*o.box = buf[:0]
		queues.Put(o.box)
	}
	o.queue, o.box = nil, nil
}

// tryWrite writes what the socket takes without waiting. A conn that cannot
// say "full" takes nothing: it is always written by the drain.
func (c *Conn) tryWrite(p []byte) (int, error) {
	if c.socket == nil {
		return 0, nil
	}
	return c.socket.Write(p)
}

// halfClose tells a peer that was sent a close frame that nothing follows. The
// caller holds mu and has seen the queue empty. TLS is left out because there
// it may wait, and a peer that closed first because the socket is closed next.
func (c *Conn) halfClose() {
	if !c.closing.Load() || c.socket == nil || c.out.closing.ByPeer {
		return
	}
	if half, ok := c.raw.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// flushMember writes the queue and what m lacks, as far as the socket takes it
// without waiting. The caller owns m and keeps it unless handedOver returns.
func (c *Conn) flushMember(m *Member) flushed {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range runsPerVisit {
		if c.closing.Load() {
			m.leave()
			return handedOver
		}
		run := m.next()
		switch {
		case run == nil:
			c.pump()
			return caughtUp
		case c.out.draining:
		case c.socket == nil, len(c.out.queue) > 0:
			// Small things travel together.
			run = wholeFrames(run, gather)
			c.out.queue = append(c.out.queue, run...)
			m.advance(len(run))
			c.pump()
		default:
			n, err := c.tryWrite(run)
			switch {
			case err != nil:
				c.lost()
				continue
			case n < len(run):
				c.cut(m, run, n)
			default:
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
	end := frameLen(run)
	for end < len(run) {
		next := end + frameLen(run[end:])
		if next > limit {
			break
		}
		end = next
	}
	return run[:end]
}

// takeRest moves all that m lacks to the queue. The caller holds mu.
func (c *Conn) takeRest(m *Member) {
	for run := m.next(); run != nil; run = m.next() {
		c.out.queue = append(c.out.queue, run...)
		m.advance(len(run))
	}
}

// startDrain starts the goroutine that waits for the socket. The caller holds
// mu and has seen that nobody is draining.
func (c *Conn) startDrain() {
	o := &c.out
	o.draining = true
	if o.stall == nil {
		o.stall = time.AfterFunc(c.opts.WriteDeadline, c.stalled)
	} else {
		o.stall.Reset(c.opts.WriteDeadline)
	}
	c.wg.Go(c.drain)
}

// drain writes with waiting until there is nothing left, then ends.
func (c *Conn) drain() {
	var written []byte
	for {
		buf := c.takeQueue(written)
		if buf == nil {
			return
		}
		for rest := buf; len(rest) > 0; {
			n, err := c.raw.Write(rest[:min(len(rest), piece)])
			if err != nil {
				c.mu.Lock()
				c.lost()
				c.mu.Unlock()
				break
			}
			rest = rest[n:]
			c.out.stall.Reset(c.opts.WriteDeadline)
		}
		written = buf
	}
}

// takeQueue hands the drain what to write next, to be written without the
// lock, and takes back the memory of what was written. When there is nothing
// it returns nil, and the drain is over.
func (c *Conn) takeQueue(written []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := &c.out
	for len(o.members) > 0 && len(o.queue) < gather {
		m := o.members[0]
		if run := m.next(); run != nil {
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
	if len(o.queue) > 0 && !o.dead {
		buf := o.queue
		o.queue = written[:0]
		return buf
	}
	o.draining = false
	o.members = nil
	o.stall.Stop()
	o.keep(written)
	c.halfClose()
	return nil
}

// stalled finds a slow consumer. It gets the time of the closing handshake to
// take the rest of its frame and the close frame.
func (c *Conn) stalled() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out.draining {
		c.shut(CloseSlowConsumer, tooFarBehind)
	}
}
