package roomtest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/wardroom/wardroom/room"
)

// cut is what Replay must answer, from a log of which the messages are kept.
func cut(log []room.Message, r room.Range) (want []room.Message, more bool) {
	want = slices.DeleteFunc(slices.Clone(log), func(m room.Message) bool {
		return m.Offset <= r.After || r.Before != 0 && m.Offset >= r.Before
	})
	if len(want) <= r.Limit {
		return want, false
	}
	if r.Newest {
		return want[len(want)-r.Limit:], true
	}
	return want[:r.Limit], true
}

// answers fails unless Replay does as cut says.
func (s *brokerScript) answers(name string, log []room.Message, last room.Position, r room.Range) {
	s.t.Helper()
	left := r
	follows := r.Since.Epoch == last.Epoch && r.Since.Offset <= last.Offset
	if follows {
		left.After = max(left.After, r.Since.Offset)
	}
	want, more := cut(log, left)
	page := s.replay(name, r)
	s.sameMessages(fmt.Sprintf("Replay(%q, %+v)", name, r), page.Messages, want, true)
	first := uint64(0)
	if len(log) > 0 {
		first = log[0].Offset
	}
	if page.More != more || page.First != first || page.Last != last {
		s.t.Fatalf("Replay(%q, %+v) has More %v, First %d, Last %+v; want %v, %d, %+v",
			name, r, page.More, page.First, page.Last, more, first, last)
	}
	if page.Follows != follows {
		s.t.Fatalf("Replay(%q, %+v) has Follows %v, want %v: Last is %+v", name, r, page.Follows, follows, last)
	}
}

func brokerReplay(s *brokerScript) {
	all := s.storeSome("room", 10, room.Keep(6, time.Hour))
	log, last := all[4:], all[9].Position // 5 to 10
	step := 1
	if s.real {
		step = 3
	}
	for after := 0; after <= 12; after += step {
		for before := 0; before <= 13; before += step {
			for limit := 1; limit <= 7; limit += step {
				for _, newest := range []bool{false, true} {
					s.answers("room", log, last, room.Range{After: uint64(after), Before: uint64(before), Limit: limit, Newest: newest})
				}
			}
		}
	}
	for _, far := range []uint64{1 << 31, 1 << 53, math.MaxUint64} {
		for _, newest := range []bool{false, true} {
			s.answers("room", log, last, room.Range{After: far, Limit: 3, Newest: newest})
			s.answers("room", log, last, room.Range{Before: far, Limit: 3, Newest: newest})
			s.answers("room", log, last, room.Range{After: far, Before: far, Limit: 3, Newest: newest})
			s.answers("room", log, last, room.Range{After: far, Before: 7, Limit: 3, Newest: newest})
		}
	}

	// A walk in pages, from both ends.
	many := s.storeSome("many", 25, keepAll)
	var forth, back []room.Message
	for after, more := uint64(0), true; more; {
		page := s.replay("many", room.Range{After: after, Limit: 4})
		forth = append(forth, page.Messages...)
		if len(page.Messages) == 0 {
			break
		}
		after, more = page.Messages[len(page.Messages)-1].Offset, page.More
	}
	for before, more := uint64(0), true; more; {
		page := s.replay("many", room.Range{Before: before, Limit: 4, Newest: true})
		back = append(slices.Clone(page.Messages), back...)
		if len(page.Messages) == 0 {
			break
		}
		before, more = page.Messages[0].Offset, page.More
	}
	s.sameMessages("a walk from the oldest on", forth, many, true)
	s.sameMessages("a walk from the newest back", back, many, true)
}

// brokerPageBytes looks for pages that end by their size, from both ends.
func brokerPageBytes(s *brokerScript) {
	const count, large = 8, 10_000
	text := `"` + strings.Repeat("x", large-2) + `"`
	log := make([]room.Message, count)
	for i := range log {
		log[i] = s.store(said("room", "ada", text), keepAll)
	}
	for _, newest := range []bool{false, true} {
		for _, c := range []struct{ bytes, want int }{{1, 1}, {large / 2, 1}, {3*large - large/2, 3}, {2 * count * large, count}, {0, count}} {
			want := log[:c.want]
			if newest {
				want = log[count-c.want:]
			}
			page := s.replay("room", room.Range{Limit: 100, Bytes: c.bytes, Newest: newest})
			s.sameMessages(fmt.Sprintf("a page of %d bytes, newest %v,", c.bytes, newest), page.Messages, want, true)
			if more := c.want < count; page.More != more {
				s.t.Fatalf("a page of %d bytes, newest %v, has More %v, want %v", c.bytes, newest, page.More, more)
			}
		}
		page := s.replay("room", room.Range{Limit: 2, Bytes: 5 * large, Newest: newest})
		if len(page.Messages) != 2 || !page.More {
			s.t.Fatalf("a page that Limit ends before Bytes has %d messages, want 2, and More %v", len(page.Messages), page.More)
		}
	}
}

