package roomtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/room"
)

func brokerSubscribe(s *brokerScript) {
	early := s.subscribe("room")
	if early.at.Epoch == "" || early.at.Offset != 0 {
		s.t.Fatalf("who subscribes to a new room is at %+v, want offset 0 of an epoch", early.at)
	}
	if again := s.subscribe("room"); again.at != early.at {
		s.t.Fatalf("the second subscriber of a new room is at %+v, the first was at %+v", again.at, early.at)
	}
	if page := s.replay("room", everything); page.Last != early.at {
		s.t.Fatalf("Last of a new room is %+v, its subscriber was told %+v", page.Last, early.at)
	}
	first := s.storeSome("room", 3, keepAll)
	s.contiguous("the first messages", first, early.at.Epoch, 1)
	late := s.subscribe("room")
	if late.at != first[2].Position {
		s.t.Fatalf("who subscribes after %+v is at %+v", first[2].Position, late.at)
	}
	s.publish(said("room", "ada", `"not stored"`), room.Retention{})
	if l := s.subscribe("room"); l.at != first[2].Position {
		s.t.Fatalf("who subscribes after %+v and a message that was not stored is at %+v", first[2].Position, l.at)
	}
	second := s.storeSome("room", 3, keepAll)
	s.contiguous("the next messages", second, early.at.Epoch, 4)
	late.until(func(m room.Message) bool { return m.Offset == 0 })
	s.heard([]*listener{late}, second...)

	// A room that somebody has left, and somebody else comes to.
	left := s.subscribe("left")
	s.store(said("left", "ada", "1"), keepAll)
	left.cancel()
	s.store(said("left", "ada", "2"), keepAll)
	back := s.subscribe("left")
	if want := (room.Position{Epoch: left.at.Epoch, Offset: 2}); back.at != want {
		s.t.Fatalf("who comes to a room that keeps its messages is at %+v, want %+v", back.at, want)
	}
}

func brokerHandoff(s *brokerScript) {
	const publishers, each, comers = 4, 60, 12
	var all [comers]struct {
		l    *listener
		page room.Page
	}
	anchor := s.subscribe("room")
	storm(publishers+comers, func(i int) {
		if i < publishers {
			for n := range each {
				keep := keepAll
				if n%5 == 4 {
					keep = room.Retention{}
				}
				if _, ok := s.detachedPublish(s.broker(), said("room", "ada", fmt.Sprint(i, ".", n)), keep); !ok {
					return
				}
				if n%8 == 0 {
					s.yield()
				}
			}
			return
		}
		c := &all[i-publishers]
		for range i - publishers {
			s.yield()
		}
		l := newListener(s)
		ctx, cancel := callContext(s.t)
		defer cancel()
		b := s.broker()
		at, stop, err := b.Subscribe(ctx, "room", l.deliver)
		if !must(s.t, "Subscribe", err) {
			return
		}
		l.room, l.at, l.cancel = "room", at, stop
		s.t.Cleanup(stop)
		c.l = l
		c.page, err = s.broker().Replay(ctx, "room", room.Range{Before: at.Offset + 1, Limit: publishers * each})
		must(s.t, "Replay", err)
	})
	if s.t.Failed() {
		return
	}
	last := s.replay("room", room.Range{Limit: 1, Newest: true}).Last
	s.publish(room.Message{Kind: room.KindMessage, Room: "room", Event: "end", At: now()}, room.Retention{})
	for i, c := range all {
		given := c.l.until(func(m room.Message) bool { return m.Event == "end" })
		what := fmt.Sprintf("subscriber %d, who came at %d", i+1, c.l.at.Offset)
		if n := uint64(len(c.page.Messages)); n != c.l.at.Offset {
			s.t.Fatalf("%s: the log up to there has %d messages", what, n)
		}
		s.contiguous(what+": replayed and delivered", append(c.page.Messages, given...), last.Epoch, 1)
		if n := uint64(len(c.page.Messages) + len(offsets(given))); n != last.Offset {
			s.t.Fatalf("%s: %d messages replayed and delivered, want %d", what, n, last.Offset)
		}
	}
	anchor.cancel()
}

func brokerCancel(s *brokerScript) {
	goes, stays := s.subscribeOn(s.a, "room"), []*listener{s.subscribeOn(s.a, "room"), s.subscribeOn(s.b, "room")}
	first := s.store(said("room", "ada", `"first"`), keepAll)
	s.heard(append(stays, goes), first)
	goes.cancel()
	second := s.store(said("room", "ada", `"second"`), keepAll)
	third := said("room", "ada", `"third"`)
	s.publish(third, room.Retention{})
	s.heard(stays, second, third)
	goes.cancel()
	goes.cancel()
	fourth := s.store(said("room", "ada", `"fourth"`), keepAll)
	s.heard(stays, fourth)
	if got := goes.all(); len(got) > 0 {
		s.t.Fatalf("after cancel %d messages were delivered, the first being %s", len(got), brief(got[0]))
	}

	// Everyone goes, and somebody comes back.
	for _, l := range stays {
		l.cancel()
	}
	fifth := s.store(said("room", "ada", `"fifth"`), keepAll)
	back := s.subscribe("room")
	sixth := s.store(said("room", "ada", `"sixth"`), keepAll)
	s.heard([]*listener{back}, sixth)
	s.logged("room", first, second, fourth, fifth, sixth)
	for _, l := range stays {
		if got := l.all(); len(got) > 0 {
			s.t.Fatalf("after cancel %d messages were delivered, the first being %s", len(got), brief(got[0]))
		}
	}
}

