package transport

import (
	"encoding/binary"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"
)

// bare is a connection that is only written to.
func bare(t testing.TB, nc net.Conn, opts *Options) *Conn {
	c := &Conn{opts: opts, raw: nc, opened: time.Now()}
	c.socket = newSocket(nc, c)
	c.timer = time.AfterFunc(time.Hour, c.beat)
	t.Cleanup(func() {
		c.Abort()
		c.wg.Wait()
		c.timer.Stop()
	})
	return c
}

// pair is a connection that is only written to, and its reader. Over a pipe
// nothing is written without waiting, and nothing without a reader.
func pair(t testing.TB, piped bool) (*Conn, *peer) {
	t.Helper()
	if !piped {
		return narrow(t, 0)
	}
	a, b := net.Pipe()
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return bare(t, a, testOptions()), newPeer(t, b)
}

// narrow is pair over a socket that takes about so many bytes without its
// reader; 0 for the usual. TCP would make such a one very slow as well.
func narrow(t testing.TB, size int) (*Conn, *peer) {
	t.Helper()
	var a, b net.Conn
	if size == 0 {
		a, b = tcpPair(t)
	} else {
		ln, dial := listenUnix(t)
		defer func() { _ = ln.Close() }()
		var err error
		if b, err = dial(); err != nil {
			t.Fatal(err)
		}
		if a, err = ln.Accept(); err != nil {
			t.Fatal(err)
		}
		_ = a.(*net.UnixConn).SetWriteBuffer(size)
		t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	}
	patient(b)
	return bare(t, a, testOptions()), newPeer(t, b)
}

func onBoth(t *testing.T, test func(t *testing.T, piped bool)) {
	t.Run("socket", func(t *testing.T) { test(t, false) })
	t.Run("pipe", func(t *testing.T) { test(t, true) })
}

// testLog ends with the test, with all its goroutines gone.
func testLog(t testing.TB, maxLag int64) *Log {
	var owner sync.WaitGroup
	t.Cleanup(owner.Wait)
	return NewLog(maxLag, &owner)
}

func join(l *Log, c *Conn) *Member {
	m := l.Attach(c)
	m.Release()
	return m
}

func (l *Log) publish(payload string, skip *Member) {
	l.Append(Frame{Payload: []byte(payload)}, skip)
	l.Flush()
}

// settled checks that a log of which everyone has everything holds nothing.
func (l *Log) settled(t testing.TB) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tail != nil || l.first != nil || l.owed || len(l.asleep) != len(l.members) {
		t.Fatalf("not settled: tail %p, first %p, owed %v, %d of %d asleep", l.tail, l.first, l.owed, len(l.asleep), len(l.members))
	}
	for i, m := range l.asleep {
		if m.slot != i || m.chunk != nil || m.pos.Load() != l.head.Load() || len(m.spans) > 0 {
			t.Fatalf("sleeper %d: slot %d, chunk %p, at %d of %d, spans %v", i, m.slot, m.chunk, m.pos.Load(), l.head.Load(), m.spans)
		}
	}
}

// eventually waits for what another goroutine is about to do.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func (l *Log) quiet() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tail == nil
}

func TestLogWithoutMembers(t *testing.T) {
	l := testLog(t, 1<<20)
	l.publish("to nobody", nil)
	l.settled(t)
	if l.Len() != 0 {
		t.Fatal(l.Len())
	}
	c, p := pair(t, false)
	m := join(l, c)
	l.publish("first", nil)
	p.expectText("first")
	m.Detach(false)
	l.publish("gone", nil)
	l.settled(t)
}

// A member gets what was appended between Attach and Detach, nothing of before
// or after, and nothing at all before Release.
func TestAttachReleaseDetach(t *testing.T) {
	onBoth(t, func(t *testing.T, piped bool) {
		l := testLog(t, 1<<20)
		early, pe := pair(t, piped)
		join(l, early)
		l.publish("before", nil)
		pe.expectText("before")

		c, p := pair(t, piped)
		m := l.Attach(c)
		l.publish("held", nil)
		pe.expectText("held")
		c.Send(Frame{Payload: []byte("reply")})
		c.Flush()
		p.expectText("reply")
		m.Release()
		p.expectText("held")
		l.publish("live", nil)
		p.expectText("live")
		pe.expectText("live")

		l.Append(Frame{Payload: []byte("appended")}, nil)
		m.Detach(true)
		l.publish("after", nil)
		p.expectText("appended")
		c.Send(Frame{Payload: []byte("left")})
		c.Flush()
		p.expectText("left")
		pe.expectText("appended")
		pe.expectText("after")
		if l.Len() != 1 {
			t.Fatal(l.Len())
		}
		m.Detach(true) // does nothing
		eventually(t, "sleep", l.quiet)
		l.settled(t)
	})
}

