package redisroom

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
)

// A call that is repeated, because its answer got lost, is done once, and the
// answer is the same.
func TestRepeatedCalls(t *testing.T) {
	server := redistest.Start(t)
	b := NewBroker(server.Client(), WithTimeout(5*time.Second))
	defer b.Close()
	ctx := context.Background()
	var delivered atomic.Int64
	_, cancel, err := b.Subscribe(ctx, "room", func(room.Message) { delivered.Add(1) })
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	keep := room.Keep(10, time.Hour)
	m := room.Message{Kind: room.KindMessage, Room: "room", From: "ada", Data: []byte("1"), At: now()}
	twice := func(what string, s *script, args func(op string) []string) room.Receipt {
		t.Helper()
		op := b.nextOp()
		var receipts [2]room.Receipt
		for i := range receipts {
			reply, err := b.run(ctx, b.keysOf("room"), s, args(string(op[:])))
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if receipts[i], err = receipt(reply); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		if receipts[0] != receipts[1] || receipts[0].Duplicate {
			t.Errorf("%s: %+v, and repeated %+v", what, receipts[0], receipts[1])
		}
		return receipts[0]
	}
	publish := func(id string, keep room.Retention) func(string) []string {
		return func(op string) []string {
			args := append(b.args(nil, 9), b.keysOf("room").channel, b.publish, strconv.Itoa(maxTail), op, id)
			args = append(args, retention(keep)...)
			return append(args, millis(m.At), string(appendBody(nil, &m, opID{})))
		}
	}
	first := twice("stored", publishScript, publish("", keep))
	second := twice("stored with an ID", publishScript, publish(digest("ada", "1"), keep))
	third := twice("not stored", publishScript, publish("", room.Retention{}))
	if first.Offset != 1 || second.Offset != 2 || third.Offset != 0 {
		t.Errorf("offsets %d, %d and %d", first.Offset, second.Offset, third.Offset)
	}
	edit := m
	edit.Kind, edit.Target = room.KindEdited, 1
	fourth := twice("an edit", amendScript, func(op string) []string {
		args := append(b.args(nil, 13), b.keysOf("room").channel, b.publish, op, "ada")
		args = append(args, retention(keep)...)
		return append(args, millis(m.At), string(appendBody(nil, &edit, opID{})), "1", "0", "2", strconv.Itoa(int(room.KindMessage)), strconv.Itoa(int(room.KindEdited)))
	})
	if fourth.Offset != 3 {
		t.Errorf("the edit has offset %d", fourth.Offset)
	}
	// The client's own repetition is another call.
	reply, err := b.run(ctx, b.keysOf("room"), publishScript, publish(digest("ada", "1"), keep)("another op"))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := receipt(reply); err != nil || !r.Duplicate || r.Position != second.Position {
		t.Errorf("the same ID in another call: %+v, %v", r, err)
	}
	// Several messages in one call, of which some have been published before.
	ops := [4]opID{b.nextOp(), b.nextOp(), b.nextOp(), b.nextOp()}
	list := func(n int) []string {
		args := append(b.args(nil, 30), b.keysOf("room").channel, b.publish, strconv.Itoa(maxTail))
		for i, op := range ops[:n] {
			id, keep := "", keep
			switch i {
			case 0:
				id = digest("ada", "1")
			case 1:
				keep = room.Retention{}
			case 3:
				id = digest("ada", "2")
			}
			args = append(append(args, string(op[:]), id), retention(keep)...)
			args = append(args, millis(m.At), string(appendBody(nil, &m, op)))
		}
		return args
	}
	for _, n := range []int{2, 4, 4} {
		reply, err := b.run(ctx, b.keysOf("room"), publishScript, list(n))
		if err != nil || len(reply) != 4*n {
			t.Fatalf("%d messages: %d values, %v", n, len(reply), err)
		}
		for i, want := range []room.Receipt{{Position: second.Position, Duplicate: true}, {}, {Position: room.Position{Epoch: second.Epoch, Offset: 4}}, {Position: room.Position{Epoch: second.Epoch, Offset: 5}}}[:n] {
			want.At = second.At
			if got, err := receipt(reply[4*i : 4*i+4]); err != nil || got != want {
				t.Errorf("number %d of %d messages: %+v, %v, want %+v", i+1, n, got, err, want)
			}
		}
	}
	page, err := b.Replay(ctx, "room", room.Range{Limit: 10})
	if err != nil || len(page.Messages) != 5 {
		t.Errorf("the log has %d messages, %v", len(page.Messages), err)
	}
	for end := time.Now().Add(10 * time.Second); delivered.Load() < 7 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(20 * time.Millisecond)
	if n := delivered.Load(); n != 7 {
		t.Errorf("%d messages were delivered, want 7", n)
	}
}

// deafClient makes connections that hear nothing while deaf is set.
// deafClient hears nothing while it is deaf.
type deafClient struct {
	rueidis.Client
	deaf   *atomic.Bool
	missed chan<- string // gets the channels of what it does not hear, while there is room
}

type deafConn struct {
	rueidis.DedicatedClient
	deafClient
}

func (c deafClient) Dedicate() (rueidis.DedicatedClient, func()) {
	conn, release := c.Client.Dedicate()
	return deafConn{conn, c}, release
}

func (c deafConn) SetPubSubHooks(h rueidis.PubSubHooks) <-chan error {
	hear := h.OnMessage
	h.OnMessage = func(m rueidis.PubSubMessage) {
		if !c.deaf.Load() {
			hear(m)
			return
		}
		select {
		case c.missed <- m.Channel:
		default:
		}
	}
	return c.DedicatedClient.SetPubSubHooks(h)
}

// A subscription that has gone deaf without a word is found out within seconds,
// though nothing comes after what it missed.
func TestDeafSubscription(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var deaf atomic.Bool
	b, other := NewBroker(deafClient{server.Client(), &deaf, nil}), NewBroker(server.Client())
	defer b.Close()
	defer other.Close()
	heard := make(chan room.Message, 10)
	var cancel func()
	for end := time.Now().Add(10 * time.Second); ; {
		var err error
		if _, cancel, err = b.Subscribe(t.Context(), "room", func(m room.Message) { heard <- m }); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	defer cancel()
	deaf.Store(true)
	want := []string{"stored", "not stored"}
	for i, keep := range []room.Retention{room.Keep(10, time.Hour), {}} {
		m := room.Message{Kind: room.KindMessage, Room: "room", Event: want[i], At: now()}
		for end := time.Now().Add(10 * time.Second); ; {
			if _, err := other.Publish(t.Context(), m, keep); err == nil {
				break
			} else if time.Now().After(end) {
				t.Fatal(err)
			}
		}
	}
	for _, want := range want {
		select {
		case m := <-heard:
			if m.Event != want {
				t.Errorf("heard %q, want %q", m.Event, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%q is never heard", want)
		}
	}
}
