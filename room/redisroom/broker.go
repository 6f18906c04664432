package redisroom

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/room"
)

// Broker is a [room.Broker] in Redis.
type Broker struct {
	client  rueidis.Client
	cfg     config
	begun   chan struct{} // closed when what follows is set for good
	publish string        // the command
	node    [8]byte
	ops     atomic.Uint64
	lanes   []*lane
	// safeLanes are there when replicas are waited for: as many as lanes, each
	// for the same rooms.
	safeLanes []*lane
	feeders   []*feeder
	lines     lines
	fills     fills
	arrived   atomic.Int64  // bytes that the feeders have not taken yet
	taken     chan struct{} // holds one when they have taken something
	told      atomic.Int64  // when seldom logged last, in Unix nanoseconds

	mu     sync.RWMutex     // protects what follows
	feeds  map[string]*feed // by channel
	rooms  map[string]*feed // the same by room
	closed bool

	ctx    context.Context // until Close
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

var (
	_ room.BatchBroker  = (*Broker)(nil)
	_ room.HealthBroker = (*Broker)(nil)
)

const (
	// remember is for how long, at least, the position of a room with no
	// subscriber is known after something was published or asked.
	remember = 10 * time.Minute
	// maxTail is the most bytes of a message that is not stored and is kept
	// for a minute nevertheless, for nodes that missed it.
	maxTail = 16 << 10
	// maxPage is how many bytes of messages a page has at most, but for the last
	// one: a room's whole log may be more than comes within the timeout.
	maxPage = 8 << 20
	// connectedEvery is how often a client is asked whether it is connected.
	connectedEvery = 20 * time.Millisecond
	// defaultAge is what a retention without an age means.
	defaultAge = 24 * time.Hour
	// maxNumber is the last offset that a script can tell from the next.
	maxNumber = 1 << 52
)

// NewBroker returns a Broker. The client is the caller's, and must stay open
// until the Broker is closed. Redis need not be up yet, with a client of package
// redisclient.
func NewBroker(client rueidis.Client, opts ...Option) *Broker {
	b := &Broker{client: client, cfg: options(opts), publish: "PUBLISH", feeds: make(map[string]*feed), rooms: make(map[string]*feed), begun: make(chan struct{}), taken: make(chan struct{}, 1)}
	_, _ = rand.Read(b.node[:]) // it does not fail
	b.ctx, b.cancel = context.WithCancel(context.Background())
	for range runtime.GOMAXPROCS(0) {
		f := &feeder{b: b, in: make(chan arrival, feederQueue)}
		b.feeders = append(b.feeders, f)
		b.wg.Go(f.run)
	}
	b.fills.start(b)
	if c, ok := client.(interface{ Connected() bool }); ok && !c.Connected() {
		b.wg.Go(func() {
			for !c.Connected() {
				if !b.sleep(connectedEvery) {
					return
				}
			}
			b.begin()
		})
	} else {
		b.begin()
	}
	b.wg.Go(b.check)
	return b
}

// begin begins to use the client, of which it is known only now whether it is
// that of a cluster.
func (b *Broker) begin() {
	b.lines.start(b)
	if b.lines.cluster {
		b.publish = "SPUBLISH"
	}
	b.makeLanes()
	close(b.begun)
}

// ready says whether the client has been connected.
func (b *Broker) ready() bool {
	select {
	case <-b.begun:
		return true
	default:
		return false
	}
}

// Close ends all subscriptions and waits until nothing of the Broker runs any
// more. Calls that are going on fail.
func (b *Broker) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	b.wg.Wait()
}

// spawn runs f, which Close waits for, unless the broker is closed.
func (b *Broker) spawn(f func()) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if !b.closed {
		b.wg.Go(f)
	}
}

// sleep waits and says whether the broker is still open then.
func (b *Broker) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-b.ctx.Done():
		return false
	}
}

// nextOp names the next call.
func (b *Broker) nextOp() (op opID) {
	copy(op[:], b.node[:])
	binary.BigEndian.PutUint64(op[len(b.node):], b.ops.Add(1))
	return op
}

// args are the first arguments of every script that may have to begin a
// generation: see lua/log.lua.
func (b *Broker) args(f *feed, room int) []string {
	text := rand.Text()
	args := make([]string, 5, 5+room)
	args[0], args[1] = text[:genSize], text[genSize:genSize+epochSize]
	if f != nil {
		args[2], args[3] = f.known()
	}
	args[4] = strconv.FormatInt(remember.Milliseconds(), 10)
	return args
}

