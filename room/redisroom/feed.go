package redisroom

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wardroom/wardroom/room"
)

// A feed is what one node hears of a room. It brings what comes through the
// room's channel into the order of the sequence numbers, has gaps filled before
// it goes on, and hands each message to the subscribers once.
type feed struct {
	b      *Broker
	keys   *keys
	feeder *feeder
	refs   int // subscribers, and those becoming one; Broker.mu protects it

	ready chan struct{} // closed when the channel was subscribed to first
	once  sync.Once

	// mu protects what follows, and is held while subscribers are called, as
	// theirs is the room's order.
	mu      sync.Mutex
	state   feedState
	gen     string
	seq     uint64
	at      room.Position
	roots   []string // the first generations so far, the present one last
	marks   []mark   // where it left the generations before, the last one last
	subs    []*subscriber
	pending []frame // that came while there was a gap
	asked   int     // how many of them had come when Redis was asked to fill it
	bytes   int     // of pending's data
	missed  bool    // pending had no place for some
	settled chan struct{}
	local   localOps
	heard   bool // something came since the last check
	handed  bool // subscribers were called, and not told yet that this is all

	slow bool // what is missing did not come within a call's time; the filler's alone

	fed bool // something came since the last rest; the feeder's alone
}

// mark is what a feed had of a generation when that was over.
type mark struct {
	gen string
	seq uint64
}

type feedState uint8

const (
	joining feedState = iota // its position is not known yet
	live
	filling // there is a gap, or there may be one
)

// What a feed keeps while it waits for a gap to be filled. What has no place
// is read from Redis afterwards.
const (
	maxPending      = 1024
	maxPendingBytes = 4 << 20
)

type subscriber struct {
	deliver func(room.Message)
	// delivered is called when deliver was called for all there is; may be nil.
	delivered func()
	// The first to be delivered is the one after this sequence number.
	after uint64
}

// known is the generation and sequence number that a script is told.
func (f *feed) known() (gen, seq string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gen == "" {
		return "", ""
	}
	return f.gen, strconv.FormatUint(f.seq, 10)
}

// online is called when the channel has been subscribed to, at first and again
// after the connection was lost.
func (f *feed) online() {
	first := false
	f.once.Do(func() { first = true; close(f.ready) })
	if first {
		return // its position is asked for now
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch f.state {
	case joining:
		f.missed = true // its position may have been asked for before
	case live:
		f.startFilling()
	case filling:
		f.missed = true // the answer may have been given before
	}
}

// heardHere is called when the channel had been subscribed to before the feed
// was made, or is found to be.
func (f *feed) heardHere() { f.once.Do(func() { close(f.ready) }) }

// fill has Redis asked for what is missing.
func (f *feed) fill() {
	f.mu.Lock()
	if f.state == live {
		f.startFilling()
	}
	f.mu.Unlock()
}

// startFilling is fill for who holds mu, while the feed is live.
func (f *feed) startFilling() {
	f.state, f.settled = filling, make(chan struct{})
	f.b.fills.add(f)
}

// take takes what came through the channel. The caller calls rest when there is
// no more for now.
func (f *feed) take(list []frame) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.heard = true
	for _, fr := range list {
		switch {
		case f.state != live:
			f.put(fr)
		case !f.next(fr):
			f.put(fr)
			f.startFilling()
		}
	}
}

// rest tells the subscribers that there is no more for now.
func (f *feed) rest() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handedAll()
}

// handedAll is rest for who holds mu.
func (f *feed) handedAll() {
	if !f.handed {
		return
	}
	f.handed = false
	for _, s := range f.subs {
		if s.delivered != nil {
			s.delivered()
		}
	}
}

// next delivers a frame if its turn has come, or drops one whose turn is over.
// It says whether it did. The caller holds mu.
func (f *feed) next(fr frame) bool {
	if fr.gen != f.gen || fr.seq > f.seq+1 {
		return false
	}
	if fr.seq == f.seq+1 {
		f.advance(fr.entry)
	}
	return true
}

// put keeps a frame for when the gap is filled. The caller holds mu.
func (f *feed) put(fr frame) {
	if len(f.pending) >= maxPending || f.bytes+len(fr.Data) > maxPendingBytes && len(f.pending) > 0 {
		f.missed = true
		return
	}
	f.pending = append(f.pending, fr)
	f.bytes += len(fr.Data)
}

