package redisroom

import (
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

// A subscriber is told of a loss with the position that the next stored message
// is behind, also where something comes first that is not stored: who joins in
// between is told that place.
func TestWhereALossEnds(t *testing.T) {
	t.Parallel()
	a := newAside(t, "room")
	keep, passing := room.Keep(2, time.Hour), room.Retention{}
	a.say(t, "room", "first", "", keep)
	a.hears(t, "first")
	for _, kept := range []bool{true, true, false, true, false, true} {
		if kept {
			a.miss(t, "room", "kept", "", keep)
		} else {
			a.miss(t, "room", "passing", "", passing)
		}
	}
	a.deaf.Store(false)
	a.say(t, "room", "end", "", keep)
	steps(t, a.heard, 1)
}

// So it is where what is lost to Redis has come through the channel.
func TestWhereALossEndsBeforeWhatWasHeard(t *testing.T) {
	t.Parallel()
	a := newAside(t, "elsewhere")
	said := func(seq, offset uint64, event string) entry {
		e := entry{seq: seq, Message: room.Message{Kind: room.KindMessage, Event: event}}
		if offset != 0 {
			e.Position = room.Position{Epoch: "two", Offset: offset}
		}
		return e
	}
	for _, o := range []outcome{unrelated, partly, follows} {
		heard := make(chan room.Message, 100)
		f := &feed{b: a.b, keys: a.b.keysOf("room"), state: filling, gen: "gen", seq: 3, settled: make(chan struct{})}
		f.at = room.Position{Epoch: "one", Offset: 1}
		f.subs = []*subscriber{{deliver: func(m room.Message) { heard <- m }}}
		f.pending = []frame{
			{"later", said(11, 0, "")}, {"later", said(12, 7, "")}, {"other", said(13, 8, "")}, {"later", said(14, 0, "")},
		}
		f.asked = len(f.pending)
		m := missing{outcome: o, list: []entry{said(8, 0, ""), said(17, 12, ""), said(19, 0, "end")}}
		m.gen, m.seq, m.at = "later", 19, room.Position{Epoch: "two", Offset: 12}
		m.before = m.place
		m.before.seq, m.before.at.Offset = 3, 11
		if !f.apply(m) {
			t.Fatal("there is more")
		}
		steps(t, heard, 1)
	}
}

// steps fails unless stored messages come one behind the other, or behind a loss
// that is told.
func steps(t *testing.T, heard <-chan room.Message, offset uint64) {
	t.Helper()
	lost := 0
	for {
		select {
		case m := <-heard:
			switch {
			case m.Kind == room.KindLost:
				lost++
				if m.Offset < offset {
					t.Errorf("a loss up to %d is told behind %d", m.Offset, offset)
				}
				offset = m.Offset
			case m.Kind == room.KindContinued:
				if m.Offset != offset {
					t.Errorf("%d goes on at %d", offset, m.Offset)
				}
			case m.Offset != 0:
				if m.Offset != offset+1 {
					t.Errorf("%d comes behind %d", m.Offset, offset)
				}
				offset = m.Offset
			}
			if m.Event == "end" {
				if lost == 0 {
					t.Error("no loss is told")
				}
				return
			}
		case <-time.After(30 * time.Second):
			t.Fatal("the end is never heard")
		}
	}
}
