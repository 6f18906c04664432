package transport

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A consumer that takes nothing for WriteDeadline is closed with 4103. When it
// wakes in time for the closing handshake it finds whole frames, in order, and
// the close frame.
func TestSlowConsumer(t *testing.T) {
	onNetworks(t, func(t *testing.T, n network) {
		opts := testOptions()
		opts.WriteDeadline, opts.CloseDeadline = 100*time.Millisecond, time.Minute
		opts.MaxQueue = 64 << 20
		s := serve(t, n, opts)
		p, c := s.connect()
		payload := bytes.Repeat([]byte("x"), 1000)
		for range 20_000 {
			c.Send(Frame{Payload: payload, Binary: true})
			c.Flush()
		}
		within(t, 20*time.Second, "finding out", func() {
			for !c.Closing() {
				time.Sleep(time.Millisecond)
			}
		})
		frames := 0
		for {
			f := p.read()
			if f.first == bitFin|opClose {
				if code := binary.BigEndian.Uint16([]byte(f.payload)); code != CloseSlowConsumer {
					t.Fatalf("closed with %d", code)
				}
				break
			}
			if (f != serverFrame{bitFin | opBinary, string(payload)}) {
				t.Fatalf("frame %d is %v", frames, f)
			}
			frames++
		}
		p.send(clientClose(CloseSlowConsumer, ""))
		p.expectEOF()
		c.ended(t, Closing{Code: CloseSlowConsumer, Reason: tooFarBehind})
	})
}

func TestSlowConsumerNeverWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, overPipe(), testOptions())
		_, c := s.connect()
		start := time.Now()
		c.Send(Frame{Payload: []byte("x")})
		c.Flush()
		time.Sleep(10*time.Second - time.Nanosecond)
		if c.Closing() {
			t.Fatal("closed early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if !c.Closing() {
			t.Fatal("not closed after WriteDeadline")
		}
		<-c.done
		if took := time.Since(start); took != 15*time.Second {
			t.Fatalf("gone after %v", took)
		}
		c.ended(t, Closing{Code: CloseSlowConsumer, Reason: tooFarBehind})
	})
}

// Slow is who makes no room for 16 KiB in WriteDeadline, not who needs long for
// all there is.
func TestSteadyConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := testOptions()
		opts.Heartbeat = time.Hour // it has no time to answer pings
		s := serve(t, overPipe(), opts)
		p, c := s.connect()
		var got int
		p.nc = reader{p.nc, func(p []byte, n int) {
			if got += n; got >= piece {
				got -= piece
				time.Sleep(9 * time.Second)
			}
		}}
		p.r.Reset(p.nc)
		payload := strings.Repeat("x", 20*piece)
		c.Send(Frame{Payload: []byte(payload)})
		c.Flush()
		p.expectText(payload)
		if c.Closing() {
			t.Fatal("closed")
		}
	})
}

// reader looks at what is read.
type reader struct {
	net.Conn
	saw func(p []byte, n int)
}

func (r reader) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.saw(p, n)
	return n, err
}

// A peer that pings and does not read the pongs is a slow consumer too.
func TestUnreadPongs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, overPipe(), testOptions())
		p, c := s.connect()
		start := time.Now()
		for !c.Closing() {
			p.try(clientFrame(bitFin|opPing, "x"))
			time.Sleep(150 * time.Millisecond)
		}
		<-c.done
		if took := time.Since(start); took > 16*time.Second {
			t.Fatalf("gone after %v", took)
		}
		c.ended(t, Closing{Code: CloseSlowConsumer, Reason: tooFarBehind})
	})
}

// What a connection may be behind in frames of its own is bounded.
func TestMaxQueue(t *testing.T) {
	onNetworks(t, func(t *testing.T, n network) {
		opts := testOptions()
		opts.MaxQueue = 100_000
		s := serve(t, n, opts)
		_, c := s.connect()
		payload := make([]byte, 1000)
		var sent int
		for ; !c.Closing(); sent += len(payload) {
			if sent > 32<<20 {
				t.Fatal("no end")
			}
			c.Send(Frame{Payload: payload})
			c.Flush()
		}
		c.mu.Lock()
		queued := len(c.out.queue)
		c.mu.Unlock()
		if queued > opts.MaxQueue+2000 {
			t.Fatalf("%d bytes are queued", queued)
		}
		c.Abort()
		c.ended(t, Closing{Code: CloseSlowConsumer, Reason: tooFarBehind})
	})
}

