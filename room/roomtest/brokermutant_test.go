package roomtest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wardroom/wardroom/room"
)

// mutantBroker is a broker as the contract has it, with one bug.
type mutantBroker struct {
	bug string
	// deliverMu is held while delivering, by who needs no longer hold mu.
	deliverMu sync.Mutex
	mu        sync.Mutex // protects what follows
	logs      map[string]*mutantLog
	published int
	epochs    int
}

type mutantLog struct {
	epoch       string
	former      string // the epoch before the last Forget
	last        uint64
	entries     []room.Message
	unflushed   []room.Message
	keep        room.Retention
	receipts    map[string]room.Receipt
	order       []string
	subscribers []*mutantSubscriber
}

type mutantSubscriber struct{ deliver func(room.Message) }

func newMutantBroker(bug string) *mutantBroker {
	return &mutantBroker{bug: bug, logs: make(map[string]*mutantLog)}
}

func (b *mutantBroker) has(bug string) bool { return b.bug == bug }

// apart lets others in between two steps that belong together.
func (b *mutantBroker) apart(bug string) {
	if b.has(bug) {
		b.mu.Unlock()
		for range 20 {
			runtime.Gosched()
		}
		b.mu.Lock()
	}
}

func (b *mutantBroker) epoch() string {
	b.epochs++
	return fmt.Sprint("epoch", b.epochs)
}

func (b *mutantBroker) log(name string) *mutantLog {
	switch {
	case b.has("rooms in lower case"):
		name = strings.ToLower(name)
	case b.has("long rooms are cut"):
		name = name[:min(len(name), 63)]
	}
	l := b.logs[name]
	if l == nil {
		l = &mutantLog{epoch: b.epoch(), receipts: make(map[string]room.Receipt)}
		b.logs[name] = l
	}
	return l
}

// trim drops what is too much or too old by now.
func (b *mutantBroker) trim(l *mutantLog) {
	most, age := l.keep.Messages, l.keep.Age
	switch {
	case b.has("keeps everything"):
		return
	case b.has("keeps one more"):
		most++
	case b.has("keeps one fewer"):
		most--
	case b.has("keeps for ever"):
		age = 1000 * time.Hour
	case b.has("an age of zero is none"):
	case b.has("an age of zero is for ever") && age == 0:
		age = 1000 * time.Hour
	case age == 0:
		age = 24 * time.Hour
	}
	l.entries = l.entries[max(0, len(l.entries)-max(0, most)):]
	if b.has("the newest decides the age") && len(l.entries) > 0 && time.Since(l.entries[len(l.entries)-1].At) <= age {
		return
	}
	for len(l.entries) > 0 && (time.Since(l.entries[0].At) > age || b.has("ends too early") && time.Since(l.entries[0].At) == age) {
		l.entries = l.entries[1:]
	}
	if len(l.entries) == 0 && b.has("counts anew when all is gone") {
		l.last = 0
	}
}

// setKeep is for what stored something.
func (b *mutantBroker) setKeep(l *mutantLog, keep room.Retention) {
	switch {
	case b.has("the first retention stays") && l.keep.Messages != 0,
		b.has("the largest retention stays") && l.keep.Messages > keep.Messages:
		return
	}
	l.keep = keep
}

func (b *mutantBroker) append(l *mutantLog, m *room.Message) {
	l.last++
	if b.has("skips offsets") && l.last%10 == 0 {
		l.last++
	}
	m.Position = room.Position{Epoch: l.epoch, Offset: l.last}
	if b.has("an epoch each") {
		m.Epoch = b.epoch()
	}
	l.entries = append(l.entries, *m)
	b.trim(l)
}

// key is under which an ID is remembered.
func (b *mutantBroker) key(m room.Message) string {
	switch {
	case b.has("IDs are the room's"):
		return m.ID
	case b.has("keys run together"):
		return m.From + m.ID
	case b.has("keys run together with a colon"):
		return m.From + ":" + m.ID
	case b.has("IDs in lower case"):
		return m.From + "\x00" + strings.ToLower(m.ID)
	case b.has("IDs are trimmed"):
		return m.From + "\x00" + strings.TrimSpace(m.ID)
	case b.has("IDs are of the data"):
		return m.From + "\x00" + m.ID + string(m.Data)
	}
	return m.From + "\x00" + m.ID
}

// seen finds the receipt of the first with an ID.
func (b *mutantBroker) seen(l *mutantLog, m room.Message) (room.Receipt, bool) {
	r, ok := l.receipts[b.key(m)]
	switch {
	case b.has("no dedup"), m.ID == "" && !b.has("the empty ID is one"),
		b.has("remembers a minute") && m.At.Sub(r.At) > time.Minute,
		b.has("remembers what is in the log") && (len(l.entries) == 0 || l.entries[0].Offset > r.Offset):
		return room.Receipt{}, false
	}
	return r, ok
}

