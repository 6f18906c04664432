package roomtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/wardroom/wardroom/room"
)

// brokerPlay plays random calls on one room of a broker and on a model of it
// that is written down from the contract, and compares the outcomes.
type brokerPlay struct {
	s    *brokerScript
	rng  *rand.Rand
	name string
	age  time.Duration

	epoch string
	last  uint64
	keep  room.Retention
	log   []room.Message
	// ids are of the messages that a further one may be a duplicate of.
	ids         []room.Message
	epochs      []string
	fresh       int // IDs so far
	subscribers []*expecting
}

// expecting is a listener and what it is to hear next.
type expecting struct {
	*listener
	next []room.Message
}

func brokerRandom(s *brokerScript) {
	defer func() {
		if s.t.Failed() {
			s.t.Logf("repeat with roomtest.BrokerOptions{Seed: %d}", s.seed)
		}
	}()
	rng := newRand(s.seed)
	runs, steps := 12, 400
	if s.real {
		runs, steps = 2, 150
	}
	for run := range runs {
		p := &brokerPlay{s: s, rng: rng, name: fmt.Sprint("run:", run), age: time.Minute}
		if s.real {
			p.age = time.Hour
		}
		p.subscribe() // stays, so that the room is never forgotten
		p.begin(p.subscribers[0].at.Epoch)
		for range steps {
			p.step()
		}
		p.hear()
		for _, l := range p.subscribers {
			l.cancel()
		}
	}
}

// begin makes a new epoch.
func (p *brokerPlay) begin(epoch string) {
	if epoch == "" || slices.Contains(p.epochs, epoch) {
		p.s.t.Fatalf("the epoch %q after %q, want a new one", epoch, p.epochs)
	}
	p.epochs = append(p.epochs, epoch)
	p.epoch, p.last, p.log, p.ids = epoch, 0, nil, nil
}

func (p *brokerPlay) position() room.Position { return room.Position{Epoch: p.epoch, Offset: p.last} }

// trim drops what is too much or too old by now.
func (p *brokerPlay) trim() {
	p.log = p.log[max(0, len(p.log)-p.keep.Messages):]
	for len(p.log) > 0 && time.Since(p.log[0].At) > p.age {
		p.log = p.log[1:]
	}
}

func (p *brokerPlay) retention() room.Retention { return room.Keep(1+p.rng.IntN(12), p.age) }

func (p *brokerPlay) step() {
	p.trim()
	switch n := p.rng.IntN(100); {
	case n < 30:
		p.publish(p.message(), p.retention())
	case n < 38:
		p.again()
	case n < 48:
		m := p.message()
		if p.rng.IntN(2) == 0 {
			m.Kind = pick(p.rng, room.KindJoined, room.KindLeft, room.KindMuted)
			p.tell(m, p.retention())
		} else {
			p.tell(m, room.Retention{})
		}
	case n < 62:
		p.amend()
	case n < 80:
		r := room.Range{After: p.near(), Before: p.near(), Limit: 1 + p.rng.IntN(10), Newest: p.rng.IntN(2) == 0}
		if p.rng.IntN(2) == 0 {
			r.Since = room.Position{Epoch: pick(p.rng, p.epochs[p.rng.IntN(len(p.epochs))], p.epoch), Offset: p.near()}
		}
		p.s.answers(p.name, p.log, p.position(), r)
	case n < 84:
		if len(p.subscribers) < 6 {
			p.subscribe()
		}
	case n < 87:
		if len(p.subscribers) > 1 {
			p.hear()
			p.subscribers[len(p.subscribers)-1].cancel()
			p.subscribers = p.subscribers[:len(p.subscribers)-1]
		}
	case n < 88:
		p.s.forget(p.name)
		p.begin(p.s.replay(p.name, everything).Last.Epoch)
	case n < 92:
		p.hear()
	default:
		if !p.s.real {
			time.Sleep(time.Duration(p.rng.IntN(20_000)) * time.Millisecond)
		}
	}
}

// near is an offset about where the log is, or 0.
func (p *brokerPlay) near() uint64 {
	if p.rng.IntN(3) == 0 {
		return 0
	}
	return uint64(max(0, int(p.last)-14+p.rng.IntN(17)))
}

