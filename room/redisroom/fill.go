package redisroom

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/room"
)

// fills are the feeds that have to ask Redis for what they missed. A few
// goroutines do it for all, so that after an outage Redis is asked for some
// rooms at a time.
type fills struct {
	b    *Broker
	wake chan struct{} // holds one while there is something in queue

	mu    sync.Mutex // protects queue
	queue []*feed
}

const (
	fillers     = 8
	fillBytes   = "1048576"
	fillAgain   = 50 * time.Millisecond
	fillTimeout = 2 * time.Second
	maxRoots    = 8
	maxMarks    = 4
)

func (q *fills) start(b *Broker) {
	q.b, q.wake = b, make(chan struct{}, 1)
	for range fillers {
		b.wg.Go(q.run)
	}
}

func (q *fills) add(f *feed) {
	q.mu.Lock()
	q.queue = append(q.queue, f)
	q.mu.Unlock()
	q.signal()
}

func (q *fills) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *fills) take() *feed {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.queue) == 0 {
		return nil
	}
	f := q.queue[0]
	q.queue[0] = nil
	q.queue = q.queue[1:]
	if len(q.queue) > 0 {
		q.signal()
	}
	return f
}

func (q *fills) run() {
	for {
		f := q.take()
		if f == nil {
			select {
			case <-q.b.ctx.Done():
				return
			case <-q.wake:
			}
			continue
		}
		if q.b.feedOf(f.keys.channel) != f {
			f.abandon()
			continue
		}
		if !f.fillOnce() {
			if !q.b.sleep(fillAgain) {
				return
			}
			q.add(f)
		}
	}
}

// abandon ends the filling of a feed that nobody listens to any more.
func (f *feed) abandon() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state == filling {
		f.state = live
		close(f.settled)
	}
}

// outcome says how what is missing relates to what the feed has; see
// lua/fill.lua.
type outcome uint8

const (
	unrelated outcome = iota
	follows
	partly
)

// missing is what Redis answers.
type missing struct {
	place
	before  place // where the list begins
	outcome outcome
	more    bool
	list    []entry // of log and tail, in the order of their sequence numbers
}

// fillOnce asks for what is missing, and again while there is more. It says
// whether the feed is live again.
func (f *feed) fillOnce() bool {
	for {
		gen, seq := f.ask()
		m, ok := f.after(gen, seq)
		for _, old := range f.forks(m) {
			if !ok {
				break
			}
			var since missing
			if since, ok = f.after(old.gen, strconv.FormatUint(old.seq, 10)); since.outcome != unrelated {
				m, m.outcome = since, partly // what came after the mark is lost
				break
			}
		}
		if !ok {
			return false
		}
		if f.apply(m) {
			f.slow = false
			return true
		}
	}
}

// after asks what a room has that comes after a place, and says whether it was
// told.
func (f *feed) after(gen, seq string) (missing, bool) {
	ctx, cancel := context.WithTimeout(f.b.ctx, fillTimeout)
	defer cancel()
	args := f.b.args(nil, 1)
	args[2], args[3] = gen, seq
	run := f.b.run
	if f.slow {
		run = f.b.runAlone
	}
	reply, err := run(ctx, f.keys, fillScript, append(args, fillBytes))
	if errors.Is(err, context.DeadlineExceeded) {
		f.slow = !f.slow
	}
	if err != nil {
		return missing{}, false
	}
	m, err := decodeMissing(reply)
	if err != nil {
		f.b.unreadable(f.keys.room, err)
	}
	return m, err == nil
}

// forks are the places, the last first, at which the state that Redis has now
// may have parted from the one that the feed has followed. A primary that was
// back before it was told that it is none any more has gone on from one of them,
// and its successor too.
func (f *feed) forks(m missing) []mark {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m.outcome != unrelated || !slices.Contains(f.roots, m.root) {
		return nil
	}
	list := slices.Clone(f.marks)
	slices.Reverse(list)
	return list
}

// leave notes how far the feed has the generation, and begins another. The caller
// holds mu.
func (f *feed) leave(gen string) {
	if f.gen != gen {
		f.marks = append(f.marks, mark{f.gen, f.seq})
		f.marks = f.marks[max(0, len(f.marks)-maxMarks):]
	}
	f.gen = gen
}

// ask is known for who is about to ask Redis what is missing.
func (f *feed) ask() (gen, seq string) {
	f.mu.Lock()
	f.asked = len(f.pending)
	f.mu.Unlock()
	return f.known()
}

