package room_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/room"
)

// drift is a broker of which the log of the room hall is lost from the end, time
// and again, and which tells the subscriber of everything later.
type drift struct {
	room.Broker // for all other rooms

	mu      sync.Mutex // protects what follows
	rng     *rand.Rand
	epochs  [][]room.Message // the log of each as it was at its end; the last is the present one
	left    []int            // how much of each the next one began with
	deliver func(room.Message)
	at      int // the epoch and
	offset  int // offset that have been delivered
	said    int
	follows bool // what the last Replay said
}

func newDrift(seed uint64) *drift {
	return &drift{Broker: room.NewMemoryBroker(), rng: rand.New(rand.NewPCG(seed, 0)), epochs: make([][]room.Message, 1)}
}

func epochName(i int) string { return fmt.Sprint("epoch", i) }

// log is the present one.
func (b *drift) log() []room.Message { return b.epochs[len(b.epochs)-1] }

// reach is how much of an epoch is in another that came later.
func (b *drift) reach(from, to int) int {
	least := len(b.epochs[from])
	for _, left := range b.left[from:to] {
		least = min(least, left)
	}
	return least
}

// something happens.
func (b *drift) something() {
	switch b.rng.IntN(10) {
	case 0:
		left := len(b.log())
		if b.rng.IntN(2) == 0 {
			left -= b.rng.IntN(min(left, 3) + 1)
		}
		b.left = append(b.left, left)
		kept := make([]room.Message, left)
		copy(kept, b.log())
		for i := range kept {
			kept[i].Epoch = epochName(len(b.epochs))
		}
		b.epochs = append(b.epochs, kept)
	case 1, 2, 3:
		b.say()
	default:
		b.hear()
	}
}

func (b *drift) say() {
	b.said++
	last := len(b.epochs) - 1
	b.epochs[last] = append(b.epochs[last], room.Message{
		Kind: room.KindMessage, Room: "hall", Event: "message", From: "ada", Data: []byte(fmt.Sprint(b.said)), At: time.Now(),
		Position: room.Position{Epoch: epochName(last), Offset: uint64(len(b.epochs[last]) + 1)},
	})
}

// hear delivers the next there is, or that there is another epoch.
func (b *drift) hear() {
	if b.deliver == nil {
		return
	}
	last := len(b.epochs) - 1
	here := b.epochs[b.at]
	switch {
	case b.offset < len(here) && (b.at == last || b.rng.IntN(2) == 0):
		b.offset++
		b.deliver(here[b.offset-1])
	case b.at < last:
		next := b.at + 1 + b.rng.IntN(last-b.at)
		m := room.Message{Kind: room.KindContinued, Room: "hall", At: time.Now()}
		if reach := b.reach(b.at, next); b.offset > reach {
			m.Kind, b.offset = room.KindLost, reach
		}
		b.at = next
		m.Position = room.Position{Epoch: epochName(next), Offset: uint64(b.offset)}
		b.deliver(m)
	}
}