func brokerCancelRace(s *brokerScript) {
	rounds := 40
	if s.real {
		rounds = 10
	}
	for round := range rounds {
		name := fmt.Sprint("room", round)
		var stop atomic.Bool
		var canceled [4]atomic.Bool
		var going [4]atomic.Int64
		var delivered atomic.Int64
		storm(2+len(canceled), func(i int) {
			if i < 2 { // publish
				for n := 0; !stop.Load(); {
					if _, ok := s.detachedPublish(alternate(i, s.a, s.b), said(name, "ada", "1"), room.Retention{}); !ok {
						return
					}
					if n++; n%4 == 0 {
						s.yield()
					}
				}
				return
			}
			i -= 2
			deliver := func(room.Message) {
				going[i].Add(1)
				if canceled[i].Load() {
					s.t.Error("deliver was called after cancel had returned")
				}
				for range 5 {
					runtime.Gosched()
				}
				delivered.Add(1)
				going[i].Add(-1)
			}
			ctx, cancel := callContext(s.t)
			defer cancel()
			_, leave, err := alternate(i, s.a, s.b).Subscribe(ctx, name, deliver)
			if !must(s.t, "Subscribe", err) {
				stop.Store(true)
				return
			}
			for seen := delivered.Load(); delivered.Load() < seen+2 && !stop.Load(); {
				s.yield()
			}
			leave()
			if going[i].Load() != 0 {
				s.t.Error("cancel returned while deliver was going on")
			}
			canceled[i].Store(true)
			for range 10 { // and a little longer
				s.yield()
			}
			stop.Store(true)
		})
		if s.t.Failed() {
			return
		}
	}
}

func brokerContextEnds(s *brokerScript) {
	l := newListener(s)
	ctx, end := context.WithTimeout(context.WithoutCancel(s.t.Context()), time.Minute)
	at, stop, err := s.a.Subscribe(ctx, "room", l.deliver)
	if err != nil {
		s.t.Fatalf("Subscribe: %v", err)
	}
	s.t.Cleanup(stop)
	l.room, l.at = "room", at
	s.heard([]*listener{l})
	end()
	s.pass(20 * time.Millisecond)
	first := s.store(said("room", "ada", "1"), keepAll)
	s.heard([]*listener{l}, first)

	// What Publish has taken is delivered even if its context ends at once.
	ctx, end = context.WithTimeout(context.WithoutCancel(s.t.Context()), time.Minute)
	m := said("room", "ada", "2")
	r, err := s.b.Publish(ctx, m, keepAll)
	end()
	if err != nil {
		s.t.Fatalf("Publish: %v", err)
	}
	m.Position = r.Position
	s.heard([]*listener{l}, m)
	if !s.real {
		time.Sleep(time.Hour)
		s.heard([]*listener{l})
	}
}

func brokerContext(s *brokerScript) {
	l := s.subscribe("room")
	all := s.storeSome("room", 2, keepAll)
	s.heard([]*listener{l}, all...)
	done, cancel := context.WithCancel(s.t.Context())
	cancel()
	check := func(what string, err error) {
		s.t.Helper()
		if errors.Is(err, room.ErrNoMessage) || errors.Is(err, room.ErrNoRoom) {
			s.t.Fatalf("%s with a context that is done: %v, which is not true", what, err)
		}
	}
	receipt, err := s.broker().Publish(done, said("room", "ada", `"maybe"`), keepAll)
	check("Publish", err)
	if err == nil && receipt.Offset != 3 {
		s.t.Fatalf("Publish with a context that is done = %+v without an error", receipt)
	}
	_, err = s.broker().Amend(done, edit("room", "ada", 1, `"maybe"`), "ada", keepAll)
	check("Amend", err)
	at, stop, err := s.broker().Subscribe(done, "room", func(room.Message) {})
	check("Subscribe", err)
	if err == nil {
		if at.Epoch != all[0].Epoch {
			s.t.Fatalf("Subscribe with a context that is done is at %+v without an error", at)
		}
		stop()
	}
	page, err := s.broker().Replay(done, "room", everything)
	check("Replay", err)
	if err == nil && len(page.Messages) < 2 {
		s.t.Fatalf("Replay with a context that is done has %d messages without an error", len(page.Messages))
	}
	check("Forget", s.broker().Forget(done, "other"))

	next := s.store(said("room", "ada", `"next"`), keepAll)
	given := l.until(func(m room.Message) bool { return m.Offset == next.Offset })
	s.contiguous("delivered", append(given, next), all[0].Epoch, 3)
}