func TestDetachWithoutDrain(t *testing.T) {
	onBoth(t, func(t *testing.T, piped bool) {
		l := testLog(t, 1<<20)
		for _, held := range []bool{false, true} {
			c, p := pair(t, piped)
			m := l.Attach(c)
			if !held {
				m.Release()
			}
			l.Append(Frame{Payload: []byte("never seen")}, nil)
			m.Detach(false)
			l.Flush()
			if held {
				m.Release()
			}
			c.Send(Frame{Payload: []byte("left")})
			c.Flush()
			p.expectText("left")
			l.settled(t)
		}
	})
}

// With drain, a member that never was released gets what it missed too.
func TestDetachHeld(t *testing.T) {
	onBoth(t, func(t *testing.T, piped bool) {
		l := testLog(t, 1<<20)
		c, p := pair(t, piped)
		m := l.Attach(c)
		l.publish("one", nil)
		l.publish("two", nil)
		m.Detach(true)
		p.expectText("one")
		p.expectText("two")
		l.settled(t)
	})
}

// Frames larger than a chunk, and than what is gathered for one write, take
// every path.
func TestLargeFrames(t *testing.T) {
	sizes := []int{10, chunkSize - 4, chunkSize - 3, chunkSize + 1, 100, gather, gather + 1, 3 * gather, 20, 1 << 20, 5, 5}
	payload := func(i int) string { return strings.Repeat(string(rune('a'+i)), sizes[i]) }
	onBoth(t, func(t *testing.T, piped bool) {
		for _, together := range []bool{false, true} {
			t.Run(fmt.Sprintf("together=%v", together), func(t *testing.T) {
				l := testLog(t, 64<<20)
				var owed []*peer
				for range 3 {
					c, p := pair(t, piped)
					join(l, c)
					owed = append(owed, p)
					// Something of its own makes the log's frames queue.
					c.Send(Frame{Payload: []byte("mine")})
				}
				for i := range sizes {
					l.Append(Frame{Payload: []byte(payload(i))}, nil)
					if !together {
						l.Flush()
					}
				}
				l.Flush()
				for _, p := range owed {
					p.expectText("mine")
					for i := range sizes {
						p.expectText(payload(i))
					}
				}
				eventually(t, "sleep", l.quiet)
				l.settled(t)
			})
		}
	})
}

// One who wants no echo gets everything but its own, wherever that lies.
func TestSkip(t *testing.T) {
	for name, tt := range map[string]struct{ held, together bool }{
		"one by one":           {false, false},
		"together":             {false, true},
		"one by one, released": {true, false},
		"together, released":   {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, piped bool) {
				l := testLog(t, 1<<20)
				a, pa := pair(t, piped)
				b, pb := pair(t, piped)
				other := join(testLog(t, 1<<20), a)
				ma, mb := l.Attach(a), l.Attach(b)
				if !tt.held {
					ma.Release()
					mb.Release()
				}
				var forA, forB []string
				for i, from := range []*Member{ma, mb, ma, ma, nil, mb, ma, other, nil, ma, mb, mb, ma} {
					// Long enough for several chunks.
					payload := fmt.Sprintf("%d%s", i, strings.Repeat(".", 9000))
					l.Append(Frame{Payload: []byte(payload)}, from, from) // named twice, it is left out once
					if !tt.together {
						l.Flush()
					}
					if from != ma {
						forA = append(forA, payload)
					}
					if from != mb {
						forB = append(forB, payload)
					}
				}
				if tt.held {
					ma.Release()
					mb.Release()
				}
				l.Flush()
				for _, payload := range forA {
					pa.expectText(payload)
				}
				for _, payload := range forB {
					pb.expectText(payload)
				}
				eventually(t, "sleep", l.quiet)
				l.settled(t)
				// Nothing of it is left for what comes.
				l.publish("to both", nil)
				pa.expectText("to both")
				pb.expectText("to both")
				// A member that has gone cannot be skipped.
				ma.Detach(false)
				l.publish("after", ma)
				pb.expectText("after")
			})
		})
	}
}

// Several rooms share a socket with replies, and each keeps its order.
func TestManyLogsOneConn(t *testing.T) {
	onBoth(t, func(t *testing.T, piped bool) {
		c, p := pair(t, piped)
		var logs []*Log
		for range 5 {
			l := testLog(t, 8<<20)
			join(l, c)
			logs = append(logs, l)
		}
		const each = 200
		var wg sync.WaitGroup
		for i, l := range logs {
			wg.Go(func() {
				for n := range each {
					l.publish(fmt.Sprintf("%d %d %s", i, n, strings.Repeat("x", n)), nil)
				}
			})
		}
		wg.Go(func() {
			for n := range each {
				c.Send(Frame{Payload: fmt.Appendf(nil, "5 %d ", n)})
				c.Flush()
			}
		})
		next := make([]int, 6)
		for range 6 * each {
			var i, n int
			if _, err := fmt.Sscan(p.read().payload, &i, &n); err != nil || next[i] != n {
				t.Fatalf("log %d: got %d, want %d, error %v", i, n, next[i], err)
			}
			next[i]++
		}
		wg.Wait()
	})
}

