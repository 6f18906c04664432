package roomtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

// A brokerScript drives one broker, by way of two nodes in turn, and fails the
// test when an answer is wrong.
type brokerScript struct {
	t *testing.T
	clock
	delivery time.Duration
	seed     uint64
	a, b     room.Broker // of two nodes; the same one where there is no Peer

	calls     atomic.Int64
	sentinels int
}

// broker is the next node's.
func (s *brokerScript) broker() room.Broker { return alternate(int(s.calls.Add(1)), s.a, s.b) }

// keepAll is a retention that no case reaches.
var keepAll = room.Keep(100_000, 24*time.Hour)

// said is a message with the fields that most have.
func said(name, from, data string) room.Message {
	return room.Message{Kind: room.KindMessage, Room: name, Event: "message", From: from, Data: []byte(data), At: now()}
}

// publish must succeed, and not be taken for a duplicate.
func (s *brokerScript) publish(m room.Message, keep room.Retention) room.Receipt {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	r, err := s.broker().Publish(ctx, m, keep)
	if err != nil {
		s.t.Fatalf("Publish(%s): %v", brief(m), err)
	}
	if r.Duplicate || !sameMilli(r.At, m.At) {
		s.t.Fatalf("Publish(%s) = %+v, want At %v and no duplicate", brief(m), r, m.At)
	}
	return r
}

// store publishes data with keep and returns the message as it is in the log.
func (s *brokerScript) store(m room.Message, keep room.Retention) room.Message {
	s.t.Helper()
	m.Position = s.publish(m, keep).Position
	if m.Epoch == "" || m.Offset == 0 {
		s.t.Fatalf("Publish(%s) with retention %+v has the position %+v, want an epoch and an offset", brief(m), keep, m.Position)
	}
	return m
}

// storeSome stores n messages of ada's in a room.
func (s *brokerScript) storeSome(name string, n int, keep room.Retention) []room.Message {
	s.t.Helper()
	list := make([]room.Message, n)
	for i := range list {
		list[i] = s.store(said(name, "ada", fmt.Sprint(i)), keep)
	}
	return list
}

// amend must succeed and returns the amendment as it is in the log.
func (s *brokerScript) amend(m room.Message, author string, keep room.Retention) room.Message {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	r, err := s.broker().Amend(ctx, m, author, keep)
	if err != nil {
		s.t.Fatalf("Amend(%s) as %q: %v", brief(m), author, err)
	}
	if r.Duplicate || !sameMilli(r.At, m.At) {
		s.t.Fatalf("Amend(%s) = %+v, want At %v and no duplicate", brief(m), r, m.At)
	}
	m.Position = r.Position
	return m
}

// amendNone must fail.
func (s *brokerScript) amendNone(m room.Message, author string) {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	r, err := s.broker().Amend(ctx, m, author, keepAll)
	if !errors.Is(err, room.ErrNoMessage) {
		s.t.Fatalf("Amend(%s) as %q = %+v, error %v; want an error that is: %v", brief(m), author, r, err, room.ErrNoMessage)
	}
}

func edit(name, from string, target uint64, data string) room.Message {
	return room.Message{Kind: room.KindEdited, Room: name, From: from, Target: target, Data: []byte(data), At: now()}
}

func redact(name, from string, target uint64) room.Message {
	return room.Message{Kind: room.KindRedacted, Room: name, From: from, Target: target, At: now()}
}

func (s *brokerScript) replay(name string, r room.Range) room.Page {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	page, err := s.broker().Replay(ctx, name, r)
	if err != nil {
		s.t.Fatalf("Replay(%q, %+v): %v", name, r, err)
	}
	return page
}

// everything is a Range that takes in the whole log.
var everything = room.Range{Limit: math.MaxInt32}

// logged fails unless the log is exactly these messages, on both nodes.
func (s *brokerScript) logged(name string, want ...room.Message) {
	s.t.Helper()
	for range 2 {
		page := s.replay(name, everything)
		s.sameMessages(fmt.Sprintf("the log of %q", name), page.Messages, want, true)
		first := uint64(0)
		if len(want) > 0 {
			first = want[0].Offset
		}
		if page.First != first || page.More {
			s.t.Fatalf("the page of all of %q has First %d and More %v, want %d and false", name, page.First, page.More, first)
		}
	}
}

// sameMessages compares two lists. Who is not to get a message (Except) does
// not matter once it is in the log.
func (s *brokerScript) sameMessages(what string, got, want []room.Message, log bool) {
	s.t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			s.t.Fatalf("%s ends after %d, want %d: the next should be\n\t%s", what, i, len(want), brief(want[i]))
		case i >= len(want):
			s.t.Fatalf("%s has more than the %d wanted: the next is\n\t%s", what, i, brief(got[i]))
		}
		g, w := got[i], want[i]
		if log {
			g.Except, w.Except = "", ""
		}
		if diff := differs(g, w); diff != "" {
			s.t.Fatalf("%s: number %d of %d differs in %s:\n\tgot  %s\n\twant %s", what, i+1, len(want), diff, brief(g), brief(w))
		}
	}
}

// differs names the first field in which two messages are not the same.
func differs(a, b room.Message) string {
	for _, f := range []struct {
		name string
		same bool
	}{
		{"Kind", a.Kind == b.Kind},
		{"Room", a.Room == b.Room},
		{"Event", a.Event == b.Event},
		{"From", a.From == b.From},
		{"Name", a.Name == b.Name},
		{"Reason", a.Reason == b.Reason},
		{"ID", a.ID == b.ID},
		{"Data", bytes.Equal(a.Data, b.Data)},
		{"Binary", a.Binary == b.Binary},
		{"At", sameMilli(a.At, b.At)},
		{"Target", a.Target == b.Target},
		{"Redacted", a.Redacted == b.Redacted},
		{"Until", sameMilli(a.Until, b.Until)},
		{"Session", a.Session == b.Session},
		{"Act", a.Act == b.Act},
		{"Except", a.Except == b.Except},
		{"Offset", a.Offset == b.Offset},
		{"Epoch", a.Epoch == b.Epoch},
	} {
		if !f.same {
			return f.name
		}
	}
	return ""
}