func (b *mutantBroker) remember(l *mutantLog, m room.Message) {
	key := b.key(m)
	l.receipts[key] = room.Receipt{Position: m.Position, At: m.At}
	if b.has("remembers 100") {
		if l.order = append(l.order, key); len(l.order) > 100 {
			delete(l.receipts, l.order[0])
			l.order = l.order[1:]
		}
	}
}

func (b *mutantBroker) Publish(ctx context.Context, m room.Message, keep room.Retention) (room.Receipt, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.log(m.Room)
	ids := l
	if b.has("IDs are everyone's") {
		ids = b.log("")
	}
	b.flush(l)
	if !b.has("believes positions") || m.Offset == 0 {
		m.Position = room.Position{}
	}
	store := m.Kind == room.KindMessage && keep.Messages > 0
	switch {
	case b.has("joins are stored") && m.Kind == room.KindJoined && keep.Messages > 0,
		b.has("everything is stored"):
		store = true
	case b.has("an age is enough") && keep.Age > 0 && m.Kind == room.KindMessage:
		store = true
	case b.has("what is not stored takes an offset") && !store:
		l.last++
	case b.has("what is not stored sets the retention") && !store && m.Kind == room.KindMessage:
		l.keep = keep
		b.trim(l)
	case b.has("duplicates set the retention") && store:
		l.keep = keep
	case b.has("what is not stored is remembered") && !store && m.ID != "":
		b.remember(ids, m)
	}
	if (store || b.has("what is not stored is a duplicate")) && m.Offset == 0 {
		if r, ok := b.seen(ids, m); ok {
			r.Duplicate = !b.has("duplicates are not marked")
			if b.has("duplicates have a time of their own") {
				r.At = m.At
			}
			if b.has("duplicates are delivered") {
				m.Position = r.Position
				b.deliver(l, m)
			}
			return r, nil
		}
	}
	if store && m.Offset == 0 {
		b.apart("looks and stores apart")
		b.setKeep(l, keep)
		if b.has("stores later") {
			l.last++
			m.Position = room.Position{Epoch: l.epoch, Offset: l.last}
			l.unflushed = append(l.unflushed, m)
		} else {
			b.append(l, &m)
		}
		if m.ID != "" || b.has("the empty ID is one") {
			b.remember(ids, m)
		}
	}
	receipt := room.Receipt{Position: m.Position, At: m.At}
	switch {
	case b.has("receipts are one behind") && receipt.Offset > 1:
		receipt.Offset--
	case b.has("drops what has no listener in time") && ctx.Err() != nil:
		return receipt, nil
	}
	b.deliver(l, m)
	return receipt, nil
}

// flush stores what Publish put off.
func (b *mutantBroker) flush(l *mutantLog) {
	l.entries = append(l.entries, l.unflushed...)
	l.unflushed = nil
	b.trim(l)
}

func (b *mutantBroker) deliver(l *mutantLog, m room.Message) {
	b.published++
	switch {
	case b.has("loses names"):
		m.Name = ""
	case b.has("loses ends"):
		m.Until = time.Time{}
	case b.has("loses reasons"):
		m.Reason = ""
	case b.has("loses sessions"):
		m.Session = ""
	case b.has("loses acts"):
		m.Act = ""
	case b.has("loses who it is not for"):
		m.Except = ""
	case b.has("delivers without a position"):
		m.Position = room.Position{}
	case b.has("loses one in a hundred") && b.published%100 == 0:
		return
	case b.has("data is text"):
		m.Data = []byte(strings.ToValidUTF8(string(m.Data), "?"))
	}
	list := slices.Clone(l.subscribers)
	switch {
	case b.has("one subscriber each") && len(list) > 1:
		list = list[:1]
	case b.has("delivers twice") && b.published%7 == 0:
		list = append(list, list...)
	case b.has("prefixes hear too"):
		if prefix, _, ok := strings.Cut(m.Room, ":"); ok && b.logs[prefix] != nil {
			list = append(list, b.logs[prefix].subscribers...)
		}
	}
	switch {
	case b.has("what is stored is delivered on the side") && m.Offset != 0:
		go func() {
			b.deliverMu.Lock()
			defer b.deliverMu.Unlock()
			each(list, m)
		}()
	case b.has("delivers apart"):
		for _, s := range list {
			b.apart(b.bug)
			b.deliverMu.Lock()
			s.deliver(m)
			b.deliverMu.Unlock()
		}
	case b.has("delivers at once"):
		b.mu.Unlock()
		each(list, m)
		b.mu.Lock()
	case b.has("cancel does not wait"):
		b.mu.Unlock()
		b.deliverMu.Lock()
		each(list, m)
		b.deliverMu.Unlock()
		b.mu.Lock()
	default:
		each(list, m)
	}
}