// A sleeper that lacks something keeps the log from being rewound by others
// that fall asleep or leave.
func TestRewindWaitsForSleepers(t *testing.T) {
	for name, event := range map[string]func(l *Log, other *Member){
		"another falls asleep": func(_ *Log, other *Member) { other.Release() },
		"another leaves":       func(_ *Log, other *Member) { other.Detach(false) },
	} {
		t.Run(name, func(t *testing.T) {
			l := testLog(t, 1<<20)
			c, p := pair(t, false)
			join(l, c)
			oc, op := pair(t, false)
			go func() { _, _ = op.next() }()
			other := l.Attach(oc)
			l.Append(Frame{Payload: []byte("owed")}, nil)
			event(l, other)
			l.Flush()
			p.expectText("owed")
			eventually(t, "sleep", l.quiet)
			l.settled(t)
		})
	}
}

// What everyone has read is garbage, though there is always someone awake.
func TestChunksAreFreed(t *testing.T) {
	l := testLog(t, 1<<20)
	c, p := pair(t, false)
	join(l, c)
	hc, _ := pair(t, false)
	held := l.Attach(hc)
	frame := strings.Repeat("x", 20<<10)
	var old []weak.Pointer[chunk]
	for range 50 {
		l.publish(frame, nil)
		p.expectText(frame)
		old = append(old, weak.Make(l.tail))
		next := l.Attach(hc) // awake before the other is gone
		held.Detach(false)
		held = next
	}
	eventually(t, "collection", func() bool {
		runtime.GC()
		var left int
		for _, w := range old[:len(old)-2] {
			if w.Value() != nil {
				left++
			}
		}
		return left == 0
	})
	held.Detach(false)
	l.settled(t)
	runtime.KeepAlive(l)
}

// Sleepers do not keep a large message.
func TestSleepersHoldNoMemory(t *testing.T) {
	l := testLog(t, 64<<20)
	c, p := pair(t, false)
	m := join(l, c)
	go func() { _, _ = p.next() }()
	l.Append(Frame{Payload: make([]byte, 1<<20)}, nil)
	w := weak.Make(l.tail)
	l.Flush()
	eventually(t, "sleep", l.quiet)
	eventually(t, "collection", func() bool {
		runtime.GC()
		return w.Value() == nil
	})
	runtime.KeepAlive(m)
}

// A member of a connection that is closing is a member no more, and holds
// nothing, long before package room gets round to detaching it.
func TestClosingMembersLeave(t *testing.T) {
	for name, end := range map[string]func(c *Conn){
		"closed":  func(c *Conn) { c.Close(1000, "") },
		"aborted": func(c *Conn) { c.Abort() },
		"reset":   func(c *Conn) { _ = c.raw.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, piped bool) {
				l := testLog(t, 1<<40) // so that nobody is late
				stuck, _ := pair(t, piped)
				idle, _ := pair(t, piped)
				members := []*Member{join(l, stuck), join(l, idle)}
				frame := strings.Repeat("x", 30<<10)
				for !stuckIn(stuck) {
					l.publish(frame, members[1])
				}
				end(stuck)
				end(idle)
				eventually(t, "leaving", func() bool {
					l.publish("anyone?", nil)
					return l.Len() == 0
				})
				for _, m := range members {
					if m.chunk != nil {
						t.Error("a member that left holds a chunk")
					}
					m.Detach(true)
				}
				l.settled(t)
			})
		})
	}
}

// stuckIn reports whether members wait for the socket of c.
func stuckIn(c *Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.out.members) > 0
}

// A member further behind than the log allows is closed at the next flush,
// whether it waits for its socket or for its release.
func TestLag(t *testing.T) {
	for _, held := range []bool{false, true} {
		t.Run(fmt.Sprintf("held=%v", held), func(t *testing.T) {
			const maxLag = 200 << 10
			l := testLog(t, maxLag)
			ok, p := pair(t, false)
			join(l, ok)
			c, _ := pair(t, true) // nobody reads the pipe
			m := l.Attach(c)
			if !held {
				m.Release()
			}
			frame := strings.Repeat("x", 10<<10)
			var total int64
			for !c.Closing() {
				l.publish(frame, nil)
				p.expectText(frame)
				if total += int64(len(frame)); total > 2*maxLag {
					t.Fatal("not closed")
				}
			}
			if total < maxLag {
				t.Fatalf("closed after %d bytes", total)
			}
			if l.Len() != 1 {
				t.Fatalf("%d members", l.Len())
			}
			c.mu.Lock()
			code := c.out.closing.Code
			c.mu.Unlock()
			if code != CloseSlowConsumer {
				t.Fatalf("closed with %d", code)
			}
			m.Detach(true)
			eventually(t, "sleep", l.quiet)
		})
	}
}

