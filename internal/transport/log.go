package transport

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Log is the run of encoded frames of one room in one encoding.
//
// Append must be called by one goroutine at a time, in the room's order; all
// else is safe for concurrent use.
type Log struct {
	maxLag int64
	owner  *sync.WaitGroup

	// head is the position after the last frame: the number of bytes ever
	// appended. It is written under mu and read without.
	head atomic.Int64
	// holds counts batches that promised to flush this log.
	holds atomic.Int32

	// mu protects everything below.
	mu      sync.Mutex
	first   *chunk // the first chunk since everyone slept last
	tail    *chunk // nil while everyone sleeps
	gen     uint64 // counts how often everyone slept
	members []*Member
	asleep  []*Member
	spare   []*Member // asleep's other half, so that taking all allocates nothing
	late    []*Member // found too far behind, to be closed at the next flush
}

// NewLog returns an empty log. A member more than maxLag bytes behind is a slow
// consumer. Goroutines that the log starts are counted in owner.
func NewLog(maxLag int64, owner *sync.WaitGroup) *Log {
	return &Log{maxLag: maxLag, owner: owner}
}

// Append adds a frame at the head. The bytes are copied. The members named in
// skip, which may contain nil and members of other logs, do not get it.
//
// Nothing is written to a socket: call [Log.Flush], or hold the log in a
// [Batch].
func (l *Log) Append(f Frame, skip *Member) {
	size := f.size()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.members) == 0 {
		return
	}
	if l.tail == nil {
		l.tail = newChunk(size)
		l.first = l.tail
	} else if l.tail.room() < size {
		next := newChunk(size)
		l.tail.next.Store(next)
		l.tail = next
		l.findLate()
	}
	start := l.head.Load()
	if skip != nil && skip.log == l && !skip.gone.Load() {
		skip.spans = append(skip.spans, span{start, start + int64(size)})
		skip.skips.Store(true)
	}
	n := l.tail.n.Load()
	f.append(l.tail.buf[n:n])
	l.tail.n.Store(n + int64(size))
	l.head.Store(start + int64(size))
}

// findLate looks for slow consumers. Once a chunk is often enough: a chunk is
// far smaller than the lag that is allowed.
func (l *Log) findLate() {
	head := l.head.Load()
	for _, m := range l.members {
		if m.slot < 0 && head-m.pos.Load() > l.maxLag && !m.late {
			m.late = true
			l.late = append(l.late, m)
		}
	}
}

// Len is the number of members.
func (l *Log) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.members)
}

// Flush writes to every member what it lacks, as far as the sockets take it
// without waiting. A member that another goroutine is already writing to is
// left to that goroutine, which will see the new head.
func (l *Log) Flush() {
	list, late := l.takeAsleep()
	for _, m := range late {
		if !m.gone.Load() {
			m.conn.Close(CloseSlowConsumer, "too far behind")
		}
	}
	if len(list) == 0 {
		return
	}
	if l.finish(l.flushAll(list)) {
		l.giveBack(list)
	}
}

// finish visits members until they have everything and reports whether they
// do. Whoever published must get back to reading soon, so what other
// publishers keep adding is soon left to a goroutine.
func (l *Log) finish(rest []*Member) bool {
	for range inlinePasses {
		if len(rest) == 0 {
			return true
		}
		rest = l.flush(rest)
	}
	if len(rest) == 0 {
		return true
	}
	l.owner.Go(func() {
		for len(rest) > 0 {
			rest = l.flush(rest)
			runtime.Gosched()
		}
	})
	return false
}

const (
	inlinePasses = 4
	// flushersAbove is the number of members from which a flush is split
	// over processors; below it starting goroutines costs more than it saves.
	flushersAbove = 512
	// sleepGroup is how many members fall asleep under one lock, and after
	// how many writes other goroutines get a turn.
	sleepGroup = 64
)

// flushAll is flush, split over the processors when the list is long.
func (l *Log) flushAll(list []*Member) (rest []*Member) {
	parts := runtime.GOMAXPROCS(0)
	if len(list) < flushersAbove || parts == 1 {
		return l.flush(list)
	}
	rests := make([][]*Member, parts)
	var wg sync.WaitGroup
	for i := range parts {
		part := list[len(list)*i/parts : len(list)*(i+1)/parts]
		if i == parts-1 {
			rests[i] = l.flush(part)
			break
		}
		wg.Go(func() { rests[i] = l.flush(part) })
	}
	wg.Wait()
	for _, r := range rests {
		rest = append(rest, r...)
	}
	return rest
}

// flush visits every member of the list once and returns, in the list's own
// memory, those that are still behind.
func (l *Log) flush(list []*Member) (rest []*Member) {
	rest = list[:0]
	var group [sleepGroup]*Member
	done := group[:0]
	for _, m := range list {
		switch m.conn.flushMember(m) {
		case caughtUp:
			if done = append(done, m); len(done) == sleepGroup {
				rest = l.sleep(done, rest)
				done = group[:0]
				runtime.Gosched()
			}
		case behind:
			rest = append(rest, m)
		case handedOver:
		}
	}
	return l.sleep(done, rest)
}

// takeAsleep wakes every sleeper: the caller now owns them.
func (l *Log) takeAsleep() (list, late []*Member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	late, l.late = l.late, nil
	if l.tail == nil || len(l.asleep) == 0 {
		return nil, late
	}
	list = l.asleep
	for _, m := range list {
		m.slot = awake
	}
	l.asleep, l.spare = l.spare[:0], nil
	return list, late
}

func (l *Log) giveBack(list []*Member) {
	clear(list)
	l.mu.Lock()
	if cap(list) > cap(l.spare) {
		l.spare = list[:0]
	}
	l.mu.Unlock()
}

// sleep puts those of done to sleep that still have everything, and appends
// the others to rest.
func (l *Log) sleep(done, rest []*Member) []*Member {
	if len(done) == 0 {
		return rest
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	head := l.head.Load()
	for _, m := range done {
		switch {
		case m.gone.Load():
		case m.pos.Load() == head:
			l.lull(m)
		default:
			rest = append(rest, m)
		}
	}
	l.rewind()
	return rest
}

func (l *Log) lull(m *Member) {
	m.slot = len(l.asleep)
	m.late = false
	if len(m.spans) > 0 { // all of them lie behind
		m.spans = nil
		m.skips.Store(false)
	}
	l.asleep = append(l.asleep, m)
}

// rewind gives the chunks back once everyone sleeps: nobody points into them
// then that will not start from first after waking.
func (l *Log) rewind() {
	if l.tail == nil || len(l.asleep) < len(l.members) {
		return
	}
	if l.first == l.tail {
		l.tail.release() // of a longer run the collector takes care
	}
	l.first, l.tail = nil, nil
	l.gen++
}
