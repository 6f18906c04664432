package room_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/room"
)

// restless is a broker that begins a new epoch of the room hall, which those
// who have subscribed hear of later.
type restless struct {
	room.Broker // for all other rooms

	mu      sync.Mutex // protects what follows
	epoch   string
	log     []room.Message
	reach   map[string]uint64 // of former epochs
	deliver func(room.Message)
	queue   []room.Message
	told    bool
}

func newRestless() *restless {
	return &restless{Broker: room.NewMemoryBroker(), epoch: "one", reach: make(map[string]uint64), told: true}
}

// begin begins an epoch with what is left of the log.
func (b *restless) begin(epoch string, left int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := room.Message{Kind: room.KindContinued, Room: "hall", Position: room.Position{Epoch: epoch, Offset: uint64(left)}}
	if left < len(b.log) {
		m.Kind = room.KindLost
	}
	b.reach[b.epoch], b.epoch, b.log, b.told = uint64(left), epoch, b.log[:left], false
	b.queue = append(b.queue, m)
}

// tell has the subscribers hear of it. Tests do so at odd times, when no join
// looks whether it has: that may see a part of it.
func (b *restless) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = true
	for _, m := range b.queue {
		b.deliver(m)
	}
	b.queue = nil
}

// tellFirst has them hear of the epoch, and not yet of what was said in it.
func (b *restless) tellFirst() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deliver(b.queue[0])
	b.queue = b.queue[1:]
}

func (b *restless) Publish(ctx context.Context, m room.Message, keep room.Retention) (room.Receipt, error) {
	if m.Room != "hall" {
		return b.Broker.Publish(ctx, m, keep)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	m.Position = room.Position{}
	if m.Kind == room.KindMessage {
		m.Position = room.Position{Epoch: b.epoch, Offset: uint64(len(b.log) + 1)}
		b.log = append(slices.Clip(b.log), m)
	}
	if b.told {
		b.deliver(m)
	} else {
		b.queue = append(b.queue, m)
	}
	return room.Receipt{Position: m.Position, At: m.At}, nil
}

func (b *restless) Subscribe(ctx context.Context, name string, deliver func(room.Message)) (room.Position, func(), error) {
	if name != "hall" {
		return b.Broker.Subscribe(ctx, name, deliver)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deliver = deliver
	return room.Position{Epoch: b.epoch, Offset: uint64(len(b.log))}, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.deliver = func(room.Message) {}
	}, nil
}

func (b *restless) Replay(ctx context.Context, name string, r room.Range) (room.Page, error) {
	if name != "hall" {
		return b.Broker.Replay(ctx, name, r)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	page := room.Page{Last: room.Position{Epoch: b.epoch, Offset: uint64(len(b.log))}, First: 1}
	reach, former := b.reach[r.Since.Epoch]
	page.Follows = former && r.Since.Offset <= reach || r.Since.Epoch == b.epoch && r.Since.Offset <= page.Last.Offset
	if page.Follows {
		r.After = max(r.After, r.Since.Offset)
	}
	for _, m := range b.log {
		if m.Offset > r.After && (r.Before == 0 || m.Offset < r.Before) {
			m.Epoch = b.epoch
			page.Messages = append(page.Messages, m)
		}
	}
	return page, nil
}

func sinceAt(epoch string, offset uint64) string {
	return fmt.Sprintf(`"since":{"epoch":%q,"offset":%d}`, epoch, offset)
}

func datas(messages []frame) (list []string) {
	for _, m := range messages {
		list = append(list, string(m.Data))
	}
	return list
}

// Who comes back in a new epoch that goes on from where they were has missed
// what they have missed, once, also when this server has yet to hear of the
// epoch, and of what was lost with the one before.
func TestRejoinInANewEpoch(t *testing.T) {
	for left, want := range map[int][]string{3: {"2", "3", "4"}, 2: {"2", "4"}} {
		for _, heard := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d left, heard %v", left, heard), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					broker := newRestless()
					h := servePipes(t, house(), room.WithBroker(broker))
					ada := h.in("ada", "hall")
					for n := range 3 {
						ada.must("message", inRoom("hall"), saying(fmt.Sprint(n+1)))
					}
					broker.begin("two", left)
					ada.must("message", inRoom("hall"), saying("4"))
					if heard {
						broker.tell()
					} else {
						time.AfterFunc(305*time.Millisecond, broker.tell)
					}
					bob := h.connect("bob")
					r := bob.must("join", inRoom("hall"), sinceAt("one", 1))
					if !r.Recovered || r.Epoch != "two" || r.Offset != uint64(left+1) || !slices.Equal(datas(r.Messages), want) {
						t.Errorf("recovered %v at %s %d with %v, want %v", r.Recovered, r.Epoch, r.Offset, datas(r.Messages), want)
					}
					for _, m := range r.Messages {
						if m.Epoch != "two" {
							t.Errorf("%s is of another epoch", m)
						}
					}
					bob.silent()
					ada.must("message", inRoom("hall"), saying("5"))
					if f := bob.expect("message"); string(f.Data) != "5" || f.Offset != r.Offset+1 {
						t.Errorf("then came %s", f)
					}
					bob.silent()
					bob.must("message", inRoom("hall"), saying("6"))

					// Of what is lost nobody goes on, nor of what never was.
					cyd := h.connect("cyd")
					for _, since := range []string{sinceAt("one", uint64(left+1)), sinceAt("two", 99), sinceAt("three", 1), sinceAt("", 0)} {
						if r := cyd.must("join", inRoom("hall"), since); r.Recovered || len(r.Messages) != left+3 {
							t.Errorf("%s: recovered %v with %v", since, r.Recovered, datas(r.Messages))
						}
					}
					if r := cyd.must("join", inRoom("hall"), sinceAt("two", 0)); !r.Recovered || len(r.Messages) != left+3 {
						t.Errorf("from the beginning: recovered %v with %v", r.Recovered, datas(r.Messages))
					}
				})
			})
		}
	}
}

