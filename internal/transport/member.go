package transport

import (
	"math"
	"slices"
	"sync/atomic"
)

// Member is a connection's cursor into a room's log. A cursor always stands at
// the start of a frame.
type Member struct {
	conn *Conn
	log  *Log

	// pos is the cursor's position in bytes. Conn.mu protects moving it.
	pos atomic.Int64
	// chunk and off are the same position in memory. Conn.mu protects them.
	// A sleeper has none; Log.mu protects them then.
	chunk *chunk
	off   int64

	gone  bool        // no member any more; changed under both Conn.mu and Log.mu
	skips atomic.Bool // spans is not empty

	// Log.mu protects these.
	slot  int  // index in Log.asleep, or awake
	index int  // index in Log.members
	late  bool // already reported as a slow consumer
	spans []span
}

const awake = -1

// span is a run of bytes that a member must not get.
type span struct{ from, to int64 }

// Attach adds c to the log with its cursor at the head. Nothing is written to
// it before [Member.Release]; what is appended meanwhile waits.
func (l *Log) Attach(c *Conn) *Member {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tail == nil {
		l.begin(0)
	}
	m := &Member{conn: c, log: l, slot: awake, index: len(l.members), chunk: l.tail, off: l.tail.n.Load()}
	m.pos.Store(l.head.Load())
	l.members = append(l.members, m)
	return m
}

// Release ends the wait that began with Attach. It must be called once at most.
func (m *Member) Release() {
	m.log.finish(m.log.sleep([]*Member{m}, nil))
}

// Stop ends what is for the member: it gets nothing that is appended from now
// on, and what was appended before as ever.
func (m *Member) Stop() {
	l := m.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(m.spans); m.gone || n > 0 && m.spans[n-1].to == math.MaxInt64 {
		return
	}
	m.spans = append(m.spans, span{l.head.Load(), math.MaxInt64})
	m.skips.Store(true)
}

// Detach removes the member from its log; nothing more of the log is written
// to its connection. With drain, frames already appended are still sent. Only
// the first call does anything.
func (m *Member) Detach(drain bool) {
	c := m.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if drain && !c.closing.Load() && m.log.rouse(m) {
		c.takeRest(m)
		c.pump()
	}
	m.leave()
}

// leave is Detach without drain. The caller holds Conn.mu.
func (m *Member) leave() {
	m.log.mu.Lock()
	defer m.log.mu.Unlock()
	if m.gone {
		return
	}
	m.gone = true
	m.log.remove(m)
	m.chunk = nil // and all that follow it
}

// next returns the bytes at the cursor that lie together in memory, up to the
// head, and nil when there are none. The caller holds Conn.mu and owns m.
func (m *Member) next() []byte {
	for !m.gone {
		pos := m.pos.Load()
		if pos == m.log.head.Load() {
			return nil
		}
		n := m.chunk.n.Load()
		if m.off == n {
			next := m.chunk.next.Load()
			if next == nil {
				return nil // the head moves after the chunk; its appender flushes
			}
			m.chunk, m.off = next, 0
			continue
		}
		run := m.chunk.buf[m.off:n]
		if m.skips.Load() {
			if run = m.skip(pos, run); len(run) == 0 {
				continue
			}
		}
		return run
	}
	return nil
}

// skip cuts run before the first span to be left out, or moves the cursor over
// as much of the span as is in run when it starts right there.
func (m *Member) skip(pos int64, run []byte) []byte {
	m.log.mu.Lock()
	defer m.log.mu.Unlock()
	s := &m.spans[0]
	if s.from != pos {
		return run[:min(int64(len(run)), s.from-pos)]
	}
	n := min(int64(len(run)), s.to-pos)
	if s.from += n; s.from == s.to {
		m.spans = slices.Delete(m.spans, 0, 1)
		m.skips.Store(len(m.spans) > 0)
	}
	m.advance(int(n))
	return nil
}

// advance moves the cursor over n bytes of the run that next returned.
func (m *Member) advance(n int) {
	m.off += int64(n)
	m.pos.Add(int64(n))
}
