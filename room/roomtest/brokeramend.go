package roomtest

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/room"
)

func brokerEdit(s *brokerScript) {
	subscribers := s.subscribeAll("room")
	m := withID(said("room", "ada", `"first"`), "id")
	m.Event = "note"
	first := s.store(m, keepAll)
	binary := said("room", "bob", "\x00\xFF")
	binary.Binary = true
	second := s.store(binary, keepAll)
	heard := []room.Message{first, second}
	s.pass(5 * time.Millisecond)

	e1 := s.amend(edit("room", "ada", 1, `"edited"`), "ada", keepAll)
	e2 := s.amend(edit("room", "ada", 1, `{"edited":2}`), "ada", keepAll)
	e3 := s.amend(edit("room", "mod", 2, `"by somebody else"`), "", keepAll)
	s.contiguous("edits", []room.Message{e1, e2, e3}, first.Epoch, 3)
	s.heard(subscribers, append(heard, e1, e2, e3)...)

	first.Data = []byte(`{"edited":2}`)
	second.Data, second.Binary = []byte(`"by somebody else"`), false
	s.logged("room", first, second, e1, e2, e3)

	// An edit is no use of an ID, and its ID no use to anybody.
	s.duplicate(m, first, keepAll)
	next := s.store(said("room", "ada", `"next"`), keepAll)
	if next.Offset != 6 {
		s.t.Fatalf("after two messages and three edits the next offset is %d, want 6", next.Offset)
	}
	s.heard(subscribers, next)
}

func brokerRedact(s *brokerScript) {
	subscribers := s.subscribeAll("room")
	first := s.store(withID(said("room", "ada", `"secret"`), "id"), keepAll)
	e := s.amend(edit("room", "ada", 1, `"more secret"`), "ada", keepAll)
	binary := said("room", "bob", "\x00secret")
	binary.Binary = true
	second := s.store(binary, keepAll)
	s.heard(subscribers, first, e, second)

	r := redact("room", "mod", 1)
	r.Reason = "not for here"
	r = s.amend(r, "", keepAll)
	own := s.amend(redact("room", "bob", 3), "bob", keepAll)
	s.heard(subscribers, r, own)

	first.Data, first.Redacted = nil, true
	e.Data, e.Redacted = nil, true
	second.Data, second.Redacted, second.Binary = nil, true, false
	s.logged("room", first, e, second, r, own)
	s.duplicate(withID(said("room", "ada", `"secret"`), "id"), first, keepAll)
	s.logged("room", first, e, second, r, own)
}

func brokerNoMessage(s *brokerScript) {
	subscribers := s.subscribeAll("room")
	s.amendNone(edit("unknown", "ada", 1, "1"), "ada")
	s.amendNone(edit("room", "ada", 1, "1"), "ada")
	keep := room.Keep(5, time.Hour)
	all := s.storeSome("room", 6, keep) // 1 is gone
	bob := s.store(said("room", "bob", `"bob's"`), keep)
	e := s.amend(edit("room", "ada", 5, `"edited"`), "ada", keep)
	r := s.amend(redact("room", "ada", 6), "ada", keep)
	heard := append(slices.Clone(all), bob, e, r)
	all[4].Data = []byte(`"edited"`)
	all[5].Data, all[5].Redacted = nil, true
	want := []room.Message{all[4], all[5], bob, e, r}
	s.logged("room", want...)

	for _, target := range []uint64{
		0, 1, // none, trimmed
		3, 4, // trimmed by the amendments
		6,    // redacted
		8, 9, // amendments themselves
		10, 1 << 40, 1<<64 - 1, // to come
	} {
		for _, author := range []string{"ada", ""} {
			s.amendNone(edit("room", "ada", target, `"mine now"`), author)
			s.amendNone(redact("room", "ada", target), author)
		}
		s.logged("room", want...)
	}
	for _, author := range []string{"ada", "bo", "bobby", "Bob"} {
		s.amendNone(edit("room", author, 7, `"mine now"`), author)
		s.amendNone(redact("room", author, 7), author)
	}
	host := s.store(said("room", "", `"the host's"`), keep)
	s.amendNone(edit("room", "ada", host.Offset, `"mine now"`), "ada")
	s.heard(subscribers, append(heard, host)...)
	s.logged("room", append(want[1:], host)...)
}

func brokerOldCopies(s *brokerScript) {
	l := s.subscribe("room")
	first := s.store(said("room", "ada", `"first"`), keepAll)
	second := s.store(said("room", "ada", `"second"`), keepAll)
	// The broker keeps the data that it was given; these are not that.
	first.Data, second.Data = []byte(`"first"`), []byte(`"second"`)
	page := s.replay("room", everything)
	delivered := l.wait(2)
	s.amend(edit("room", "ada", 1, `"FIRST"`), "ada", keepAll)
	s.amend(redact("room", "ada", 2), "ada", keepAll)
	edits := l.wait(2)
	s.amend(edit("room", "ada", 1, `"other"`), "ada", keepAll)
	s.sameMessages("a page that was read before", page.Messages, []room.Message{first, second}, true)
	s.sameMessages("what was delivered before", delivered, []room.Message{first, second}, false)
	if string(edits[0].Data) != `"FIRST"` {
		s.t.Fatalf("an edit that was delivered now has the data of the next: %s", edits[0].Data)
	}
}

func brokerAmendRace(s *brokerScript) {
	for round := range 10 {
		name := fmt.Sprint("room", round)
		l := s.subscribe(name)
		s.store(said(name, "ada", `"secret"`), keepAll)
		const callers = 16
		var redacted, edited atomic.Int64
		storm(callers, func(i int) {
			m, n := redact(name, "mod", 1), &redacted
			if i%2 == 0 {
				m, n = edit(name, "ada", 1, fmt.Sprintf(`"secret %d"`, i)), &edited
			}
			ctx, cancel := callContext(s.t)
			defer cancel()
			_, err := s.broker().Amend(ctx, m, "", keepAll)
			if err == nil {
				n.Add(1)
			} else if !errors.Is(err, room.ErrNoMessage) {
				s.t.Errorf("Amend: %v", err)
			}
		})
		if n := redacted.Load(); n != 1 {
			s.t.Fatalf("of %d redactions at once %d succeeded, want exactly 1", callers/2, n)
		}
		page := s.replay(name, everything)
		if want := 2 + int(edited.Load()); len(page.Messages) != want {
			s.t.Fatalf("the log has %d entries, want %d: the message and %d amendments that succeeded", len(page.Messages), want, want-1)
		}
		if m := page.Messages[0]; !m.Redacted || len(m.Data) > 0 {
			s.t.Fatalf("a redacted message is in the log as %s", brief(m))
		}
		given := l.wait(len(page.Messages))
		s.contiguous("amendments at once", given, l.at.Epoch, 1)
		if last := given[len(given)-1]; last.Kind != room.KindRedacted {
			s.t.Fatalf("after the redaction came %s", brief(last))
		}
		l.cancel()
	}
}
