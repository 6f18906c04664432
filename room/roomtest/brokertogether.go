package roomtest

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/wardroom/wardroom/room"
)

// batches are the nodes as [room.BatchBroker], or false where they are none.
func (s *brokerScript) batches() (a, b room.BatchBroker, ok bool) {
	s.t.Helper()
	a, ok = s.a.(room.BatchBroker)
	if !ok {
		return nil, nil, false
	}
	if b, ok = s.b.(room.BatchBroker); !ok {
		s.t.Fatal("one node's broker is a BatchBroker and the other's is not")
	}
	return a, b, true
}

// publishAll must return one result for each, without an error.
func (s *brokerScript) publishAll(b room.BatchBroker, list []room.Publication) []room.Result {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	results := b.PublishAll(ctx, list)
	if len(results) != len(list) {
		s.t.Fatalf("PublishAll of %d messages returned %d results", len(list), len(results))
	}
	for i, r := range results {
		if r.Err != nil {
			s.t.Fatalf("PublishAll: number %d of %d (%s): %v", i+1, len(list), brief(list[i].Message), r.Err)
		}
	}
	return results
}

func brokerTogether(s *brokerScript) {
	a, b, ok := s.batches()
	if !ok {
		return
	}
	here, there := s.subscribeAll("room"), s.subscribeAll("other")
	before := s.store(withID(said("room", "ada", "0"), "before"), keepAll)
	var list []room.Publication
	add := func(m room.Message, keep room.Retention) {
		m.Position = room.Position{Epoch: "forged", Offset: 77}
		list = append(list, room.Publication{Message: m, Keep: keep})
	}
	add(said("room", "ada", "1"), keepAll)
	add(said("other", "ada", "2"), keepAll)
	add(said("room", "ada", "3"), room.Retention{})
	add(room.Message{Kind: room.KindJoined, Room: "room", From: "ada", At: now()}, keepAll)
	add(withID(said("room", "ada", "4"), "before"), keepAll)
	add(withID(said("room", "ada", "5"), "id"), keepAll)
	add(withID(said("room", "ada", "6"), "id"), keepAll)
	add(withID(said("room", "bob", "7"), "id"), keepAll)
	add(withID(said("other", "ada", "8"), "id"), keepAll)
	for i := range 140 {
		m := said("room", "ada", fmt.Sprint(100+i))
		m.At = m.At.Add(time.Duration(i) * time.Millisecond)
		add(m, keepAll)
	}
	for _, m := range kinds("room") {
		add(m, keepAll)
	}

	// What is to come of it, each after the one before.
	want := []room.Message{before}
	logged := []room.Message{before}
	var others []room.Message
	receipts := make([]room.Receipt, len(list))
	ids := map[string]room.Receipt{"room ada before": {Position: before.Position, At: before.At}}
	next := map[string]uint64{"room": 1}
	for i, p := range list {
		m := p.Message
		m.Position = room.Position{}
		key := m.Room + " " + m.From + " " + m.ID
		stored := m.Kind == room.KindMessage && p.Keep.Messages > 0
		if first, ok := ids[key]; ok && stored && m.ID != "" {
			receipts[i] = first
			receipts[i].Duplicate = true
			continue
		}
		if stored {
			next[m.Room]++
			m.Position = room.Position{Epoch: before.Epoch, Offset: next[m.Room]}
			if m.Room == "other" {
				m.Epoch = there[0].at.Epoch
			}
			if m.ID != "" {
				ids[key] = room.Receipt{Position: m.Position, At: m.At}
			}
		}
		receipts[i] = room.Receipt{Position: m.Position, At: m.At}
		switch {
		case m.Room == "other":
			others = append(others, m)
		default:
			want = append(want, m)
			if stored {
				logged = append(logged, m)
			}
		}
	}
	for i, r := range s.publishAll(a, list) {
		if w := receipts[i]; r.Receipt.Position != w.Position || r.Receipt.Duplicate != w.Duplicate || !sameMilli(r.Receipt.At, w.At) {
			s.t.Fatalf("PublishAll: number %d of %d (%s) has the receipt %+v, want %+v", i+1, len(list), brief(list[i].Message), r.Receipt, w)
		}
	}
	clear(list) // it is the caller's again
	s.heard(here, want...)
	s.heard(there, others...)
	s.logged("room", logged...)
	s.logged("other", others...)

	// The retention of the last one is the log's, and of each its own.
	few := []room.Publication{
		{Message: said("few", "ada", "1"), Keep: keepAll},
		{Message: said("few", "ada", "2"), Keep: keepAll},
		{Message: said("few", "ada", "3"), Keep: room.Keep(2, time.Hour)},
		{Message: said("few", "ada", "4"), Keep: keepAll},
	}
	results := s.publishAll(b, few)
	var kept []room.Message
	for i := 1; i < len(few); i++ {
		m := few[i].Message
		m.Position = results[i].Receipt.Position
		kept = append(kept, m)
	}
	s.logged("few", kept...)
	if none := s.publishAll(b, nil); len(none) != 0 {
		s.t.Fatalf("PublishAll of nothing returned %d results", len(none))
	}
}

