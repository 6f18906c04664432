package roomtest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wardroom/wardroom/room"
)

// kinds has a message of every kind that is published, with something in every
// field, and some of other shapes.
func kinds(name string) []room.Message {
	at := now()
	list := []room.Message{
		{Kind: room.KindMessage, Room: name, Event: "message", From: "ada@example.com", Data: []byte(`{"text":"Grüße\u0000 <b>"}`), At: at},
		{Kind: room.KindMessage, Room: name, Event: "a.b:c_d-e", From: "a|b+c", ID: strings.Repeat("i", 64), Data: []byte(`null`), At: at, Except: "connection"},
		{Kind: room.KindMessage, Room: name, Event: "file", From: "ada", ID: "two words\n", Data: []byte{0, 1, 0xFF, '\n', '"', 0x80}, Binary: true, At: at},
		{Kind: room.KindMessage, Room: name, Event: "empty", From: "ada", Binary: true, At: at},
		{Kind: room.KindMessage, Room: name, Event: "host", Data: []byte(`"` + strings.Repeat("x", 100_000) + `"`), At: at},
		{Kind: room.KindJoined, Room: name, From: "ada", At: at},
		{Kind: room.KindDeleted, Room: name, At: at},
		{Kind: room.KindBanned, Room: name, From: "eve", Until: forever, At: at},
	}
	for kind := room.KindMessage; kind <= room.KindDone; kind++ {
		if kind == room.KindEdited || kind == room.KindRedacted {
			continue // with Amend only
		}
		list = append(list, room.Message{
			Kind: kind, Room: name, Event: "event", From: "ada", Name: "Ada Lovelace \U0001F469", Reason: "spam & \"more\"",
			ID: fmt.Sprint("id", kind), Data: []byte(`{"room":"x","version":7}`), At: at, Target: 9, Until: at.Add(time.Hour),
			Session: "session", Act: "node.7", Except: "connection",
		})
	}
	return list
}

func brokerDeliver(s *brokerScript) {
	subscribers := s.subscribeAll("room")
	want := kinds("room")
	for _, m := range want {
		s.publish(m, room.Retention{})
	}
	s.heard(subscribers, want...)

	// The same where messages are stored, and from there.
	want = kinds("room")
	var logged []room.Message
	for i := range want {
		want[i].Position = s.publish(want[i], keepAll).Position
		if want[i].Kind == room.KindMessage {
			logged = append(logged, want[i])
		}
	}
	s.heard(subscribers, want...)
	s.logged("room", logged...)
}

func brokerRooms(s *brokerScript) {
	names := []string{"*control", "a", "A", "b", "a:b", "a:b:c", "a.b", "a_b", "a-b", "ab", strings.Repeat("r", 64), strings.Repeat("r", 63)}
	var subscribers []*listener
	stored := make(map[string]room.Message)
	for _, name := range names {
		subscribers = append(subscribers, s.subscribe(name))
	}
	for _, name := range names {
		m := said(name, "ada", `"only in `+name+`"`)
		m.ID = "the same everywhere"
		stored[name] = s.store(m, keepAll)
		if stored[name].Offset != 1 {
			s.t.Fatalf("the first message of %q has the offset %d", name, stored[name].Offset)
		}
	}
	for _, l := range subscribers {
		s.heard([]*listener{l}, stored[l.room])
		s.logged(l.room, stored[l.room])
	}
	for i, name := range names {
		s.forget(name)
		s.logged(name)
		for _, other := range names[i+1:] {
			s.logged(other, stored[other])
		}
	}
}

func brokerOffsets(s *brokerScript) {
	subscribers := s.subscribeAll("room")
	want := s.storeSome("room", 50, keepAll)
	s.contiguous("receipts", want, want[0].Epoch, 1)
	s.heard(subscribers, want...)
	s.logged("room", want...)
}

func brokerPosition(s *brokerScript) {
	l := s.subscribe("room")
	m := said("room", "ada", "1")
	m.Position = room.Position{Epoch: "forged", Offset: 77}
	stored := s.store(m, keepAll)
	if stored.Epoch == "forged" || stored.Offset != 1 {
		s.t.Fatalf("a message that claims a position was stored at %+v", stored.Position)
	}
	receipt := s.publish(m, room.Retention{})
	if receipt.Position != (room.Position{}) {
		s.t.Fatalf("a message that claims a position and is not stored has the receipt %+v", receipt)
	}
	m.Position = room.Position{}
	s.heard([]*listener{l}, stored, m)
	s.logged("room", stored)
}