func (b *drift) Publish(ctx context.Context, m room.Message, keep room.Retention) (room.Receipt, error) {
	if m.Room != "hall" {
		return b.Broker.Publish(ctx, m, keep)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.deliver != nil {
		b.deliver(m)
	}
	return room.Receipt{At: m.At}, nil
}

func (b *drift) Subscribe(ctx context.Context, name string, deliver func(room.Message)) (room.Position, func(), error) {
	if name != "hall" {
		return b.Broker.Subscribe(ctx, name, deliver)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deliver, b.at, b.offset = deliver, len(b.epochs)-1, len(b.log())
	return room.Position{Epoch: epochName(b.at), Offset: uint64(b.offset)}, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.deliver = nil
	}, nil
}

func (b *drift) Replay(ctx context.Context, name string, r room.Range) (room.Page, error) {
	if name != "hall" {
		return b.Broker.Replay(ctx, name, r)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for range b.rng.IntN(4) {
		b.something()
	}
	page := room.Page{Last: room.Position{Epoch: epochName(len(b.epochs) - 1), Offset: uint64(len(b.log()))}}
	if b.goesOn(r.Since.Epoch, r.Since.Offset, page.Last.Epoch) {
		page.Follows = true
		r.After = max(r.After, r.Since.Offset)
	}
	for _, m := range b.log() {
		if m.Offset > r.After && (r.Before == 0 || m.Offset < r.Before) {
			page.Messages = append(page.Messages, m)
		}
	}
	if len(page.Messages) > r.Limit {
		page.More = true
		if r.Newest {
			page.Messages = page.Messages[len(page.Messages)-r.Limit:]
		} else {
			page.Messages = page.Messages[:r.Limit]
		}
	}
	b.follows = page.Follows
	for range b.rng.IntN(4) {
		b.something()
	}
	return page, nil
}

// goesOn says that who was at a position of an epoch has lost nothing in another.
func (b *drift) goesOn(epoch string, offset uint64, later string) bool {
	from, to := -1, -1
	for i := range b.epochs {
		if epochName(i) == epoch {
			from = i
		}
		if epochName(i) == later {
			to = i
		}
	}
	return from >= 0 && from <= to && offset <= uint64(b.reach(from, to))
}

// drifter is a client that comes back time and again.
type drifter struct {
	t      *testing.T
	broker *drift
	most   uint64 // that a join brings back
	epoch  string
	offset uint64
	seen   map[uint64]string // of the epoch, as far as it knows
}

// check compares what the client got with the log of the epoch.
func (d *drifter) check(epoch string, offset uint64, data string) {
	d.t.Helper()
	d.broker.mu.Lock()
	defer d.broker.mu.Unlock()
	for i, log := range d.broker.epochs {
		if epochName(i) != epoch {
			continue
		}
		if offset == 0 || offset > uint64(len(log)) || string(log[offset-1].Data) != data {
			d.t.Errorf("%s %d is not %s", epoch, offset, data)
		}
		return
	}
	d.t.Errorf("no epoch %q", epoch)
}

// live takes what is said while the client is in.
func (d *drifter) live(f frame) {
	if f.Type != "message" {
		return
	}
	d.broker.mu.Lock()
	goesOn := d.broker.goesOn(d.epoch, d.offset, f.Epoch)
	d.broker.mu.Unlock()
	if goesOn && f.Offset != d.offset+1 {
		d.t.Errorf("%s behind %s %d", f, d.epoch, d.offset)
	}
	if f.Epoch != d.epoch {
		d.seen = make(map[uint64]string)
	}
	d.check(f.Epoch, f.Offset, string(f.Data))
	d.epoch, d.offset = f.Epoch, f.Offset
	d.seen[f.Offset] = string(f.Data)
}

// back takes the reply to a join with a since, or without one.
func (d *drifter) back(r *result, asked bool, epoch string, offset uint64, seen map[uint64]string) {
	d.broker.mu.Lock()
	follows := d.broker.follows
	d.broker.mu.Unlock()
	if r.Recovered != (asked && follows && r.Offset-offset <= d.most) {
		d.t.Errorf("recovered %v, follows %v: %s", r.Recovered, follows, r.raw)
	}
	if r.Recovered {
		for o, data := range seen {
			d.check(r.Epoch, o, data)
		}
		if n := uint64(len(r.Messages)); r.Offset != offset+n {
			d.t.Errorf("%d messages behind %s %d: %s", n, epoch, offset, r.raw)
		}
	} else {
		seen = make(map[uint64]string)
	}
	for i, m := range r.Messages {
		if want := r.Offset - uint64(len(r.Messages)-1-i); m.Epoch != r.Epoch || m.Offset != want {
			d.t.Errorf("%s %d instead of %s %d", m.Epoch, m.Offset, r.Epoch, want)
		}
		d.check(m.Epoch, m.Offset, string(m.Data))
		seen[m.Offset] = string(m.Data)
	}
	d.epoch, d.offset, d.seen = r.Epoch, r.Offset, seen
}

// Whatever happens to the log while a client comes and goes, and whenever this
// server hears of it: it gets what it has missed, once, or is told that it has
// not.
func TestRejoinWhileTheLogDrifts(t *testing.T) {
	const rounds = 40
	for seed := range uint64(30) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broker := newDrift(seed)
				most := []int{1000, 3}[seed%2]
				h := servePipes(t, house(), room.WithBroker(broker), limits(func(l *room.Limits) { l.Replay = most }))
				h.in("ada", "hall") // so that the server hears all the time
				stop := make(chan struct{})
				var events sync.WaitGroup
				events.Go(func() {
					for {
						select {
						case <-stop:
							return
						case <-time.After(7 * time.Millisecond):
						}
						broker.mu.Lock()
						broker.something()
						broker.mu.Unlock()
					}
				})
				rng := rand.New(rand.NewPCG(seed, 1))
				bob := h.connect("bob")
				d := &drifter{t: t, broker: broker, most: uint64(most)}
				refused := 0
				for range rounds {
					ask, asked := `"last":1000`, d.epoch != "" && rng.IntN(5) > 0
					if asked {
						ask = sinceAt(d.epoch, d.offset)
					}
					epoch, offset := d.epoch, d.offset
					seen := make(map[uint64]string)
					for o, data := range d.seen {
						seen[o] = data
					}
					f := bob.request("join", inRoom("hall"), ask)
					for _, f := range bob.unread { // before the reply
						d.live(f)
					}
					bob.unread = nil
					if f.Error != nil {
						refused++
						d.epoch, d.offset, d.seen = epoch, offset, seen
						continue
					}
					r, err := parseResult(f)
					if err != nil {
						t.Fatal(err)
					}
					d.back(&r, asked, epoch, offset, seen)
					time.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond)
					if rng.IntN(2) == 0 {
						bob.must("ping")
					} else {
						bob.must("leave", inRoom("hall"))
						for _, f := range bob.unread {
							d.live(f)
						}
						bob.unread = nil
						time.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond)
					}
				}
				close(stop)
				events.Wait()
				t.Logf("%d epochs, %d said, %d refused", len(broker.epochs), broker.said, refused)
			})
		})
		if t.Failed() {
			return
		}
	}
}