// apply delivers what was missing and says whether that was all.
func (f *feed) apply(m missing) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.handedAll()
	if m.outcome == unrelated && slices.Contains(f.roots, m.root) {
		// An older state has come back, and how much of it the feed has had
		// already cannot be said.
		m.before, m.list, m.more = m.place, nil, false
	}
	stored := m.stored()
	f.leave(m.gen)
	switch {
	case m.outcome != follows:
		f.seq = m.before.seq
		f.reach(f.behind(f.seq, stored[0]))
		if !slices.Contains(f.roots, m.root) {
			f.roots = append(f.roots, m.root)
			f.roots = f.roots[max(0, len(f.roots)-maxRoots):]
		}
		for _, s := range f.subs {
			s.after = 0
		}
		f.lose()
	case f.at.Epoch != m.at.Epoch:
		// Less than the feed has when the log was forgotten.
		f.renew(room.Position{Epoch: m.at.Epoch, Offset: min(f.at.Offset, m.before.at.Offset)})
	}
	for i, e := range m.list {
		if e.seq <= f.seq {
			continue
		}
		f.bridge(e.seq-1, stored[i])
		f.advance(e)
	}
	if m.more {
		return false
	}
	f.bridge(m.seq, stored[len(m.list)])
	// What had come before Redis was asked has been delivered by now, or has no
	// place here: it is of a generation that is over, or of somebody else.
	clear(f.pending[:f.asked])
	f.pending, f.asked = f.pending[f.asked:], 0
	f.state = live
	close(f.settled)
	f.resume()
	return true
}

// stored returns for each of the list, and for what comes after it, the first from
// there on that is stored. One that is not there yet is the next of the log.
func (m *missing) stored() []entry {
	next := entry{seq: m.seq + 1}
	next.Position = room.Position{Epoch: m.at.Epoch, Offset: m.at.Offset + 1}
	list := make([]entry, len(m.list)+1)
	for i := len(m.list); i >= 0; i-- {
		if i < len(m.list) && m.list[i].Offset != 0 {
			next = m.list[i]
		}
		list[i] = next
	}
	return list
}

// bridge goes on to a sequence number, though Redis does not have what comes
// before it any more, with what came through the channel meanwhile, and skips
// the rest. stored is the first after it that is stored and that Redis has. The
// caller holds mu.
func (f *feed) bridge(seq uint64, stored entry) {
	for i := 0; i < len(f.pending) && f.seq < seq; i++ {
		if fr := f.pending[i]; fr.gen == f.gen && fr.seq > f.seq && fr.seq <= seq {
			f.skip(fr.seq-1, stored)
			f.advance(fr.entry)
		}
	}
	f.skip(seq, stored)
}

// skip goes on behind messages that nobody has any more, if there are any. The
// caller holds mu.
func (f *feed) skip(seq uint64, stored entry) {
	if f.seq >= seq {
		return
	}
	f.seq = seq
	f.reach(f.behind(seq, stored))
	f.lose()
}

// behind is where the log is at a sequence number. That is known from the first
// after it that is stored: the one that is given, or one that came through the
// channel. The caller holds mu.
func (f *feed) behind(seq uint64, stored entry) room.Position {
	for i := range f.pending {
		if fr := &f.pending[i]; fr.gen == f.gen && fr.Offset != 0 && fr.seq > seq && fr.seq < stored.seq {
			stored = fr.entry
		}
	}
	return room.Position{Epoch: stored.Epoch, Offset: stored.Offset - 1}
}

func decodePlace(reply []rueidis.RedisMessage) (p place, err error) {
	if len(reply) < 5 {
		return p, errEntry
	}
	if p.gen, err = reply[0].ToString(); err != nil {
		return p, err
	}
	if p.seq, err = reply[1].AsUint64(); err != nil {
		return p, err
	}
	if p.at.Epoch, err = reply[2].ToString(); err != nil {
		return p, err
	}
	if p.at.Offset, err = reply[3].AsUint64(); err != nil {
		return p, err
	}
	p.root, err = reply[4].ToString()
	return p, err
}

func decodeMissing(reply []rueidis.RedisMessage) (m missing, err error) {
	if len(reply) != 12 {
		return m, errEntry
	}
	if m.place, err = decodePlace(reply); err != nil {
		return m, err
	}
	var numbers [5]uint64
	for i := range numbers {
		if numbers[i], err = reply[5+i].AsUint64(); err != nil {
			return m, err
		}
	}
	m.before = m.place
	m.before.seq, m.before.at.Offset = numbers[0], numbers[1]
	m.outcome, m.more = outcome(numbers[2]), numbers[3] == 1
	first := numbers[4]
	stored, err := decodeEntries(reply[10])
	if err != nil {
		return m, err
	}
	rest, err := decodeEntries(reply[11])
	if err != nil {
		return m, err
	}
	for i := range stored {
		stored[i].Position = room.Position{Epoch: m.at.Epoch, Offset: first + uint64(i)}
	}
	m.list = make([]entry, 0, len(stored)+len(rest))
	for len(stored) > 0 || len(rest) > 0 {
		from := &stored
		if len(stored) == 0 || len(rest) > 0 && rest[0].seq < stored[0].seq {
			from = &rest
		}
		m.list = append(m.list, (*from)[0])
		*from = (*from)[1:]
	}
	return m, nil
}