// A publisher goes back to its own work after a few passes even when others
// keep publishing; what is left then is delivered all the same.
func TestPublisherIsNotKept(t *testing.T) {
	l := testLog(t, 1<<30)
	var peers []*peer
	for range 4 {
		c, p := pair(t, false)
		join(l, c)
		peers = append(peers, p)
	}
	const publishers, each = 4, 500
	var order sync.Mutex // as a room's
	var wg sync.WaitGroup
	var n uint64
	for range publishers {
		wg.Go(func() {
			for range each {
				order.Lock()
				l.Append(Frame{Payload: binary.BigEndian.AppendUint64(nil, n)}, nil)
				n++
				order.Unlock()
				l.Flush()
			}
		})
	}
	for _, p := range peers {
		wg.Go(func() {
			for want := range uint64(publishers * each) {
				f, err := p.next()
				if err != nil || binary.BigEndian.Uint64([]byte(f.payload)) != want {
					t.Errorf("got %v, want number %d, error %v", f, want, err)
					return
				}
			}
		})
	}
	wg.Wait()
	eventually(t, "sleep", l.quiet)
	l.settled(t)
}

// Catching up in many small steps is not done by whoever releases the member,
// but it is done.
func TestManyRuns(t *testing.T) {
	l := testLog(t, 1<<20)
	c, p := pair(t, false)
	m := l.Attach(c)
	const messages = 10 * inlinePasses * runsPerVisit
	for i := range messages {
		var from *Member
		if i%2 == 0 {
			from = m
		}
		l.Append(Frame{Payload: fmt.Append(nil, i)}, from)
	}
	m.Release()
	for i := 1; i < messages; i += 2 {
		p.expectText(fmt.Sprint(i))
	}
	eventually(t, "sleep", l.quiet)
	l.settled(t)
}

func TestWholeFrames(t *testing.T) {
	frames := func(sizes ...int) (run []byte) {
		for _, n := range sizes {
			run = Frame{Payload: make([]byte, n)}.append(run)
		}
		return run
	}
	for _, tt := range []struct {
		run  []byte
		want int
	}{
		{frames(1), 3},
		{frames(1, 1), 6},
		{frames(95), 97},
		{frames(98), 100},
		{frames(99), 101},
		{frames(99, 1), 101},
		{frames(1, 99), 3},
		{frames(1, 95), 100},
		{frames(1, 96), 3},
		{frames(30, 30, 30, 30), 96},
		{frames(200), 204},
		{frames(70_000), 70_010},
		{frames(70_000, 70_000), 70_010},
	} {
		if got := wholeFrames(tt.run, 100); len(got) != tt.want {
			t.Errorf("%d bytes of %d, want %d", len(got), len(tt.run), tt.want)
		}
	}
}

// What a chunk that comes from the pool held before is never seen.
func TestChunksAreReused(t *testing.T) {
	var logs []*Log
	var peers []*peer
	for range 3 {
		l := testLog(t, 1<<20)
		c, p := pair(t, false)
		join(l, c)
		logs, peers = append(logs, l), append(peers, p)
	}
	seen := make(map[*chunk]bool)
	for n := range 200 {
		l, p := logs[n%3], peers[n%3]
		payload := fmt.Sprint("log ", n%3, " message ", n)
		l.Append(Frame{Payload: []byte(payload)}, nil)
		seen[l.tail] = true
		l.Flush()
		p.expectText(payload)
		eventually(t, "sleep", l.quiet)
	}
	if !raceEnabled && len(seen) > 100 { // under race the pool forgets on purpose
		t.Errorf("%d chunks for 200 messages", len(seen))
	}
}

// Every member of a large room is flushed, whatever part of the list it is in.
func TestFlushIsSplit(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	l := testLog(t, 1<<20)
	var members []*Member
	var peers []*peer
	for range flushersAbove + 5 {
		c, p := pair(t, false)
		members, peers = append(members, join(l, c)), append(peers, p)
	}
	for _, payload := range []string{"one", "two"} {
		l.publish(payload, nil)
		for _, p := range peers {
			p.expectText(payload)
		}
	}
	l.settled(t)
	slices.Reverse(members)
	for i, m := range members {
		m.Detach(i%2 == 0)
	}
	l.settled(t)
}
