package room

import (
	"errors"
	"sync"

	"github.com/wardroom/wardroom/internal/wire"
)

// burst is what a connection has said and what is not published yet, because
// more of the same input may follow: only with a [BatchBroker], and never for
// longer than the goroutine that reads has something else to do with that input.
// Everything about the messages has been checked and counted.
type burst struct {
	list  []Publication
	from  []sayer
	bytes int
}

// sayer is from where a message of a burst was said, and the ref to answer.
type sayer struct {
	seat *seat
	ref  int64
}

const (
	// A burst that is as long as this is published at once: what it holds is
	// kept from others, and it is one step for Redis.
	maxBurst      = 128
	maxBurstBytes = 256 << 10
)

var (
	bursts = sync.Pool{New: func() any { return new(burst) }}
	// errLater is of a request that was gathered, and is answered later.
	errLater  = errors.New("room: not published yet")
	errAnswer = errors.New("room: the broker's PublishAll has not answered each message")
)

// gathers says whether messages wait for what comes with them. Middleware wants
// to see what became of each.
func (s *Server) gathers() bool { return s.batches != nil && s.handler.Load() == nil }

// gather puts a message behind those that wait to be published. It is answered
// when they are.
func (c *Conn) gather(seat *seat, ref int64, m Message, keep Retention) {
	if c.burst == nil {
		c.burst = bursts.Get().(*burst)
	}
	b := c.burst
	b.list = append(b.list, Publication{m, keep})
	b.from = append(b.from, sayer{seat, ref})
	b.bytes += len(m.Data)
	if len(b.list) >= maxBurst || b.bytes >= maxBurstBytes {
		c.publishBurst()
	}
}

// publishBurst publishes what was gathered and queues the replies. It must come
// before anything else of the connection is done, answered or shown to the host.
func (c *Conn) publishBurst() {
	b := c.burst
	if b == nil {
		return
	}
	c.burst = nil
	refused := c.recheck(b)
	results, err := c.publishAll(b.list)
	n := 0
	for i, o := range b.from {
		r := wire.Request{Type: wire.TypeMessage, Room: o.seat.hall.name, Ref: o.ref}
		if refused != nil && refused[i] != nil {
			c.answer(&r, nil, refused[i])
			continue
		}
		var result Result
		if err == nil {
			result = results[n]
			n++
		} else {
			result.Err = err
		}
		if result.Err != nil {
			c.answer(&r, nil, unavailable(result.Err))
		} else if o.ref != 0 {
			c.answer(&r, published(result.Receipt), nil)
		}
	}
	b.reset()
	bursts.Put(b)
}

// recheck takes out of the burst what may not be said any more, since its
// sender was sent away or muted meanwhile, and returns the errors by index, nil
// for none.
func (c *Conn) recheck(b *burst) (refused []error) {
	n := 0
	var held *hall
	for i, o := range b.from {
		var err error
		if c.seat(o.seat.hall.name) != o.seat {
			err = refuse(CodeNotMember)
		} else {
			err = o.seat.maySpeak()
		}
		if err != nil {
			if refused == nil {
				refused = make([]error, len(b.from))
			}
			refused[i] = err
			continue
		}
		if i != n {
			b.list[n] = b.list[i]
		}
		n++
		if o.seat.hall != held {
			held = o.seat.hall
			held.hold(&c.batch)
		}
	}
	clear(b.list[n:])
	b.list = b.list[:n]
	return refused
}

// publishAll is the broker's, which may be the host's code.
func (c *Conn) publishAll(list []Publication) (results []Result, err error) {
	if len(list) == 0 {
		return nil, nil
	}
	err = c.srv.contain(func() error {
		if results = c.srv.batches.PublishAll(&c.life, list); len(results) != len(list) {
			return errAnswer
		}
		return nil
	})
	return results, err
}

func (b *burst) reset() {
	clear(b.list)
	clear(b.from)
	b.list, b.from, b.bytes = b.list[:0], b.from[:0], 0
}

func published(r Receipt) *wire.PublishResult {
	return &wire.PublishResult{Offset: r.Offset, Epoch: r.Epoch, At: r.At.UnixMilli(), Duplicate: r.Duplicate}
}