func brokerTogetherOrder(s *brokerScript) {
	a, b, ok := s.batches()
	if !ok {
		return
	}
	const publishers, lists, each = 6, 5, 12
	subscribers := s.subscribeAll("room")
	storm(publishers, func(i int) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), callTimeout)
		defer cancel()
		for n := range lists {
			list := make([]room.Publication, each)
			for k := range list {
				list[k] = room.Publication{Message: said("room", fmt.Sprint("user", i), fmt.Sprint(n*each+k)), Keep: alternate(k, keepAll, room.Retention{})}
			}
			for _, r := range alternate(i, a, b).PublishAll(ctx, list) {
				if !must(s.t, "PublishAll", r.Err) {
					return
				}
			}
		}
	})
	first := subscribers[0].wait(publishers * lists * each)
	next := make(map[string]int)
	for _, m := range first {
		if want := fmt.Sprint(next[m.From]); string(m.Data) != want {
			s.t.Fatalf("a subscriber was given message %s of %q where %s was next", m.Data, m.From, want)
		}
		next[m.From]++
	}
	s.contiguous("in the order of delivery", first, subscribers[0].at.Epoch, 1)
	for i, l := range subscribers[1:] {
		s.sameMessages(fmt.Sprintf("what subscriber %d was given, against the first one's", i+2), l.wait(len(first)), first, false)
	}
	s.heard(subscribers)
}

// follower is a listener that is told when it has all there is.
type follower struct {
	*listener
	mu    sync.Mutex // protects what follows
	owed  bool       // deliver has been called, and delivered not since
	calls int        // of delivered
}

func (f *follower) take(m room.Message) {
	f.mu.Lock()
	f.owed = true
	f.mu.Unlock()
	f.deliver(m)
}

func (f *follower) delivered() {
	alone := f.busy.CompareAndSwap(false, true)
	for range 20 {
		runtime.Gosched()
	}
	f.mu.Lock()
	f.calls++
	f.owed = false
	f.mu.Unlock()
	if alone {
		f.busy.Store(false)
		return
	}
	f.listener.mu.Lock()
	f.overlaps++
	f.listener.mu.Unlock()
}

func brokerFollow(s *brokerScript) {
	a, b, ok := s.batches()
	if !ok {
		return
	}
	first := s.storeSome("room", 2, keepAll)
	f := &follower{listener: newListener(s)}
	f.slow = true
	ctx, stop := callContext(s.t)
	defer stop()
	at, cancel, err := a.Follow(ctx, "room", f.take, f.delivered)
	if err != nil {
		s.t.Fatalf("Follow: %v", err)
	}
	s.t.Cleanup(cancel)
	if f.at, f.room, f.cancel = at, "room", cancel; at != first[1].Position {
		s.t.Fatalf("Follow returned the position %+v, want %+v", at, first[1].Position)
	}
	settled := func(n int) []room.Message {
		s.t.Helper()
		got := f.wait(n)
		for end := time.Now().Add(s.delivery); ; s.yield() {
			f.mu.Lock()
			owed := f.owed
			f.mu.Unlock()
			if !owed {
				return got
			}
			if time.Now().After(end) {
				s.t.Fatalf("%d messages were delivered, and delivered was not called after the last", n)
			}
		}
	}
	one := s.store(said("room", "ada", "one"), keepAll)
	s.sameMessages("what a follower was given", settled(1), []room.Message{one}, false)
	const publishers, each = 6, 20
	storm(publishers, func(i int) {
		for n := range each {
			if i%2 == 0 {
				s.detachedPublish(s.broker(), said("room", "ada", fmt.Sprint(i, n)), keepAll)
				continue
			}
			ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), callTimeout)
			list := []room.Publication{{Message: said("room", "ada", fmt.Sprint(i, n)), Keep: keepAll}}
			must(s.t, "PublishAll", alternate(n, a, b).PublishAll(ctx, list)[0].Err)
			cancel()
		}
	})
	s.contiguous("what a follower was given", settled(publishers*each), at.Epoch, one.Offset+1)
	f.listener.mu.Lock()
	overlaps := f.overlaps
	f.listener.mu.Unlock()
	if overlaps > 0 {
		s.t.Fatalf("deliver or delivered of a follower was called %d times while a call of one of them was going on", overlaps)
	}
	witness := s.subscribe("room")
	cancel()
	f.mu.Lock()
	calls := f.calls
	f.mu.Unlock()
	last := s.storeSome("room", 3, keepAll)
	s.heard([]*listener{witness}, last...)
	s.pass(10 * time.Millisecond)
	f.mu.Lock()
	defer f.mu.Unlock()
	if got := f.all(); len(got) > 0 || f.calls != calls {
		s.t.Fatalf("after cancel a follower was given %d messages, and delivered was called %d times", len(got), f.calls-calls)
	}
}
