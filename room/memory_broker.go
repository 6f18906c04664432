package room

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"
)

// NewMemoryBroker returns a Broker that lives in this process. Several servers
// of one process may share it.
func NewMemoryBroker() Broker {
	return &memoryBroker{logs: make(map[string]*memoryLog)}
}

type memoryBroker struct {
	mu   sync.RWMutex // protects logs; taken before a log's own
	logs map[string]*memoryLog
}

// memoryLog is one room. Its lock is what makes the room's order: it is held
// while the subscribers are called.
type memoryLog struct {
	mu          sync.Mutex // protects everything below
	dropped     bool       // no longer in the broker's map
	epoch       string
	last        uint64
	entries     []Message // consecutive offsets, the newest being last
	keep        Retention
	receipts    map[sender]Receipt
	order       []sender // the keys of receipts, oldest first
	subscribers []*subscriber
}

type sender struct{ user, id string }

type subscriber struct{ deliver func(Message) }

const (
	// dedupWindow is how long a message's ID is remembered, and maxReceipts
	// how many of them in a room.
	dedupWindow = 10 * time.Minute
	maxReceipts = 10_000
	// sweepSome is how many other rooms are looked at when one is made, so
	// that what has expired goes without a goroutine to remove it.
	sweepSome = 3
)

// lock returns the room's log, made when it is not there, with its lock held.
func (b *memoryBroker) lock(room string) *memoryLog {
	for {
		l := b.find(room)
		if l == nil {
			l = b.add(room)
		}
		l.mu.Lock()
		if !l.dropped {
			return l
		}
		l.mu.Unlock()
	}
}

func (b *memoryBroker) add(room string) *memoryLog {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.logs[room]; l != nil {
		return l
	}
	seen := 0
	for name, l := range b.logs { // in random order
		if seen++; seen > sweepSome {
			break
		}
		b.drop(name, l)
	}
	l := &memoryLog{epoch: rand.Text()}
	b.logs[room] = l
	return l
}

// drop forgets a log that holds nothing. The caller holds b.mu.
func (b *memoryBroker) drop(room string, l *memoryLog) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trim(time.Now())
	l.dropIfEmpty(b, room)
}

// dropIfEmpty is drop for who holds both locks.
func (l *memoryLog) dropIfEmpty(b *memoryBroker, room string) {
	if len(l.subscribers)+len(l.entries)+len(l.receipts) == 0 {
		l.dropped = true
		delete(b.logs, room)
	}
}

func (b *memoryBroker) Publish(_ context.Context, m Message, keep Retention) (Receipt, error) {
	m.Position = Position{}
	if keep.Messages == 0 || m.Kind != KindMessage {
		l := b.find(m.Room)
		if l == nil {
			return Receipt{At: m.At}, nil // nobody is there, and nothing is kept
		}
		l.mu.Lock() // one that was dropped meanwhile has no subscribers
		defer l.mu.Unlock()
		return l.deliver(m), nil
	}
	l := b.lock(m.Room)
	defer l.mu.Unlock()
	from := sender{m.From, m.ID}
	if m.ID != "" {
		if r, ok := l.receipts[from]; ok && m.At.Sub(r.At) < dedupWindow {
			r.Duplicate = true
			return r, nil
		}
	}
	l.keep = keep
	l.append(&m)
	if m.ID != "" {
		l.remember(from, Receipt{Position: m.Position, At: m.At})
	}
	l.trim(m.At)
	return l.deliver(m), nil
}

// find returns the room's log, nil when there is none.
func (b *memoryBroker) find(room string) *memoryLog {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.logs[room]
}

// append gives m the next offset. The caller holds mu.
func (l *memoryLog) append(m *Message) {
	l.last++
	m.Position = Position{l.epoch, l.last}
	l.entries = append(l.entries, *m)
}

func (l *memoryLog) deliver(m Message) Receipt {
	for _, s := range l.subscribers {
		s.deliver(m)
	}
	return Receipt{Position: m.Position, At: m.At}
}

