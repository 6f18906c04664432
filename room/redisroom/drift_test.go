package redisroom_test

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
)

// What Redis has of the room is exchanged for what it had at some time: as that of
// a server that has lost what came after, or as that of another one which has gone
// on meanwhile.
const (
	saveRoom = `
local list = {}
for _, k in ipairs(redis.call('KEYS', '*{r:room}*')) do
  list[#list + 1] = k
  list[#list + 1] = redis.call('DUMP', k)
end
`
	loadRoom = `
for i = 1, #list, 2 do redis.call('DEL', list[i]) end
for i = 2, #ARGV, 2 do redis.call('RESTORE', ARGV[i], 600000, ARGV[i + 1]) end
if ARGV[1] == 'lost' then redis.call('HSET', 'wardroom:{r:room}:meta', 'r', 'another', 'c', 0) end
`
)

// drift is some nodes of a Redis to which such things happen.
type drift struct {
	t      *testing.T
	server *redistest.Server
	client rueidis.Client // to it
	rng    *mathrand.Rand
	nodes  []*redisroom.Broker
	keep   room.Retention

	followers []*follower
	states    [][]string // what there was at some time
	ends      [][]string // what there was when it was exchanged for another

	mu   sync.Mutex // protects what follows
	said map[room.Position]string
	n    int
}

