package transport

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// The model of a room is a list of messages and who must not get each; the
// model of a stay in it is the part of that list from Attach to Stop or Detach.
// Any mixture of publishers, batches, joins, leaves, skips, slow sockets and
// frame sizes must give each connection exactly the stays it had, in order.

// modelRoom is a log with its model. mu is what a room's own lock is.
type modelRoom struct {
	id  byte
	log *Log

	mu    sync.Mutex
	count uint64
	skips map[uint64]*stay
	here  []*stay
}

// stay is one membership: messages from up to to, apart from those skipped.
type stay struct {
	room     *modelRoom
	member   *Member
	from, to uint64
	stopped  bool
	drain    bool
}

// modelPayload is a message that shows where it belongs and whether any byte of
// it is another's.
func modelPayload(room byte, n uint64, size int) []byte {
	b := make([]byte, 9, 9+size)
	b[0] = room
	binary.BigEndian.PutUint64(b[1:], n)
	for i := range size {
		b = append(b, byte(i)^byte(n)^room)
	}
	return b
}

func (r *modelRoom) publish(rng *rand.Rand) {
	size := rng.IntN(300)
	switch rng.IntN(40) {
	case 0:
		size = 20_000 + rng.IntN(20_000)
	case 1:
		size = 60_000 + rng.IntN(20_000)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var skip *Member
	if len(r.here) > 0 && rng.IntN(3) == 0 {
		s := r.here[rng.IntN(len(r.here))]
		skip = s.member
		r.skips[r.count] = s
	}
	r.log.Append(Frame{Payload: modelPayload(r.id, r.count, size), Binary: true}, skip)
	r.count++
}

func (r *modelRoom) enter(c *Conn) *stay {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &stay{room: r, member: r.log.Attach(c), from: r.count}
	r.here = append(r.here, s)
	return s
}

// stop is from where on there is nothing for the stay any more.
func (s *stay) stop() {
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	s.member.Stop()
	if !s.stopped {
		s.to, s.stopped = r.count, true
	}
}

func (s *stay) leave(drain bool) {
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	s.member.Detach(drain)
	if s.drain = drain; !s.stopped {
		s.to = r.count
	}
	r.here = slices.DeleteFunc(r.here, func(o *stay) bool { return o == s })
}

// check compares what a connection received of a room with its stays in it.
func (r *modelRoom) check(stays []*stay, got []uint64) error {
	for i, s := range stays {
		if s.room != r {
			continue
		}
		for n := s.from; n < s.to; n++ {
			switch {
			case r.skips[n] == s:
			case len(got) > 0 && got[0] == n:
				got = got[1:]
			case s.drain:
				return fmt.Errorf("stay %d [%d,%d): message %d is missing, next is %v", i, s.from, s.to, n, got[:min(3, len(got))])
			default: // what was not written when it left is not owed
				n = s.to
			}
		}
	}
	if len(got) > 0 {
		return fmt.Errorf("%d messages too many, from %d", len(got), got[0])
	}
	return nil
}

// modelConn is a connection and what its peer received.
type modelConn struct {
	*Conn
	stays []*stay
	got   map[byte][]uint64
	err   error
}

// receive reads until the reply that ends the run.
func (c *modelConn) receive(p *peer, slow func()) {
	for {
		f, err := p.next()
		switch {
		case err != nil:
			c.err = err
			return
		case f.first == bitFin|opText && f.payload == "end":
			return
		case f.first == bitFin|opText:
			continue // a reply
		case f.first != bitFin|opBinary:
			c.err = fmt.Errorf("frame %v", f)
			return
		}
		b := []byte(f.payload)
		n := binary.BigEndian.Uint64(b[1:])
		if want := modelPayload(b[0], n, len(b)-9); !slices.Equal(b, want) {
			c.err = fmt.Errorf("message %d of room %d is damaged", n, b[0])
			return
		}
		c.got[b[0]] = append(c.got[b[0]], n)
		slow()
	}
}

func TestModel(t *testing.T) {
	seeds := 8
	if testing.Short() {
		seeds = 3
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { model(t, uint64(seed)) })
	}
}