func (b *memoryBroker) Amend(_ context.Context, m Message, author string, keep Retention) (Receipt, error) {
	l := b.find(m.Room)
	if l == nil {
		return Receipt{}, ErrNoMessage
	}
	l.mu.Lock() // one that was dropped meanwhile has no entries
	defer l.mu.Unlock()
	l.trim(m.At)
	if len(l.entries) == 0 || m.Target < l.entries[0].Offset || m.Target > l.last {
		return Receipt{}, ErrNoMessage
	}
	target := &l.entries[m.Target-l.entries[0].Offset]
	if target.Kind != KindMessage || target.Redacted || author != "" && target.From != author {
		return Receipt{}, ErrNoMessage
	}
	target.Data, target.Binary = m.Data, false
	if m.Kind == KindRedacted {
		for i := range l.entries { // the message, and what it was edited to
			if e := &l.entries[i]; e == target || e.Kind == KindEdited && e.Target == m.Target {
				e.Data, e.Redacted = nil, true
			}
		}
	}
	l.keep = keep
	l.append(&m)
	l.trim(m.At)
	return l.deliver(m), nil
}

func (l *memoryLog) remember(from sender, r Receipt) {
	if l.receipts == nil {
		l.receipts = make(map[sender]Receipt)
	}
	if _, again := l.receipts[from]; !again {
		l.order = append(l.order, from)
	}
	l.receipts[from] = r
}

// trim drops what is too old or too much. The caller holds mu.
func (l *memoryLog) trim(now time.Time) {
	n, age := 0, l.keep.Age
	if age == 0 {
		age = defaultAge
	}
	for n < len(l.entries) && (len(l.entries)-n > l.keep.Messages || now.Sub(l.entries[n].At) > age) {
		l.entries[n] = Message{}
		n++
	}
	l.entries = l.entries[n:]
	n = 0
	for n < len(l.order) && (len(l.order)-n > maxReceipts || now.Sub(l.receipts[l.order[n]].At) >= dedupWindow) {
		delete(l.receipts, l.order[n])
		n++
	}
	l.order = l.order[n:]
}

func (b *memoryBroker) Subscribe(_ context.Context, room string, deliver func(Message)) (Position, func(), error) {
	l := b.lock(room)
	defer l.mu.Unlock()
	s := &subscriber{deliver: deliver}
	l.subscribers = append(l.subscribers, s)
	return Position{l.epoch, l.last}, func() { b.cancel(room, l, s) }, nil
}

func (b *memoryBroker) cancel(room string, l *memoryLog, s *subscriber) {
	l.mu.Lock()
	if i := slices.Index(l.subscribers, s); i >= 0 {
		l.subscribers = slices.Delete(l.subscribers, i, i+1)
	}
	empty := len(l.subscribers)+len(l.entries)+len(l.receipts) == 0
	l.mu.Unlock()
	if empty {
		b.mu.Lock()
		if b.logs[room] == l {
			b.drop(room, l)
		}
		b.mu.Unlock()
	}
}

func (b *memoryBroker) Replay(_ context.Context, room string, r Range) (Page, error) {
	l := b.find(room)
	if l == nil {
		return Page{}, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trim(time.Now())
	page := Page{Last: Position{l.epoch, l.last}, Follows: r.Since.Epoch == l.epoch && r.Since.Offset <= l.last}
	if page.Follows {
		r.After = max(r.After, r.Since.Offset)
	}
	if len(l.entries) == 0 {
		return page, nil
	}
	page.First = l.entries[0].Offset
	from, to := 0, len(l.entries)
	if r.After >= page.First {
		from = int(min(r.After-page.First+1, uint64(to)))
	}
	if r.Before != 0 {
		if r.Before <= page.First {
			to = 0
		} else {
			to = int(min(r.Before-page.First, uint64(to)))
		}
	}
	if from >= to {
		return page, nil
	}
	if to-from > r.Limit {
		page.More = true
		if r.Newest {
			from = to - r.Limit
		} else {
			to = from + r.Limit
		}
	}
	n := fitting(l.entries[from:to], r)
	page.More = page.More || n < to-from
	if r.Newest {
		from = to - n
	}
	page.Messages = slices.Clone(l.entries[from : from+n])
	return page, nil
}

// memoryPage is how many bytes of messages a page has, but for the last one.
const memoryPage = 8 << 20

// fitting is how many messages of a list are on a page, from the side where the
// range begins.
func fitting(list []Message, r Range) (n int) {
	left := memoryPage
	if r.Bytes > 0 {
		left = min(left, r.Bytes)
	}
	for n < len(list) && left > 0 {
		m := &list[n]
		if r.Newest {
			m = &list[len(list)-1-n]
		}
		left -= len(m.Data) + len(m.From) + len(m.Event) + len(m.ID)
		n++
	}
	return n
}

func (b *memoryBroker) Forget(_ context.Context, room string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.logs[room]
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries, l.receipts, l.order = nil, nil, nil
	l.epoch, l.last = rand.Text(), 0
	l.dropIfEmpty(b, room)
	return nil
}