// note fails where an offset of an epoch has been given to something else.
func (d *drift) note(who string, p room.Position, data string) {
	if data == "" {
		return // redacted
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if was, ok := d.said[p]; ok && was != data {
		d.t.Errorf("%s has %q at %+v, which is %q", who, data, p, was)
	}
	d.said[p] = data
}

// same fails unless all that is known of two epochs up to an offset is the same.
func (d *drift) same(who, one, other string, upto uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for o := uint64(1); o <= upto; o++ {
		a, known := d.said[room.Position{Epoch: one, Offset: o}]
		b, too := d.said[room.Position{Epoch: other, Offset: o}]
		if known && too && a != b {
			d.t.Errorf("%s goes on from %s %d to %s, where %d is %q and not %q", who, one, upto, other, o, b, a)
		}
	}
}

// next makes a message.
func (d *drift) next() room.Message {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.n++
	m := said("room", "talk", fmt.Sprint(d.n))
	m.ID = rand.Text()
	return m
}

// say publishes some messages. They may fail.
func (d *drift) say(b *redisroom.Broker, kept ...bool) {
	list := make([]room.Publication, len(kept))
	for i := range list {
		list[i].Message = d.next()
		if kept[i] {
			list[i].Keep = d.keep
		}
	}
	for i, r := range b.PublishAll(context.Background(), list) {
		if r.Err == nil && r.Receipt.Offset != 0 {
			d.note("a receipt", r.Receipt.Position, string(list[i].Message.Data))
		}
	}
}

// look comes back from where somebody was.
func (d *drift) look(b *redisroom.Broker) {
	var at room.Position
	d.mu.Lock()
	for at = range d.said {
		break
	}
	d.mu.Unlock()
	page, err := b.Replay(context.Background(), "room", room.Range{Since: at, Limit: 10_000})
	if err != nil {
		return
	}
	for _, m := range page.Messages {
		d.note("a page", m.Position, string(m.Data))
	}
	if !page.Follows {
		return
	}
	d.same("a page", at.Epoch, page.Last.Epoch, at.Offset)
	if page.First <= at.Offset+1 && uint64(len(page.Messages)) != page.Last.Offset-at.Offset {
		d.t.Errorf("since %+v: %d messages up to %+v", at, len(page.Messages), page.Last)
	}
}

func (d *drift) run(script, how string, state []string) []string {
	args := append([]string{how}, state...)
	list, err := d.client.Do(context.Background(), d.client.B().Eval().Script(script+"return list").Numkeys(0).Arg(args...).Build()).AsStrSlice()
	if err != nil {
		d.t.Fatal(err)
	}
	return list
}

// exchange exchanges what Redis has, and breaks the connections.
func (d *drift) exchange() {
	how, from := "lost", &d.states
	if len(d.ends) > 0 && d.rng.IntN(2) == 0 {
		how, from = "left", &d.ends
	}
	if len(*from) == 0 {
		return
	}
	i := d.rng.IntN(len(*from))
	state := (*from)[i]
	if how == "left" { // it goes on once
		*from = append((*from)[:i], (*from)[i+1:]...)
	}
	before := d.rng.IntN(2) == 0
	if before {
		d.cut()
	}
	d.ends = append(d.ends, d.run(saveRoom+loadRoom, how, state))
	if !before {
		d.cut()
	}
}

func (d *drift) cut() { d.server.Do("CLIENT", "KILL", "TYPE", "pubsub") }

// step does something.
func (d *drift) step() {
	b := d.nodes[d.rng.IntN(len(d.nodes))]
	switch d.rng.IntN(16) {
	case 0, 1:
		kept := make([]bool, 1+d.rng.IntN(12))
		for i := range kept {
			kept[i] = d.rng.IntN(3) > 0
		}
		d.say(b, kept...)
	case 2, 3, 4:
		d.say(b, true)
	case 5, 6:
		d.say(b, false)
	case 7:
		m := room.Message{Kind: room.KindRedacted, Room: "room", Target: uint64(1 + d.rng.IntN(20)), At: said("", "", "").At}
		_, _ = b.Amend(context.Background(), m, "", d.keep)
	case 8:
		d.states = append(d.states, d.run(saveRoom, "", nil))
	case 9, 10:
		d.exchange()
	case 11:
		d.cut()
	case 12:
		d.follow(b)
	case 13:
		if n := len(d.followers); n > 2 {
			i := d.rng.IntN(n)
			d.followers[i].cancel()
			d.followers = append(d.followers[:i], d.followers[i+1:]...)
		}
	case 14:
		for range 20 {
			d.look(b)
		}
	default:
		time.Sleep(time.Duration(d.rng.IntN(60)) * time.Millisecond)
	}
}

// follower is a subscriber.
type follower struct {
	*drift
	who    string
	cancel func()

	mu    sync.Mutex // protects what follows
	at    room.Position
	had   map[string]bool // since the last loss
	steps []string
}

func (d *drift) follow(b *redisroom.Broker) {
	f := &follower{drift: d, who: fmt.Sprint("subscriber ", len(d.followers)), had: make(map[string]bool)}
	eventually(d.t, "subscribe", func() error {
		at, cancel, err := b.Subscribe(d.t.Context(), "room", f.hear)
		if err != nil {
			return err
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.at == (room.Position{}) {
			f.at = at
		}
		f.cancel = cancel
		return nil
	})
	d.followers = append(d.followers, f)
}

func (f *follower) hear(m room.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.steps = append(f.steps, fmt.Sprintf("kind %d %q %+v", m.Kind, m.Data, m.Position))
	data := string(m.Data)
	switch {
	case m.Kind == room.KindLost:
		f.at = m.Position
		clear(f.had)
		return
	case m.Kind == room.KindContinued:
		if m.Offset != f.at.Offset {
			f.fail("went on at %+v from %+v", m.Position, f.at)
		}
		f.same(f.who, f.at.Epoch, m.Epoch, m.Offset)
		f.at = m.Position
		return
	case m.Offset != 0:
		if f.at.Epoch != "" && (m.Epoch != f.at.Epoch || m.Offset != f.at.Offset+1) {
			f.fail("%+v came behind %+v", m.Position, f.at)
		}
		f.at = m.Position
		f.note(f.who, m.Position, data)
	}
	if data != "" && f.had[data] {
		f.fail("%s came twice", data)
	}
	f.had[data] = true
}

func (f *follower) fail(format string, args ...any) {
	f.t.Errorf("%s: %s\n%s", f.who, fmt.Sprintf(format, args...), f.latest())
}

func (f *follower) latest() string { return strings.Join(f.steps[max(0, len(f.steps)-12):], "\n") }

// arrives waits until the subscriber has come to a position.
func (f *follower) arrives(p room.Position) {
	eventually(f.t, f.who+" comes to the end", func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.at != p {
			return fmt.Errorf("it is at %+v, the log at %+v\n%s", f.at, p, f.latest())
		}
		return nil
	})
}

// Whatever Redis loses, and whichever of its servers goes on: an offset of an epoch
// is one message for ever, who is told that a log goes on has what it has, and
// subscribers get what there is, in order and once, or are told of the loss.
func TestDrift(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			d := &drift{t: t, server: server, client: server.Client(), rng: mathrand.New(mathrand.NewPCG(seed, 7)), keep: keepAll, said: make(map[room.Position]string)}
			if seed%2 == 1 {
				d.keep.Messages = 5
			}
			for range 3 {
				d.nodes = append(d.nodes, node(t, d.server.Client()))
			}
			d.follow(d.nodes[0])
			d.follow(d.nodes[1])
			stop := make(chan struct{})
			var others sync.WaitGroup
			for i := range 2 {
				others.Go(func() {
					for n := 0; ; n++ {
						select {
						case <-stop:
							return
						case <-time.After(time.Duration(2+i) * time.Millisecond):
							d.say(d.nodes[i], n%3 > 0)
						}
					}
				})
			}
			for range 60 {
				d.step()
			}
			close(stop)
			others.Wait()
			last := store(t, d.nodes[2], d.next())
			for _, f := range d.followers {
				f.arrives(last.Position)
				f.cancel()
			}
		})
	}
}