func model(t *testing.T, seed uint64) {
	const rooms, conns, publishers, messages = 2, 9, 3, 150
	var all []*modelRoom
	for i := range rooms {
		all = append(all, &modelRoom{id: byte(i), log: testLog(t, 1<<40), skips: make(map[uint64]*stay)})
	}
	random := func(n int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(n))) }

	var readers, actors, publishing sync.WaitGroup
	var cs []*modelConn
	done := make(chan struct{})
	for i := range conns {
		rng := random(i)
		conn, p := pair(t, i%3 == 2)
		if i%3 == 1 {
			conn, p = narrow(t, 4<<10)
		}
		// Who leaves a room while behind takes the rest of it into the queue. That
		// makes a reader on a busy machine no slow consumer here.
		conn.opts.MaxQueue, conn.opts.WriteDeadline = 1<<30, time.Minute
		c := &modelConn{Conn: conn, got: make(map[byte][]uint64)}
		cs = append(cs, c)
		lazy := random(1000 + i)
		readers.Go(func() {
			c.receive(p, func() {
				if i%3 > 0 && lazy.IntN(20) == 0 {
					time.Sleep(time.Duration(lazy.IntN(100)) * time.Microsecond)
				}
			})
		})
		actors.Go(func() { c.act(rng, all, done) })
	}
	for i := range publishers {
		rng := random(2000 + i)
		publishing.Go(func() {
			var b Batch
			for range messages {
				r := all[rng.IntN(rooms)]
				switch rng.IntN(3) {
				case 0:
					r.publish(rng)
					r.log.Flush()
				case 1:
					r.publish(rng)
					Wake(r.log)
				case 2:
					b.Hold(r.log)
					r.publish(rng)
					if rng.IntN(3) == 0 {
						b.Flush()
					}
				}
				if rng.IntN(4) == 0 {
					runtime.Gosched()
				}
			}
			b.Flush()
		})
	}
	publishing.Wait()
	close(done)
	actors.Wait()
	readers.Wait()
	for i, c := range cs {
		if c.err != nil {
			t.Fatalf("conn %d: %v", i, c.err)
		}
		for _, r := range all {
			if err := r.check(c.stays, c.got[r.id]); err != nil {
				t.Fatalf("conn %d, room %d: %v", i, r.id, err)
			}
		}
	}
	for _, r := range all {
		eventually(t, "sleep", r.log.quiet)
		r.log.settled(t)
		if r.log.Len() != 0 {
			t.Fatalf("%d members are left", r.log.Len())
		}
	}
}

// act joins and leaves rooms until done, then leaves them all. Half of the
// connections stay where they are for the end, whose last messages nothing may
// be needed to bring.
func (c *modelConn) act(rng *rand.Rand, rooms []*modelRoom, done <-chan struct{}) {
	in := make(map[*modelRoom]*stay)
	enter := func(r *modelRoom) {
		s := r.enter(c.Conn)
		c.stays = append(c.stays, s)
		in[r] = s
		for range rng.IntN(3) {
			runtime.Gosched() // its history is read meanwhile
		}
		c.Send(Frame{Payload: []byte("joined")})
		c.Flush()
		s.member.Release()
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
			continue
		default:
		}
		r := rooms[rng.IntN(len(rooms))]
		switch s := in[r]; {
		case s == nil:
			enter(r)
		case rng.IntN(20) == 0:
			s.stop()
		case rng.IntN(10) == 0:
			s.leave(rng.IntN(2) == 0)
			delete(in, r)
		}
		time.Sleep(time.Duration(rng.IntN(300)) * time.Microsecond)
	}
	for r, s := range in {
		if rng.IntN(2) == 0 {
			// Everything comes by itself.
			for deadline := time.Now().Add(30 * time.Second); s.member.pos.Load() != r.log.head.Load() && !c.Closing() && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			s.leave(false)
			s.drain = true
			continue
		}
		s.leave(true)
	}
	c.Send(Frame{Payload: []byte("end")})
	c.Flush()
}