// A server that does not hear of a new epoch in time lets nobody in who would
// get things twice or not at all; and who may not be in by then is not.
func TestRejoinBeforeANewEpochIsHeardOf(t *testing.T) {
	for want, meanwhile := range map[string]func(*testing.T, *host, *restless){
		"unavailable": func(*testing.T, *host, *restless) {},
		"banned": func(t *testing.T, h *host, b *restless) {
			time.AfterFunc(105*time.Millisecond, b.tell)
			if err := h.srv.Room("hall").Ban(context.Background(), "bob", time.Time{}, ""); err != nil {
				t.Error(err)
			}
		},
		"forbidden": func(t *testing.T, h *host, b *restless) {
			time.AfterFunc(105*time.Millisecond, b.tell)
			if err := setPermission(h, "hall", room.OwnerOnly); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broker := newRestless()
				h := servePipes(t, house(), room.WithBroker(broker))
				ada, bob := h.in("ada", "hall"), h.connect("bob")
				ada.must("message", inRoom("hall"), saying("1"))
				broker.begin("two", 1)
				var done sync.WaitGroup
				time.AfterFunc(300*time.Millisecond, func() { done.Go(func() { meanwhile(t, h, broker) }) })
				began := time.Now()
				bob.refused(want, "join", inRoom("hall"), sinceAt("one", 1))
				if d := time.Since(began); d > 1100*time.Millisecond {
					t.Errorf("it took %v", d)
				}
				done.Wait()
				if got := memberIDs(h, "hall"); slices.Contains(got, "bob") {
					t.Errorf("members %v", got)
				}
				bob.refused("not_member", "message", inRoom("hall"), saying("1"))
				if want == "unavailable" {
					broker.tell()
					if r := bob.must("join", inRoom("hall"), sinceAt("one", 1)); !r.Recovered || len(r.Messages) > 0 {
						t.Errorf("afterwards: recovered %v with %v", r.Recovered, datas(r.Messages))
					}
				}
			})
		})
	}
}

// Who joins while this server has yet to hear of an epoch in which nothing is
// left gets what the log has as of that epoch, and once.
func TestJoinInANewEpoch(t *testing.T) {
	for name, ask := range map[string]string{"since": sinceAt("one", 3), "last": `"last":3`} {
		for steps, told := range map[string]func(*restless){
			"at once": (*restless).tell,
			"bit by bit": func(b *restless) {
				b.tellFirst()
				time.AfterFunc(305*time.Millisecond, b.tell)
			},
		} {
			t.Run(name+"/"+steps, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { joinInANewEpoch(t, ask, told) })
			})
		}
	}
}

func joinInANewEpoch(t *testing.T, ask string, told func(*restless)) {
	broker := newRestless()
	h := servePipes(t, house(), room.WithBroker(broker))
	ada := h.in("ada", "hall")
	for n := range 3 {
		ada.must("message", inRoom("hall"), saying(fmt.Sprint(n+1)))
	}
	broker.begin("two", 0)
	ada.must("message", inRoom("hall"), saying("4"))
	ada.must("message", inRoom("hall"), saying("5"))
	time.AfterFunc(305*time.Millisecond, func() { told(broker) })
	bob := h.connect("bob")
	r := bob.must("join", inRoom("hall"), ask)
	got := datas(r.Messages)
	if r.Recovered || r.Epoch != "two" || r.Offset != uint64(len(got)) {
		t.Errorf("recovered %v at %s %d with %v", r.Recovered, r.Epoch, r.Offset, got)
	}
	ada.must("message", inRoom("hall"), saying("6"))
	// What the server had not heard of yet comes behind the reply.
	for len(got) < 3 {
		f := bob.expect("message")
		if got = append(got, string(f.Data)); f.Epoch != "two" || f.Offset != uint64(len(got)) {
			t.Errorf("got %s", f)
		}
	}
	if !slices.Equal(got, []string{"4", "5", "6"}) {
		t.Errorf("got %v", got)
	}
	bob.silent()
}
