package roomtest

import (
	"fmt"
	"sync"
	"time"

	"github.com/wardroom/wardroom/room"
)

func withID(m room.Message, id string) room.Message {
	m.ID = id
	return m
}

// duplicate publishes m and fails unless the answer is the receipt of first.
func (s *brokerScript) duplicate(m, first room.Message, keep room.Retention) {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	r, err := s.broker().Publish(ctx, m, keep)
	if err != nil || !r.Duplicate || r.Position != first.Position || !sameMilli(r.At, first.At) {
		s.t.Fatalf("Publish(%s) = %+v, error %v; want a duplicate with the first one's position %+v and time %v",
			brief(m), r, err, first.Position, first.At)
	}
}

func brokerDuplicate(s *brokerScript) {
	subscribers := s.subscribeAll("room")
	first := s.store(withID(said("room", "ada", `"first"`), "id"), keepAll)
	s.pass(5 * time.Millisecond)
	second := s.store(withID(said("room", "ada", `"second"`), "id2"), keepAll)
	s.duplicate(withID(said("room", "ada", `"first"`), "id"), first, keepAll)
	s.duplicate(withID(said("room", "ada", `"something else"`), "id"), first, room.Keep(50, time.Hour))
	other := withID(said("room", "ada", `"second"`), "id2")
	other.Event, other.Binary = "other", true
	s.duplicate(other, second, keepAll)
	third := s.store(said("room", "ada", `"third"`), keepAll)
	if third.Offset != 3 {
		s.t.Fatalf("after two messages and three duplicates the next offset is %d, want 3", third.Offset)
	}
	s.heard(subscribers, first, second, third)
	s.logged("room", first, second, third)
}

func brokerNoDuplicate(s *brokerScript) {
	subscribers := s.subscribeAll("room")
	var want []room.Message
	add := func(m room.Message) {
		s.t.Helper()
		want = append(want, s.store(m, keepAll))
	}
	add(withID(said("room", "ada", "1"), "id"))
	add(withID(said("room", "bob", "2"), "id"))
	add(withID(said("room", "", "3"), "id"))
	add(withID(said("room", "ada", "4"), "ID"))
	add(withID(said("room", "ada", "5"), "id "))
	add(withID(said("room", "adai", "6"), "d"))
	add(withID(said("room", "ad", "7"), "aid"))
	add(withID(said("room", "ada:i", "8"), "d"))
	add(withID(said("room", "ada", "9"), "i:d"))
	add(said("room", "ada", "10"))
	add(said("room", "ada", "11"))
	if other := s.store(withID(said("other", "ada", "12"), "id"), keepAll); other.Offset != 1 {
		s.t.Fatalf("the first message of another room has the offset %d", other.Offset)
	}

	// What is not stored is not remembered, and not taken for what is.
	for _, id := range []string{"id", "fleeting", "fleeting"} {
		m := withID(said("room", "ada", "0"), id)
		s.publish(m, room.Retention{})
		want = append(want, m)
	}
	add(withID(said("room", "ada", "13"), "fleeting"))
	joined := room.Message{Kind: room.KindJoined, Room: "room", From: "ada", ID: "id", At: now()}
	s.publish(joined, keepAll)
	want = append(want, joined)
	s.heard(subscribers, want...)
}

func brokerDedupWindow(s *brokerScript) {
	l := s.subscribe("room")
	keep := room.Keep(2, time.Hour)
	first := s.store(withID(said("room", "ada", "1"), "id"), keep)
	s.storeSome("room", 5, keep)
	s.duplicate(withID(said("room", "ada", "1"), "id"), first, keep) // its message is trimmed
	newer := 999
	for i := range newer {
		s.store(withID(said("room", "bob", "1"), fmt.Sprint("id", i)), keep)
	}
	s.duplicate(withID(said("room", "ada", "1"), "id"), first, keep)
	if !s.real {
		time.Sleep(5*time.Minute - time.Millisecond)
		s.duplicate(withID(said("room", "ada", "1"), "id"), first, keep)
	}
	l.cancel()

	// It outlives the messages, the subscribers, and what else is there.
	short := room.Keep(1, s.some())
	only := s.store(withID(said("short", "ada", "1"), "id"), short)
	s.pass(s.some() + 2*time.Millisecond)
	s.logged("short")
	for i := range 50 {
		s.store(said(fmt.Sprint("other", i), "ada", "1"), short)
	}
	s.duplicate(withID(said("short", "ada", "1"), "id"), only, short)
}

func brokerDedupRace(s *brokerScript) {
	const attempts = 24
	subscribers := s.subscribeAll("room")
	var want []room.Message
	for round := range 10 {
		id := fmt.Sprint("id", round)
		var mu sync.Mutex
		var receipts []room.Receipt
		var stored []room.Message
		storm(attempts, func(i int) {
			m := withID(said("room", "ada", fmt.Sprint(i)), id)
			r, ok := s.detachedPublish(s.broker(), m, keepAll)
			if !ok {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			receipts = append(receipts, r)
			if !r.Duplicate {
				m.Position = r.Position
				stored = append(stored, m)
			}
		})
		if s.t.Failed() {
			return
		}
		if len(stored) != 1 {
			s.t.Fatalf("of %d calls at once with one ID %d stored the message, want exactly 1", attempts, len(stored))
		}
		for _, r := range receipts {
			if r.Position != stored[0].Position || !sameMilli(r.At, stored[0].At) {
				s.t.Fatalf("a receipt says %+v, the first one %+v", r, stored[0].Position)
			}
		}
		want = append(want, stored[0])
	}
	s.heard(subscribers, want...)
	s.logged("room", want...)
}