// kindName is a kind for people.
func kindName(k room.Kind) string {
	switch k {
	case room.KindMessage:
		return "message"
	case room.KindJoined:
		return "joined"
	case room.KindLeft:
		return "left"
	case room.KindPresence:
		return "presence"
	case room.KindUpdated:
		return "updated"
	case room.KindDeleted:
		return "deleted"
	case room.KindEdited:
		return "edited"
	case room.KindRedacted:
		return "redacted"
	}
	return fmt.Sprint("kind ", k)
}

// brief is a message for people, without what is not set.
func brief(m room.Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s in %q", kindName(m.Kind), m.Room)
	for _, f := range []struct {
		set  bool
		name string
		is   any
	}{
		{m.Offset != 0, "offset", m.Offset},
		{m.Epoch != "", "epoch", m.Epoch},
		{m.From != "", "from", m.From},
		{m.Name != "", "name", m.Name},
		{m.Event != "", "event", m.Event},
		{m.ID != "", "ID", m.ID},
		{len(m.Data) > 0, "data", fmt.Sprintf("%.80q", m.Data)},
		{m.Binary, "binary", true},
		{m.Target != 0, "target", m.Target},
		{m.Redacted, "redacted", true},
		{m.Reason != "", "reason", m.Reason},
		{m.Except != "", "except", m.Except},
		{m.Session != "", "session", m.Session},
		{m.Act != "", "act", m.Act},
		{!m.Until.IsZero(), "until", m.Until.UTC()},
		{!m.At.IsZero(), "at", m.At.UTC().Format("15:04:05.000")},
	} {
		if f.set {
			fmt.Fprintf(&b, ", %s %v", f.name, f.is)
		}
	}
	return b.String()
}

// subscribe must succeed. The subscription ends with the test.
func (s *brokerScript) subscribe(name string) *listener {
	s.t.Helper()
	return s.subscribeOn(s.broker(), name)
}

func (s *brokerScript) subscribeOn(b room.Broker, name string) *listener {
	s.t.Helper()
	l := newListener(s)
	ctx, cancel := callContext(s.t)
	defer cancel()
	at, stop, err := b.Subscribe(ctx, name, l.deliver)
	if err != nil {
		s.t.Fatalf("Subscribe(%q): %v", name, err)
	}
	if stop == nil {
		s.t.Fatalf("Subscribe(%q) returned no cancel", name)
	}
	l.room, l.at, l.cancel = name, at, stop
	s.t.Cleanup(stop)
	return l
}

// subscribeAll subscribes on each node, and twice on one.
func (s *brokerScript) subscribeAll(name string) []*listener {
	s.t.Helper()
	return []*listener{s.subscribeOn(s.a, name), s.subscribeOn(s.b, name), s.subscribeOn(s.a, name)}
}

// heard fails unless each listener was given exactly these messages since it
// was last asked. To know that nothing more is on its way it publishes a
// message of its own, which order makes the last.
func (s *brokerScript) heard(listeners []*listener, want ...room.Message) {
	s.t.Helper()
	byRoom := make(map[string][]*listener)
	for _, l := range listeners {
		byRoom[l.room] = append(byRoom[l.room], l)
	}
	for name, list := range byRoom {
		s.sentinels++
		sentinel := room.Message{Kind: room.KindMessage, Room: name, Event: fmt.Sprint("sentinel", s.sentinels), At: now()}
		s.publish(sentinel, room.Retention{})
		for i, l := range list {
			got := l.until(func(m room.Message) bool { return m.Event == sentinel.Event })
			s.sameMessages(fmt.Sprintf("what subscriber %d of %q was given", i+1, name), got, want, false)
		}
	}
}

// forget must succeed.
func (s *brokerScript) forget(name string) {
	s.t.Helper()
	ctx, cancel := callContext(s.t)
	defer cancel()
	if err := s.broker().Forget(ctx, name); err != nil {
		s.t.Fatalf("Forget(%q): %v", name, err)
	}
}

// detachedPublish is for goroutines that are not the test's.
func (s *brokerScript) detachedPublish(b room.Broker, m room.Message, keep room.Retention) (room.Receipt, bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), callTimeout)
	defer cancel()
	r, err := b.Publish(ctx, m, keep)
	return r, must(s.t, "Publish", err)
}

// offsets are those of the messages that have one.
func offsets(list []room.Message) []uint64 {
	var all []uint64
	for _, m := range list {
		if m.Offset != 0 {
			all = append(all, m.Offset)
		}
	}
	return all
}

// contiguous fails unless the messages with an offset are from first on, all of
// one epoch.
func (s *brokerScript) contiguous(what string, list []room.Message, epoch string, first uint64) {
	s.t.Helper()
	next := first
	for _, m := range list {
		if m.Offset == 0 {
			continue
		}
		if m.Offset != next || m.Epoch != epoch {
			s.t.Fatalf("%s: offset %d of epoch %q where %d of %q should be; all offsets: %v",
				what, m.Offset, m.Epoch, next, epoch, shorten(offsets(list)))
		}
		next++
	}
}

func shorten[T any](list []T) string {
	if len(list) <= 40 {
		return fmt.Sprint(list)
	}
	return fmt.Sprint(slices.Clone(list[:20]), " … ", list[len(list)-20:])
}