func brokerSince(s *brokerScript) {
	all := s.storeSome("room", 10, room.Keep(6, time.Hour))
	log, last := all[4:], all[9].Position // 5 to 10
	other := s.store(said("other", "ada", "1"), keepAll)
	step := uint64(1)
	if s.real {
		step = 3
	}
	epochs := []string{last.Epoch, other.Epoch, "", "made up", strings.ToLower(last.Epoch) + last.Epoch, last.Epoch[:len(last.Epoch)-1]}
	for _, epoch := range epochs {
		for offset := uint64(0); offset <= 12; offset += step {
			for _, r := range []room.Range{
				{Limit: 20},
				{Limit: 2, Newest: true},
				{Limit: 2, Before: 8},
				{Limit: 20, After: 6},
			} {
				r.Since = room.Position{Epoch: epoch, Offset: offset}
				s.answers("room", log, last, r)
			}
		}
	}
	for _, far := range []uint64{1 << 32, 1<<32 + 5, 1 << 53, math.MaxUint64} {
		s.answers("room", log, last, room.Range{Limit: 20, Since: room.Position{Epoch: last.Epoch, Offset: far}})
	}

	// Nothing follows on what was forgotten, not even on its beginning.
	s.forget("room")
	first := s.store(said("room", "ada", "anew"), keepAll)
	for offset := range uint64(3) {
		s.answers("room", []room.Message{first}, first.Position, room.Range{Limit: 20, Since: room.Position{Epoch: last.Epoch, Offset: offset}})
		s.answers("room", []room.Message{first}, first.Position, room.Range{Limit: 20, Since: room.Position{Epoch: first.Epoch, Offset: offset}})
	}

	// An empty log goes on from its beginning, and one of which nothing is
	// known from nowhere.
	l := s.subscribe("quiet")
	for _, r := range []room.Range{everything, {Limit: 1, Since: l.at}, {Limit: 1, Since: room.Position{Epoch: l.at.Epoch, Offset: 1}}, {Limit: 1, Since: last}} {
		s.answers("quiet", nil, l.at, r)
	}
	l.cancel()
	if page := s.replay("unknown", room.Range{Limit: 1, Since: last}); page.Follows {
		s.t.Fatalf("the log of an unknown room follows %+v", last)
	}
}

func brokerReplayOfNothing(s *brokerScript) {
	for _, r := range []room.Range{everything, {Limit: 1}, {After: 5, Limit: 1}, {Before: 5, Limit: 1, Newest: true}} {
		page := s.replay("unknown", r)
		if len(page.Messages) > 0 || page.First != 0 || page.More || page.Last != (room.Position{}) {
			s.t.Fatalf("Replay(%+v) of an unknown room = %+v, want an empty page", r, page)
		}
	}
	if m := s.store(said("unknown", "ada", "1"), keepAll); m.Offset != 1 {
		s.t.Fatalf("its first message has the offset %d", m.Offset)
	}

	// One where nothing was stored is empty too.
	l := s.subscribe("quiet")
	s.publish(said("quiet", "ada", "1"), room.Retention{})
	page := s.replay("quiet", everything)
	if len(page.Messages) > 0 || page.First != 0 || page.More || page.Last.Offset != 0 {
		s.t.Fatalf("Replay of a room where nothing was stored = %+v", page)
	}
	l.cancel()
}

func brokerPage(s *brokerScript) {
	want := s.storeSome("room", 8, keepAll)
	for range 2 {
		page := s.replay("room", everything)
		s.sameMessages("a page", page.Messages, want, true)
		slices.Reverse(page.Messages)
		for i := range page.Messages {
			page.Messages[i] = room.Message{Event: "scribbled on"}
		}
		_ = append(page.Messages[:2], room.Message{Event: "appended"})
	}
	part := s.replay("room", room.Range{After: 2, Before: 5, Limit: 10})
	_ = append(part.Messages, room.Message{Event: "appended"})
	s.logged("room", want...)
}