// One input that asks for many large answers does not have them all in memory:
// what is behind MaxQueue closes the connection before the input is handled.
func TestMaxQueueWithinOneInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := testOptions()
		opts.MaxQueue = 256 << 10
		s := serve(t, overPipe(), opts)
		const size = 16 << 10
		most := 0
		s.handle = func(c *served, _ []byte, _ bool) {
			for range 1000 {
				c.Send(Frame{Payload: make([]byte, size), Binary: true})
				c.mu.Lock()
				most = max(most, len(c.out.queue))
				c.mu.Unlock()
			}
		}
		p, c := s.connect()
		p.send(text("all"))
		c.ended(t, Closing{Code: CloseSlowConsumer, Reason: tooFarBehind})
		// The frame that is too many, and the close frame.
		if most > opts.MaxQueue+2*size {
			t.Errorf("%d bytes were queued, MaxQueue is %d", most, opts.MaxQueue)
		}
	})
}

// The acceptance of the whole engine: in a room of 1,000 one member reads
// nothing. Everyone else receives every message in order and at once, the
// stalled one is closed with 4103.
func TestStalledMemberOfLargeRoom(t *testing.T) {
	const (
		maxLag   = 64 << 10
		size     = 2 << 10
		messages = 90
	)
	members := 1000
	if testing.Short() {
		members = 200
	}
	opts := testOptions()
	opts.WriteDeadline = time.Hour // only the lag is to find it
	opts.CloseDeadline = time.Hour
	s := serve(t, overTCP(), opts)
	var owner sync.WaitGroup
	l := NewLog(maxLag, &owner)

	stalled, slow := s.connect()
	_ = stalled.nc.(*net.TCPConn).SetReadBuffer(4 << 10)
	_ = slow.raw.(*net.TCPConn).SetWriteBuffer(4 << 10)
	stuck := l.Attach(slow.Conn)
	stuck.Release()

	var (
		wg   sync.WaitGroup
		seen = make([]atomic.Int64, members)
		ms   []*Member
	)
	for i := range members {
		p, c := s.connect()
		m := l.Attach(c.Conn)
		m.Release()
		ms = append(ms, m)
		wg.Go(func() {
			buf := make([]byte, size)
			for n := range messages {
				_, err := io.ReadFull(p.r, buf[:4])
				if err == nil {
					_, err = io.ReadFull(p.r, buf[:int(binary.BigEndian.Uint16(buf[2:]))])
				}
				if err != nil || binary.BigEndian.Uint64(buf) != uint64(n) {
					t.Errorf("member %d: message %d is %d, error %v", i, n, binary.BigEndian.Uint64(buf), err)
					return
				}
				seen[i].Add(1)
			}
		})
	}
	payload := make([]byte, size)
	for n := range messages {
		binary.BigEndian.PutUint64(payload, uint64(n))
		l.Append(Frame{Payload: payload, Binary: true}, nil)
		l.Flush()
		if n%30 == 29 {
			// Nobody waits for the stalled one.
			within(t, time.Minute, "delivery", func() {
				for i := range seen {
					for seen[i].Load() <= int64(n) && !t.Failed() {
						runtime.Gosched()
					}
				}
			})
		}
	}
	wg.Wait()
	stalled.expectClose(CloseSlowConsumer)
	stalled.send(clientClose(CloseSlowConsumer, ""))
	slow.ended(t, Closing{Code: CloseSlowConsumer, Reason: tooFarBehind})
	if l.Len() != members {
		t.Errorf("the room has %d members", l.Len())
	}
	for _, m := range ms {
		m.Detach(true)
	}
	owner.Wait()
	if l.Len() != 0 {
		t.Errorf("%d members are left", l.Len())
	}
}

// Memory is bounded by the lag allowed, while a member stalls and while its
// closing handshake lasts, however much the room goes on saying.
func TestMemoryOfStalledMember(t *testing.T) {
	const maxLag = 1 << 20
	opts := testOptions()
	opts.WriteDeadline, opts.CloseDeadline = time.Hour, time.Hour
	s := serve(t, overTCP(), opts)
	var owner sync.WaitGroup
	l := NewLog(maxLag, &owner)
	var members []*Member
	for range 2 {
		_, c := s.connect()
		m := l.Attach(c.Conn)
		m.Release()
		members = append(members, m)
	}
	p, c := s.connect()
	reads := l.Attach(c.Conn)
	reads.Release()
	go func() { _, _ = io.Copy(io.Discard, p.nc) }()
	before, peak := heap(), uint64(0)
	payload := make([]byte, 16<<10)
	for n := range 8192 {
		l.Append(Frame{Payload: payload, Binary: true}, nil)
		l.Flush()
		for reads.pos.Load() != l.head.Load() {
			runtime.Gosched()
		}
		if n%1024 == 1023 {
			peak = max(peak, heap())
		}
	}
	for i, m := range members {
		if !m.conn.Closing() {
			t.Errorf("stalled member %d is still there", i)
		}
	}
	// Each may have maxLag, and what the pools keep.
	if limit := before + 2*maxLag + 2<<20; peak > limit {
		t.Errorf("heap grew from %d to %d bytes", before, peak)
	}
	for _, m := range append(members, reads) {
		m.Detach(false)
	}
	owner.Wait()
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