func brokerUnstored(s *brokerScript) {
	subscribers := s.subscribeAll("room")
	first := s.store(said("room", "ada", "1"), keepAll)
	want := []room.Message{first}
	for _, m := range kinds("room") {
		keep := keepAll
		if m.Kind == room.KindMessage {
			keep = room.Retention{}
		}
		if r := s.publish(m, keep); r.Position != (room.Position{}) {
			s.t.Fatalf("Publish(%s) with retention %+v has the position %+v, want none", brief(m), keep, r.Position)
		}
		want = append(want, m)
	}
	second := s.store(said("room", "ada", "2"), keepAll)
	if second.Offset != 2 || second.Epoch != first.Epoch {
		s.t.Fatalf("after one stored message the next is at %+v, want offset 2 of %q", second.Position, first.Epoch)
	}
	s.heard(subscribers, append(want, second)...)
	s.logged("room", first, second)

	if r := s.publish(said("quiet", "ada", "1"), room.Keep(0, time.Hour)); r.Position != (room.Position{}) {
		s.t.Fatalf("a message that is kept for an hour, but none of them, has the position %+v", r.Position)
	}
	s.logged("quiet")
}

func brokerStored(s *brokerScript) {
	for i := range 20 {
		m := s.store(said("room", "ada", fmt.Sprint(i)), keepAll)
		for range 2 {
			page := s.replay("room", room.Range{Limit: 1, Newest: true})
			s.sameMessages("the newest message of the log", page.Messages, []room.Message{m}, true)
			if page.Last != m.Position {
				s.t.Fatalf("Last is %+v, want %+v", page.Last, m.Position)
			}
		}
	}
}

func brokerOrder(s *brokerScript) {
	const publishers, each = 12, 25
	subscribers := s.subscribeAll("room")
	var mu sync.Mutex
	receipts := make(map[uint64]string)
	storm(publishers, func(i int) {
		for n := range each {
			m := said("room", fmt.Sprint("user", i), fmt.Sprintf(`"%d.%d"`, i, n))
			keep := keepAll
			if (i+n)%4 == 0 {
				keep = room.Retention{}
			}
			r, ok := s.detachedPublish(s.broker(), m, keep)
			if !ok {
				return
			}
			if r.Offset != 0 {
				mu.Lock()
				if other := receipts[r.Offset]; other != "" {
					s.t.Errorf("both %s and %s were told the offset %d", other, m.Data, r.Offset)
				}
				receipts[r.Offset] = string(m.Data)
				mu.Unlock()
			}
		}
	})
	first := subscribers[0].wait(publishers * each)
	for i, l := range subscribers[1:] {
		s.sameMessages(fmt.Sprintf("what subscriber %d was given, against the first one's", i+2), l.wait(publishers*each), first, false)
	}
	s.heard(subscribers)
	s.contiguous("in the order of delivery", first, subscribers[0].at.Epoch, 1)
	stored := slices.DeleteFunc(slices.Clone(first), func(m room.Message) bool { return m.Offset == 0 })
	for _, m := range stored {
		if receipts[m.Offset] != string(m.Data) {
			s.t.Fatalf("offset %d is %s, but its publisher was told otherwise: %s has it", m.Offset, m.Data, receipts[m.Offset])
		}
	}
	s.logged("room", stored...)
}

func brokerOwnOrder(s *brokerScript) {
	const publishers, each = 8, 40
	subscribers := s.subscribeAll("room")
	storm(publishers, func(i int) {
		b := alternate(i, s.a, s.b)
		for n := range each {
			m := said("room", fmt.Sprint("user", i), fmt.Sprint(n))
			keep := keepAll
			switch n % 3 {
			case 1:
				keep = room.Retention{}
			case 2:
				m.Kind = room.KindJoined
			}
			if _, ok := s.detachedPublish(b, m, keep); !ok {
				return
			}
		}
	})
	for i, l := range subscribers {
		next := make(map[string]int)
		for _, m := range l.wait(publishers * each) {
			if want := fmt.Sprint(next[m.From]); string(m.Data) != want {
				s.t.Fatalf("subscriber %d was given message %s of %q where %s was next", i+1, m.Data, m.From, want)
			}
			next[m.From]++
		}
	}
	s.heard(subscribers)
}

func brokerOneAtATime(s *brokerScript) {
	const publishers, each = 8, 20
	subscribers := s.subscribeAll("room")
	for _, l := range subscribers {
		l.slow = true
	}
	storm(publishers, func(i int) {
		for n := range each {
			keep := alternate(n, keepAll, room.Retention{})
			if _, ok := s.detachedPublish(s.broker(), said("room", "ada", fmt.Sprint(i, n)), keep); !ok {
				return
			}
		}
	})
	for i, l := range subscribers {
		l.wait(publishers * each)
		l.mu.Lock()
		overlaps := l.overlaps
		l.mu.Unlock()
		if overlaps > 0 {
			s.t.Fatalf("deliver of subscriber %d was called %d times while a call was going on", i+1, overlaps)
		}
	}
}