// advance hands the next message to the subscribers. The caller holds mu.
func (f *feed) advance(e entry) {
	f.seq = e.seq
	if e.Offset != 0 {
		f.reach(e.Position)
		e.Epoch = f.at.Epoch
	}
	if !f.local.arrive(e.op) {
		return // it was delivered when Redis did not answer
	}
	e.Room = f.keys.room
	f.hand(e.Message)
}

// reach notes the position. What was decoded shares the memory of all that came
// with it, and must not keep that until something else is stored. The caller
// holds mu.
func (f *feed) reach(p room.Position) {
	if p.Epoch != f.at.Epoch {
		p.Epoch = strings.Clone(p.Epoch)
	} else {
		p.Epoch = f.at.Epoch
	}
	f.at = p
}

// hand calls the subscribers. The caller holds mu.
func (f *feed) hand(m room.Message) {
	f.handed = true
	for _, s := range f.subs {
		if f.seq > s.after {
			s.deliver(m)
		}
	}
}

// lose tells the subscribers that messages are lost, up to the one that the feed
// is at; but for those who came behind it. The caller holds mu.
func (f *feed) lose() {
	f.b.lost(f.keys.room)
	for _, s := range f.subs {
		if s.after == 0 || s.after < f.seq {
			f.tell(s, room.KindLost)
		}
	}
}

// renew tells the subscribers that the log is in a new epoch and all that the
// feed has is in it. What a subscriber has beyond that, who was told a place
// that the feed had not come to, need not be. The caller holds mu.
func (f *feed) renew(at room.Position) {
	f.at = at
	for _, s := range f.subs {
		kind := room.KindContinued
		if s.after > f.seq {
			kind, s.after = room.KindLost, 0
		}
		f.tell(s, kind)
	}
}

// tell hands a subscriber what is about the log itself. The caller holds mu.
func (f *feed) tell(s *subscriber, kind room.Kind) {
	f.handed = true
	s.deliver(room.Message{Kind: kind, Room: f.keys.room, At: now(), Position: f.at})
}

// attach begins a subscription, at a place that Redis told after the channel had
// been subscribed to or behind it. Where the feed has to catch up first, it
// returns what to wait for.
func (f *feed) attach(s *subscriber, p place) (at room.Position, settled <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.handedAll()
	switch {
	case f.state == joining:
		f.gen, f.seq, f.at, f.roots = p.gen, p.seq, p.at, []string{p.root}
		f.state = live
		s.after = p.seq
		f.subs = append(f.subs, s)
		f.resume()
		return p.at, nil
	case f.gen == p.gen:
		if p.seq < f.seq {
			p.seq, p.at = f.seq, f.at
		}
		s.after = p.seq
		f.subs = append(f.subs, s)
		return p.at, nil
	case f.state == live:
		f.startFilling()
	}
	return room.Position{}, f.settled
}

// resume goes on with what was kept. The caller holds mu, and the feed is live.
func (f *feed) resume() {
	pending, missed := f.pending, f.missed
	f.pending, f.bytes, f.missed = nil, 0, false
	for i, fr := range pending {
		if !f.next(fr) {
			f.pending = append(f.pending, pending[i:]...)
			for _, p := range f.pending {
				f.bytes += len(p.Data)
			}
			f.missed = missed
			f.startFilling()
			return
		}
	}
	if missed {
		f.startFilling()
	}
}

// begin notes that a call begins. Those of its messages that are local are to be
// delivered here even if Redis does not answer.
func (f *feed) begin(posts []post) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range posts {
		if posts[i].local {
			f.local.begin(posts[i].op)
		}
	}
}

// end ends what begin began. When the call has failed, the local messages are
// handed to this node's subscribers, unless they have come already. It says
// whether there were any who have them now.
func (f *feed) end(posts []post, failed bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.handedAll()
	for i := range posts {
		if !posts[i].local || !f.local.end(posts[i].op, failed) {
			continue
		}
		f.handed = true
		for _, s := range f.subs {
			s.deliver(posts[i].message)
		}
	}
	return len(f.subs) > 0
}

// detach ends a subscription: when it returns, deliver is not being called.
func (f *feed) detach(s *subscriber) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subs = keepIf(f.subs, func(o *subscriber) bool { return o != s })
}

// now is the time as messages have it.
func now() time.Time { return time.UnixMilli(time.Now().UnixMilli()) }
