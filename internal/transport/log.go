package transport

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
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
	// reminded says that somebody will call Overdue.
	reminded atomic.Bool
	flushes  atomic.Uint32 // so far
	// wakes counts calls of Wake that the one which is flushing has not seen.
	wakes atomic.Int32

	// mu protects everything below.
	mu      sync.Mutex
	tail    *chunk // nil while nobody lacks anything
	first   *chunk // where the first of those asleep will go on; nil like tail
	owed    bool   // those asleep lack something: a flush is due
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

// Append adds a frame at the head. The bytes are copied. The members in skip do
// not get it; some may be nil, there twice, or members of another log.
//
// Nothing is written to a socket: call [Log.Flush], or hold the log in a
// [Batch].
func (l *Log) Append(f Frame, skip ...*Member) {
	size := f.size()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.members) == 0 {
		return
	}
	if l.tail == nil {
		l.begin(size)
	} else if l.tail.room() < size {
		next := newChunk(size, l.head.Load())
		l.tail.next.Store(next)
		l.tail = next
		l.findLate()
	}
	start := l.head.Load()
	for _, m := range skip {
		if m != nil && m.log == l && !m.gone {
			if n := len(m.spans); n > 0 && m.spans[n-1].to > start {
				continue // it is named twice, or has been stopped
			}
			m.spans = append(m.spans, span{start, start + int64(size)})
			m.skips.Store(true)
		}
	}
	n := l.tail.n.Load()
	f.append(l.tail.buf[n:n])
	l.tail.n.Store(n + int64(size))
	l.head.Store(start + int64(size))
	if len(l.asleep) > 0 {
		l.owed = true
	}
}

// begin makes the first chunk after nobody lacked anything.
func (l *Log) begin(size int) {
	l.tail = newChunk(size, l.head.Load())
	if len(l.asleep) > 0 {
		l.first = l.tail
	}
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
	l.flushes.Add(1)
	list, late := l.takeAsleep()
	for _, m := range late {
		m.conn.Close(CloseSlowConsumer, tooFarBehind)
		m.Detach(false)
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
	if len(rest) > 0 {
		l.finishLater(rest)
		return false
	}
	return true
}

// finishLater is apart from finish because starting a goroutine allocates, and
// what it captures already when it is not started.
func (l *Log) finishLater(rest []*Member) {
	l.owner.Go(func() {
		for len(rest) > 0 {
			rest = l.flush(rest)
			runtime.Gosched()
		}
	})
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
	var since time.Time
	if len(list) > sleepGroup {
		since = time.Now()
	}
	for _, m := range list {
		switch m.conn.flushMember(m) {
		case caughtUp:
			if done = append(done, m); len(done) == sleepGroup {
				rest = l.sleep(done, rest)
				done = group[:0]
				since = lungs().take(since)
			}
		case behind:
			rest = append(rest, m)
		case handedOver:
		}
	}
	return l.sleep(done, rest)
}

// takeAsleep wakes every sleeper if there is something for them: the caller
// now owns them.
func (l *Log) takeAsleep() (list, late []*Member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	late, l.late = l.late, nil
	if !l.owed {
		return nil, late
	}
	list = l.asleep
	for _, m := range list {
		l.wake(m)
	}
	l.asleep, l.spare = l.spare[:0], nil
	l.first, l.owed = nil, false
	return list, late
}

// wake shows a sleeper its place in memory. The caller holds mu and takes it
// out of asleep.
func (l *Log) wake(m *Member) {
	m.slot = awake
	m.chunk, m.off = l.first.find(m.pos.Load())
}

// rouse wakes one member and reports whether it may lack something. The caller
// holds Conn.mu and detaches the member next.
func (l *Log) rouse(m *Member) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case m.slot == awake:
		return true
	case !l.owed:
		return false
	}
	l.lift(m)
	return true
}

// lift takes one member out of asleep.
func (l *Log) lift(m *Member) {
	last := len(l.asleep) - 1
	l.asleep[m.slot] = l.asleep[last]
	l.asleep[m.slot].slot = m.slot
	l.asleep[last] = nil
	l.asleep = l.asleep[:last]
	if l.owed {
		l.wake(m)
	}
	m.slot = awake
	if last == 0 {
		l.first, l.owed = nil, false
	}
}

// remove forgets a member that has gone.
func (l *Log) remove(m *Member) {
	if m.slot != awake {
		l.lift(m)
	}
	last := len(l.members) - 1
	l.members[m.index] = l.members[last]
	l.members[m.index].index = m.index
	l.members[last] = nil
	l.members = l.members[:last]
	l.rewind()
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
		case m.gone:
		case m.pos.Load() == head:
			l.lull(m)
		default:
			rest = append(rest, m)
		}
	}
	l.rewind()
	return rest
}

// lull puts a member to sleep. A sleeper knows its position but holds no chunk,
// or it would keep all that follow.
func (l *Log) lull(m *Member) {
	m.slot = len(l.asleep)
	m.chunk = nil
	if l.asleep = append(l.asleep, m); l.first == nil {
		l.first = l.tail
	}
}

// rewind gives the last chunk back once everyone sleeps and lacks nothing;
// those before it are garbage.
func (l *Log) rewind() {
	if l.tail == nil || l.owed || len(l.asleep) < len(l.members) {
		return
	}
	l.tail.release()
	l.first, l.tail = nil, nil
}
