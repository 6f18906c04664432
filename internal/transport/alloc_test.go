package transport

import (
	"io"
	"sync"
	"testing"
)

// fan is a room of n members over TCP whose peers read all they get and count
// the bytes.
type fan struct {
	log   *Log
	conns []*Conn
	read  sync.WaitGroup
}

func newFan(t testing.TB, n int) *fan {
	f := &fan{log: testLog(t, 1<<30)}
	for range n {
		c, p := pair(t, false)
		join(f.log, c)
		f.conns = append(f.conns, c)
		f.read.Go(func() { _, _ = io.CopyBuffer(io.Discard, onlyReader{p.nc}, make([]byte, 64<<10)) })
	}
	// Before the sockets close, so that no reader ends later than the test.
	t.Cleanup(func() {
		for _, c := range f.conns {
			c.Abort()
		}
		f.read.Wait()
	})
	return f
}

// onlyReader hides WriteTo, which would allocate.
type onlyReader struct{ io.Reader }

// Publishing to members that have everything makes no garbage, whatever their
// number.
func TestPublishAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	payload := make([]byte, 200)
	for _, n := range []int{1, 10, 200} {
		f := newFan(t, n)
		var b Batch
		for name, publish := range map[string]func(){
			"flush": func() {
				f.log.Append(Frame{Payload: payload}, nil)
				f.log.Flush()
			},
			"wake": func() {
				f.log.Append(Frame{Payload: payload}, nil)
				Wake(f.log)
			},
			"batch of ten": func() {
				for range 10 {
					b.Hold(f.log)
					f.log.Append(Frame{Payload: payload}, nil)
				}
				b.Flush()
			},
			"without echo": func() {
				f.log.mu.Lock()
				from := f.log.members[0]
				f.log.mu.Unlock()
				f.log.Append(Frame{Payload: payload}, from)
				f.log.Flush()
			},
		} {
			if got := testing.AllocsPerRun(100, publish); got != 0 {
				t.Errorf("%s to %d members: %v allocations", name, n, got)
			}
		}
		f.log.settled(t)
	}
}

func TestSendAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	c := newFan(t, 1).conns[0]
	payload := make([]byte, 200)
	if got := testing.AllocsPerRun(100, func() {
		c.Send(Frame{Payload: payload})
		c.Flush()
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// Reading a small message costs what coder/websocket allocates for it and
// nothing of ours.
func TestReadAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	s := serve(t, overTCP(), testOptions())
	heard := make(chan struct{}, 1)
	s.handle = func(*served, []byte, bool) { heard <- struct{}{} }
	p, _ := s.connect()
	frame := text("a message of some fifty bytes, as most of them are")
	if got := testing.AllocsPerRun(200, func() {
		if _, err := p.nc.Write(frame); err != nil {
			t.Error(err)
		}
		<-heard
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

// Compressing allocates what it returns and the writer around it.
func TestDeflateAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	payload := make([]byte, 4<<10)
	for i := range payload {
		payload[i] = "wardroom"[i%8]
	}
	dst := make([]byte, 0, 8<<10)
	if got := testing.AllocsPerRun(100, func() { dst = Deflate(dst[:0], payload) }); got > 1 {
		t.Errorf("%v allocations", got)
	}
}
