package transport

import "sync/atomic"

// Member is a connection's cursor into a room's log. A cursor always stands at
// the start of a frame.
type Member struct {
	conn *Conn
	log  *Log

	// pos is the cursor's position in bytes. Conn.mu protects moving it.
	pos atomic.Int64
	// chunk and off are the same position in memory, valid while gen is the
	// log's. Conn.mu protects them.
	chunk *chunk
	off   int64
	gen   uint64

	gone  atomic.Bool // detached: whoever owns it drops it
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
	m := &Member{conn: c, log: l, slot: awake, index: len(l.members), gen: l.gen}
	m.pos.Store(l.head.Load())
	if l.tail != nil {
		m.chunk, m.off = l.tail, l.tail.n.Load()
	}
	l.members = append(l.members, m)
	return m
}

// Release ends the wait that began with Attach.
func (m *Member) Release() {
	m.log.finish(m.log.sleep([]*Member{m}, nil))
}

// Detach removes the member from its log; nothing more of the log is written
// to its connection. With drain, frames already appended are still sent.
func (m *Member) Detach(drain bool) {
	c, l := m.conn, m.log
	c.mu.Lock()
	if drain {
		c.takeRest(m)
	}
	m.gone.Store(true)
	l.mu.Lock()
	l.remove(m)
	l.mu.Unlock()
	c.mu.Unlock()
	if drain {
		c.Flush()
	}
}

func (l *Log) remove(m *Member) {
	if m.index < 0 {
		return
	}
	last := len(l.members) - 1
	l.members[m.index] = l.members[last]
	l.members[m.index].index = m.index
	l.members[last] = nil
	l.members = l.members[:last]
	m.index = -1
	if m.slot >= 0 {
		last = len(l.asleep) - 1
		l.asleep[m.slot] = l.asleep[last]
		l.asleep[m.slot].slot = m.slot
		l.asleep[last] = nil
		l.asleep = l.asleep[:last]
		m.slot = awake
	}
	l.rewind()
}

// next returns the bytes at the cursor that lie together in memory, up to the
// head, and nil when there are none. The caller holds Conn.mu and owns m.
func (m *Member) next() []byte {
	l := m.log
	for {
		pos := m.pos.Load()
		head := l.head.Load()
		if pos == head || m.gone.Load() {
			return nil
		}
		// While a member is awake nobody rewinds, and first was set before
		// the head moved.
		if m.chunk == nil || m.gen != l.gen {
			m.chunk, m.off, m.gen = l.first, 0, l.gen
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
}

// skip cuts run before the first span to be left out, or moves the cursor over
// the span when it starts right there.
func (m *Member) skip(pos int64, run []byte) []byte {
	m.log.mu.Lock()
	defer m.log.mu.Unlock()
	for len(m.spans) > 0 && m.spans[0].to <= pos {
		m.spans = m.spans[1:]
	}
	if len(m.spans) == 0 {
		m.skips.Store(false)
		return run
	}
	s := m.spans[0]
	if s.from <= pos {
		m.advance(int(s.to - pos))
		return nil
	}
	return run[:min(int64(len(run)), s.from-pos)]
}

// advance moves the cursor over n bytes of the run that next returned.
func (m *Member) advance(n int) {
	m.off += int64(n)
	m.pos.Add(int64(n))
}
