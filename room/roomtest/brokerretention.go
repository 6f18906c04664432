package roomtest

import (
	"time"

	"github.com/wardroom/wardroom/room"
)

func brokerRetentionByNumber(s *brokerScript) {
	for _, n := range []int{1, 2, 7} {
		name := string(rune('a' + n))
		keep := room.Keep(n, time.Hour)
		var all []room.Message
		for range 3*n + 2 {
			all = append(all, s.store(said(name, "ada", "1"), keep))
			s.logged(name, all[max(0, len(all)-n):]...)
		}
		s.contiguous("receipts", all, all[0].Epoch, 1)
	}
}

func brokerRetentionByAge(s *brokerScript) {
	age := 10 * time.Second
	if s.real {
		age = 6 * s.slack
	}
	keep := room.Keep(100, age)
	began := now()
	first := s.store(said("room", "ada", "1"), keep)
	time.Sleep(age / 2)
	second := s.store(said("room", "ada", "2"), keep)
	if !s.real || time.Since(began) < age-s.slack {
		s.logged("room", first, second)
	}
	if !s.real {
		time.Sleep(time.Until(first.At.Add(age)))
		s.logged("room", first, second)
		time.Sleep(time.Millisecond)
	} else {
		s.pass(time.Until(first.At.Add(age)))
	}
	if !s.real || time.Since(second.At) < age-s.slack {
		s.logged("room", second)
	}
	s.pass(time.Until(second.At.Add(age + time.Millisecond)))
	s.logged("room")
	third := s.store(said("room", "ada", "3"), keep)
	s.logged("room", third)

	day := room.Retention{Messages: 10}
	m := s.store(said("day", "ada", "1"), day)
	s.pass(time.Millisecond)
	s.logged("day", m)
	if !s.real {
		l := s.subscribe("day") // so that the room is not forgotten
		time.Sleep(24*time.Hour - time.Millisecond)
		s.logged("day", m)
		time.Sleep(time.Millisecond)
		s.logged("day")
		if next := s.store(said("day", "ada", "2"), day); next.Offset != 2 || next.Epoch != m.Epoch {
			s.t.Fatalf("the second message is at %+v, want offset 2 of epoch %q", next.Position, m.Epoch)
		}
		l.cancel()
	}
}

func brokerRetentionChanges(s *brokerScript) {
	l := s.subscribe("room")
	all := s.storeSome("room", 5, room.Keep(10, time.Hour))
	all = append(all, s.store(withID(said("room", "ada", "5"), "id"), room.Keep(10, time.Hour)))
	s.duplicate(withID(said("room", "ada", "5"), "id"), all[5], room.Keep(1, time.Hour))
	s.logged("room", all...)
	all = append(all, s.store(said("room", "ada", "fewer"), room.Keep(3, time.Hour)))
	s.logged("room", all[4:]...)
	all = append(all, s.store(said("room", "ada", "more"), room.Keep(5, time.Hour)))
	s.logged("room", all[4:]...)
	s.publish(said("room", "ada", "nothing"), room.Retention{})
	s.publish(room.Message{Kind: room.KindJoined, Room: "room", From: "bob", At: now()}, room.Keep(1, time.Hour))
	s.logged("room", all[4:]...)
	all = append(all, s.store(said("room", "ada", "five"), room.Keep(5, time.Hour)))
	s.logged("room", all[4:]...)

	e := s.amend(edit("room", "ada", all[8].Offset, `"edited"`), "ada", room.Keep(2, time.Hour))
	all[8].Data = []byte(`"edited"`)
	s.logged("room", all[8], e)
	l.cancel()
}

func brokerLast(s *brokerScript) {
	age := time.Minute
	if s.real {
		age = 2 * s.slack
	}
	keep := room.Keep(2, age)
	l := s.subscribe("room")
	var last room.Position
	for range 5 {
		last = s.store(said("room", "ada", "1"), keep).Position
		if page := s.replay("room", room.Range{Limit: 1}); page.Last != last {
			s.t.Fatalf("Last is %+v, want %+v", page.Last, last)
		}
	}
	s.pass(age + 2*time.Millisecond)
	for range 2 {
		page := s.replay("room", room.Range{Limit: 10})
		if len(page.Messages) > 0 || page.First != 0 || page.Last != last {
			s.t.Fatalf("when all are too old the page is %d messages, First %d, Last %+v; want none, 0 and %+v",
				len(page.Messages), page.First, page.Last, last)
		}
	}
	if late := s.subscribe("room"); late.at != last {
		s.t.Fatalf("who subscribes then is at %+v, want %+v", late.at, last)
	}
	next := s.store(said("room", "ada", "2"), keep)
	if next.Epoch != last.Epoch || next.Offset != last.Offset+1 {
		s.t.Fatalf("the next message is at %+v, want the one after %+v", next.Position, last)
	}
	l.cancel()
}

func brokerForget(s *brokerScript) {
	subscribers := s.subscribeAll("room")
	old := s.storeSome("room", 3, keepAll)
	m := said("room", "ada", `"with ID"`)
	m.ID = "once"
	old = append(old, s.store(m, keepAll))
	s.heard(subscribers, old...)
	s.forget("room")
	s.logged("room")
	page := s.replay("room", room.Range{Limit: 10})
	if page.Last.Offset != 0 || page.Last.Epoch == old[0].Epoch {
		s.t.Fatalf("Last of a log that was forgotten is %+v; it was %+v before", page.Last, old[3].Position)
	}
	s.amendNone(edit("room", "ada", 1, "1"), "ada")

	at := s.subscribe("room").at
	again := s.store(m, keepAll)
	if again.Offset != 1 || again.Epoch == old[0].Epoch {
		s.t.Fatalf("after Forget the first message is at %+v, want offset 1 of another epoch than %q", again.Position, old[0].Epoch)
	}
	if at != (room.Position{Epoch: again.Epoch}) {
		s.t.Fatalf("who subscribed after Forget was told %+v, and then came %+v", at, again.Position)
	}
	next := s.store(said("room", "ada", "next"), keepAll)
	s.contiguous("after Forget", []room.Message{again, next}, again.Epoch, 1)
	s.heard(subscribers, again, next)
	s.logged("room", again, next)

	s.forget("room")
	third := s.store(m, keepAll)
	if third.Offset != 1 || third.Epoch == old[0].Epoch || third.Epoch == again.Epoch {
		s.t.Fatalf("after the second Forget the first message is at %+v; epochs were %q and %q", third.Position, old[0].Epoch, again.Epoch)
	}
	s.heard(subscribers, third)

	s.forget("unknown")
	s.logged("unknown")
	s.forget("quiet")
	if m := s.store(said("quiet", "ada", "1"), keepAll); m.Offset != 1 {
		s.t.Fatalf("the first message of a room that was forgotten before has the offset %d", m.Offset)
	}
}