func each(list []*mutantSubscriber, m room.Message) {
	for _, s := range list {
		s.deliver(m)
	}
}

func (b *mutantBroker) Amend(ctx context.Context, m room.Message, author string, keep room.Retention) (room.Receipt, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.log(m.Room)
	if b.has("failed amendments count") {
		l.last++
	}
	b.flush(l)
	i := slices.IndexFunc(l.entries, func(e room.Message) bool { return e.Offset == m.Target })
	if b.has("a context that is done is no message") && ctx.Err() != nil || i < 0 {
		return room.Receipt{}, room.ErrNoMessage
	}
	target := &l.entries[i]
	switch {
	case target.Kind != room.KindMessage && !b.has("amends amendments"),
		target.Redacted && !b.has("what is redacted can be edited"):
		return room.Receipt{}, room.ErrNoMessage
	case author != "" && author != target.From && !b.has("authors are not asked") &&
		!(b.has("authors by prefix") && strings.HasPrefix(target.From, author)) &&
		!(b.has("the host's are anyone's") && target.From == ""):
		return room.Receipt{}, room.ErrNoMessage
	}
	if b.has("amends apart") {
		b.apart(b.bug)
		if i = slices.IndexFunc(l.entries, func(e room.Message) bool { return e.Offset == m.Target }); i < 0 {
			return room.Receipt{}, room.ErrNoMessage
		}
		target = &l.entries[i]
	}
	b.change(l, target, m)
	switch {
	case b.has("amendments keep the retention"):
	default:
		b.setKeep(l, keep)
	}
	switch {
	case b.has("amendments take no offset"):
		m.Position = room.Position{Epoch: l.epoch, Offset: l.last}
	case b.has("amendments are not stored"):
		l.last++
		m.Position = room.Position{Epoch: l.epoch, Offset: l.last}
	default:
		b.append(l, &m)
	}
	if !b.has("amendments are not delivered") {
		b.deliver(l, m)
	}
	return room.Receipt{Position: m.Position, At: m.At}, nil
}

// change does to a message what m says.
func (b *mutantBroker) change(l *mutantLog, target *room.Message, m room.Message) {
	if m.Kind == room.KindRedacted {
		target.Redacted, target.Binary = true, false
		if !b.has("redacts for show") {
			target.Data = nil
		}
		for i := range l.entries {
			if e := &l.entries[i]; e.Kind == room.KindEdited && e.Target == m.Target && !b.has("edits outlive a redaction") {
				e.Data, e.Redacted = nil, true
			}
		}
		return
	}
	switch {
	case b.has("edits change nothing"):
		return
	case b.has("edits change the sender"):
		target.From = m.From
	case b.has("edits change the time"):
		target.At = m.At
	case b.has("what is edited stays binary"):
		target.Data = m.Data
		return
	case b.has("edits in place"):
		if n := copy(target.Data, m.Data); n == len(m.Data) {
			target.Data = target.Data[:n]
			return
		}
	}
	target.Data, target.Binary = m.Data, false
}

func (b *mutantBroker) Subscribe(ctx context.Context, name string, deliver func(room.Message)) (room.Position, func(), error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.log(name)
	s := &mutantSubscriber{deliver}
	at := room.Position{Epoch: l.epoch, Offset: l.last}
	b.apart("position, then subscription")
	index := len(l.subscribers)
	l.subscribers = append(l.subscribers, s)
	if b.has("subscription, then position") {
		b.apart(b.bug)
		at.Offset = l.last
	}
	switch {
	case b.has("no epoch before the first message") && l.last == 0:
		at = room.Position{}
	case b.has("positions are one behind") && at.Offset > 0:
		at.Offset--
	case b.has("positions are always the start"):
		at.Offset = 0
	}
	remove := func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		i := slices.Index(l.subscribers, s)
		switch {
		case b.has("cancel does nothing"):
			return
		case b.has("cancel is for all"):
			l.subscribers = nil
			return
		case b.has("cancel goes by place"):
			i = min(index, len(l.subscribers)-1)
		}
		if i >= 0 {
			l.subscribers = slices.Delete(l.subscribers, i, i+1)
		}
	}
	if b.has("subscriptions end with the context") {
		context.AfterFunc(ctx, remove)
	}
	return at, remove, nil
}