// Amend implements [room.Broker].
func (b *Broker) Amend(ctx context.Context, m room.Message, author string, keep room.Retention) (room.Receipt, error) {
	if err := b.refuse(ctx); err != nil {
		return room.Receipt{}, err
	}
	m.Position = room.Position{}
	if m.Target > maxNumber {
		return room.Receipt{}, room.ErrNoMessage
	}
	op := b.nextOp()
	r, f := b.find(m.Room)
	redact := "0"
	if m.Kind == room.KindRedacted {
		redact = "1"
	}
	args := append(b.args(f, 13), r.channel, b.publish, string(op[:]), author)
	args = append(args, retention(keep)...)
	args = append(args, millis(m.At), rueidis.BinaryString(appendBody(nil, &m, op)), strconv.FormatUint(m.Target, 10), redact,
		rueidis.BinaryString(m.Data), strconv.Itoa(int(room.KindMessage)), strconv.Itoa(int(room.KindEdited)))
	reply, err := b.runSafe(ctx, r, amendScript, args)
	if err != nil {
		return room.Receipt{}, err
	}
	if len(reply) == 1 {
		return room.Receipt{}, room.ErrNoMessage
	}
	return receipt(reply)
}

func retention(keep room.Retention) []string {
	age := keep.Age
	if age <= 0 {
		age = defaultAge
	}
	return []string{strconv.Itoa(keep.Messages), strconv.FormatInt(max(age.Milliseconds(), 1), 10)}
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

func receipt(reply []rueidis.RedisMessage) (room.Receipt, error) {
	if len(reply) != 4 {
		return room.Receipt{}, errAnswer
	}
	code, err1 := reply[0].AsInt64()
	epoch, err2 := reply[1].ToString()
	offset, err3 := reply[2].AsUint64()
	at, err4 := reply[3].AsInt64()
	if err1 != nil || err2 != nil || err3 != nil || err4 != nil {
		return room.Receipt{}, errAnswer
	}
	r := room.Receipt{At: time.UnixMilli(at), Duplicate: code == 2}
	if offset != 0 {
		r.Position = room.Position{Epoch: epoch, Offset: offset}
	}
	return r, nil
}

// Replay implements [room.Broker].
func (b *Broker) Replay(ctx context.Context, name string, r room.Range) (room.Page, error) {
	k, f := b.find(name)
	newest, epoch, since := "0", "", ""
	if r.Newest {
		newest = "1"
	}
	if r.Since.Epoch != "" {
		epoch, since = r.Since.Epoch, counted(r.Since.Offset)
	}
	most := maxPage
	if r.Bytes > 0 {
		most = min(most, r.Bytes)
	}
	args := append(b.args(f, 7), counted(r.After), counted(r.Before), strconv.Itoa(r.Limit), newest, epoch, since, strconv.Itoa(most))
	reply, err := b.run(ctx, k, replayScript, args)
	if err != nil || len(reply) == 0 {
		return room.Page{}, err
	}
	page, err := decodePage(name, reply)
	if err != nil {
		return room.Page{}, fmt.Errorf("%w: %w", errAnswer, err)
	}
	return page, nil
}

// counted is an offset as scripts can tell it from the next.
func counted(offset uint64) string { return strconv.FormatUint(min(offset, maxNumber), 10) }

func decodePage(name string, reply []rueidis.RedisMessage) (page room.Page, err error) {
	if len(reply) != 7 {
		return page, errEntry
	}
	if page.Last.Epoch, err = reply[0].ToString(); err != nil {
		return page, err
	}
	if page.Last.Offset, err = reply[1].AsUint64(); err != nil {
		return page, err
	}
	if page.First, err = reply[2].AsUint64(); err != nil {
		return page, err
	}
	follows, err := reply[3].AsInt64()
	if err != nil {
		return page, err
	}
	more, err := reply[4].AsInt64()
	if err != nil {
		return page, err
	}
	page.Follows, page.More = follows == 1, more == 1
	first, err := reply[5].AsUint64()
	if err != nil {
		return page, err
	}
	list, err := decodeEntries(reply[6])
	if err != nil {
		return page, err
	}
	page.Messages = make([]room.Message, len(list))
	for i := range list {
		m := &list[i].Message
		m.Room, m.Position = name, room.Position{Epoch: page.Last.Epoch, Offset: first + uint64(i)}
		page.Messages[i] = *m
	}
	return page, nil
}

func decodeEntries(reply rueidis.RedisMessage) ([]entry, error) {
	values, err := reply.ToArray()
	if err != nil {
		return nil, err
	}
	list := make([]entry, len(values))
	for i := range values {
		text, err := values[i].ToString()
		if err != nil {
			return nil, err
		}
		if list[i], err = decodeEntry(text); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Forget implements [room.Broker].
func (b *Broker) Forget(ctx context.Context, name string) error {
	k, f := b.find(name)
	_, err := b.runSafe(ctx, k, forgetScript, b.args(f, 0))
	return err
}

// find returns a room's keys, and its feed if this node has one.
func (b *Broker) find(name string) (*keys, *feed) {
	b.mu.RLock()
	f := b.rooms[name]
	b.mu.RUnlock()
	if f != nil {
		return f.keys, f
	}
	return b.keysOf(name), nil
}