func (p *brokerPlay) message() room.Message {
	m := said(p.name, pick(p.rng, "ada", "bob", ""), fmt.Sprintf(`"%d"`, p.rng.Uint64()))
	if p.rng.IntN(2) == 0 {
		p.fresh++
		m.ID = fmt.Sprint("id", p.fresh)
	}
	m.Binary = p.rng.IntN(5) == 0
	return m
}

func (p *brokerPlay) deliver(m room.Message) {
	for _, l := range p.subscribers {
		l.next = append(l.next, m)
	}
}

// next is what the broker must answer with the next offset.
func (p *brokerPlay) next(what string, got room.Position) room.Position {
	p.last++
	if got != p.position() {
		p.s.t.Fatalf("%s is at %+v, want %+v", what, got, p.position())
	}
	return got
}

func (p *brokerPlay) publish(m room.Message, keep room.Retention) {
	p.keep = keep
	m.Position = p.next(brief(m), p.s.publish(m, keep).Position)
	p.log = append(p.log, m)
	p.trim()
	if m.ID != "" {
		p.ids = append(p.ids, m)
	}
	p.deliver(m)
}

// tell publishes what is not stored.
func (p *brokerPlay) tell(m room.Message, keep room.Retention) {
	if r := p.s.publish(m, keep); r.Position != (room.Position{}) {
		p.s.t.Fatalf("Publish(%s) with retention %+v has the position %+v, want none", brief(m), keep, r.Position)
	}
	p.deliver(m)
}

// again publishes with an ID that was used.
func (p *brokerPlay) again() {
	p.ids = slices.DeleteFunc(p.ids, func(m room.Message) bool { return time.Since(m.At) >= 5*time.Minute })
	if len(p.ids) == 0 {
		return
	}
	first := pick(p.rng, p.ids...)
	m := p.message()
	m.From, m.ID = first.From, first.ID
	p.s.duplicate(m, first, p.retention())
}

func (p *brokerPlay) amend() {
	target, author := p.near(), pick(p.rng, "ada", "bob", "")
	m := edit(p.name, "mod", target, fmt.Sprintf(`"edit %d"`, p.rng.Uint64()))
	if p.rng.IntN(3) == 0 {
		m = redact(p.name, "mod", target)
		m.Reason = "because"
	}
	i := slices.IndexFunc(p.log, func(m room.Message) bool { return m.Offset == target })
	if i < 0 || p.log[i].Kind != room.KindMessage || p.log[i].Redacted || author != "" && author != p.log[i].From {
		p.s.amendNone(m, author)
		return
	}
	keep := p.retention()
	m = p.s.amend(m, author, keep)
	p.next(brief(m), m.Position)
	changed := &p.log[i]
	changed.Data, changed.Binary, changed.Redacted = m.Data, false, m.Kind == room.KindRedacted
	if changed.Redacted {
		for i := range p.log {
			if e := &p.log[i]; e.Kind == room.KindEdited && e.Target == target {
				e.Data, e.Redacted = nil, true
			}
		}
	}
	p.keep = keep
	p.log = append(p.log, m)
	p.trim()
	p.deliver(m)
}

func (p *brokerPlay) subscribe() {
	l := p.s.subscribe(p.name)
	if len(p.subscribers) > 0 && l.at != p.position() {
		p.s.t.Fatalf("a new subscriber is at %+v, want %+v", l.at, p.position())
	}
	p.subscribers = append(p.subscribers, &expecting{listener: l})
}

// hear checks what came to whom so far.
func (p *brokerPlay) hear() {
	p.s.sentinels++
	end := room.Message{Kind: room.KindMessage, Room: p.name, Event: fmt.Sprint("end", p.s.sentinels), At: now()}
	p.s.publish(end, room.Retention{})
	for i, l := range p.subscribers {
		got := l.until(func(m room.Message) bool { return m.Event == end.Event })
		p.s.sameMessages(fmt.Sprintf("what subscriber %d was given", i+1), got, l.next, false)
		l.next = nil
	}
}