func (b *mutantBroker) Replay(_ context.Context, name string, r room.Range) (room.Page, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.logs[name] == nil && strings.ToLower(name) == name && len(name) < 63 {
		switch {
		case b.has("nothing is an error"):
			return room.Page{}, room.ErrNoRoom
		case b.has("asking makes a room"):
		default:
			return room.Page{}, nil
		}
	}
	l := b.log(name)
	b.trim(l)
	page := room.Page{Last: room.Position{Epoch: l.epoch, Offset: l.last}}
	list := l.entries
	if len(list) > 0 {
		page.First = list[0].Offset
	}
	after, before := r.After, r.Before
	switch since := r.Since; {
	case b.has("follows whatever has an offset"):
		page.Follows = since.Offset <= l.last
	case b.has("follows whatever has the epoch"):
		page.Follows = since.Epoch == l.epoch
	case b.has("follows the beginning of everything") && since.Offset == 0:
		page.Follows = true
	case b.has("follows what was forgotten"):
		page.Follows = (since.Epoch == l.epoch || since.Epoch != "" && since.Epoch == l.former) && since.Offset <= l.last
	case b.has("follows epochs that are longer"):
		page.Follows = strings.HasSuffix(since.Epoch, l.epoch) && since.Offset <= l.last
	case b.has("follows what is in the log"):
		page.Follows = since.Epoch == l.epoch && since.Offset <= l.last && since.Offset+1 >= page.First
	case b.has("follows nothing"):
	default:
		page.Follows = since.Epoch == l.epoch && since.Offset <= l.last
	}
	switch {
	case page.Follows && b.has("since wins over after"):
		after = r.Since.Offset
	case page.Follows && !b.has("since leaves nothing out"),
		b.has("since always leaves out"):
		after = max(after, r.Since.Offset)
	}
	switch {
	case b.has("after is in the page") && after > 0:
		after--
	case b.has("before is in the page") && before > 0:
		before++
	case b.has("before wins over after") && before > 0:
		after = 0
	case b.has("offsets of 32 bits"):
		after, before = after&(1<<32-1), before&(1<<32-1)
	}
	for len(list) > 0 && list[0].Offset <= after {
		list = list[1:]
	}
	for len(list) > 0 && before != 0 && list[len(list)-1].Offset >= before {
		list = list[:len(list)-1]
	}
	switch n := len(list) - r.Limit; {
	case n > 0 && (r.Newest && !b.has("always the oldest") || b.has("always the newest")):
		list = list[n:]
		page.More = true
	case n > 0:
		list = list[:r.Limit]
		page.More = true
	}
	if r.Bytes > 0 && !b.has("pages of any size") {
		n, size := 0, 0
		for ; n < len(list) && size < r.Bytes; n++ {
			if r.Newest {
				size += len(list[len(list)-1-n].Data)
			} else {
				size += len(list[n].Data)
			}
		}
		page.More = page.More || n < len(list) && !b.has("large pages have no more")
		if r.Newest && !b.has("large pages are the oldest") {
			list = list[len(list)-n:]
		} else {
			list = list[:n]
		}
	}
	page.Messages = list
	if !b.has("pages are the log") {
		page.Messages = slices.Clone(list)
	}
	switch {
	case b.has("a full page has more"):
		page.More = len(list) == r.Limit
	case b.has("there is never more"):
		page.More = false
	case b.has("the newest come first") && r.Newest:
		slices.Reverse(page.Messages)
	case b.has("First is of the page") && len(list) > 0:
		page.First = list[0].Offset
	case b.has("Last is of the log"):
		page.Last = room.Position{}
		if len(l.entries) > 0 {
			page.Last = l.entries[len(l.entries)-1].Position
		}
	}
	return page, nil
}

func (b *mutantBroker) Forget(_ context.Context, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.has("forgetting nothing is an error") && b.logs[name] == nil {
		return room.ErrNoRoom
	}
	l := b.log(name)
	switch {
	case b.has("forgets every room"):
		for _, other := range b.logs {
			other.entries = nil
		}
	case b.has("forgets the subscribers"):
		l.subscribers = nil
	case b.has("forgets nothing"):
		return nil
	}
	if !b.has("the epoch stays") {
		l.former = l.epoch
		l.epoch = b.epoch()
	}
	if !b.has("offsets go on") {
		l.last = 0
	}
	if !b.has("IDs outlive the log") {
		clear(l.receipts)
	}
	if !b.has("the log stays") {
		l.entries = nil
	}
	return nil
}
