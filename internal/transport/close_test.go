package transport

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestClose(t *testing.T) {
	onNetworks(t, func(t *testing.T, n network) {
		s := serve(t, n, testOptions())
		p, c := s.connect()
		// What is queued goes first; nothing comes after.
		c.Send(Frame{Payload: []byte("last words")})
		c.Close(4001, "go away")
		c.Close(1000, "again")
		c.Send(Frame{Payload: []byte("too late")})
		c.Flush()
		if !c.Closing() {
			t.Error("Closing() = false")
		}
		p.expectText("last words")
		if reason := p.expectClose(4001); reason != "go away" {
			t.Fatalf("reason %q", reason)
		}
		// The peer may still be in the middle of something.
		p.send(text("unheard"), clientFrame(opText, "half a mess"), clientClose(4001, "go away"))
		p.expectEOF()
		c.ended(t, Closing{Code: 4001, Reason: "go away"})
	})
}

func TestCloseReason(t *testing.T) {
	s := serve(t, overTCP(), testOptions())
	for name, tt := range map[string]struct{ reason, want string }{
		"longest":   {strings.Repeat("x", 123), strings.Repeat("x", 123)},
		"too long":  {strings.Repeat("x", 124), ""},
		"not UTF-8": {"\xFF", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, c := s.connect()
			c.Close(1001, tt.reason)
			if reason := p.expectClose(1001); reason != tt.want {
				t.Fatalf("reason %q", reason)
			}
		})
	}
}

// A close frame without a status is answered by one.
func TestPeerClosesWithoutStatus(t *testing.T) {
	s := serve(t, overTCP(), testOptions())
	p, c := s.connect()
	p.send(clientFrame(bitFin|opClose, ""))
	p.expect(bitFin|opClose, "")
	p.expectEOF()
	c.ended(t, Closing{Code: closeNoStatus, ByPeer: true})
}

// The echo of a close frame waits behind what was queued before it.
func TestPeerClosesWhileMuchIsQueued(t *testing.T) {
	onNetworks(t, func(t *testing.T, n network) {
		opts := testOptions()
		opts.MaxQueue, opts.CloseDeadline = 32<<20, time.Minute
		s := serve(t, n, opts)
		p, c := s.connect()
		payload := bytes.Repeat([]byte("x"), 8<<20)
		c.Send(Frame{Payload: payload})
		c.Flush()
		p.send(clientClose(1000, ""))
		p.expectText(string(payload))
		p.expectClose(1000)
		p.expectEOF()
		c.ended(t, Closing{Code: 1000, ByPeer: true})
	})
}

// What came before what ends the connection, in the same input, is answered by
// a user who answers when there is no more of it.
func TestAnsweredBeforeTheEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		last []byte
		code int
	}{
		"goodbye":        {clientClose(1000, ""), 1000},
		"not masked":     {[]byte{bitFin | opText, 1, 'x'}, CloseProtocolError},
		"ping too long":  {clientFrame(bitFin|opPing, strings.Repeat("x", 126)), CloseProtocolError},
		"ping in pieces": {clientFrame(opPing, ""), CloseProtocolError},
		"not UTF-8":      {text("\xFF"), CloseInvalidUTF8},
		"in pieces":      {append(clientFrame(opText, "\xFF"), clientFrame(bitFin, "")...), CloseInvalidUTF8},
		"inflates badly": {clientFrame(bitFin|bitRSV1|opText, "\xFF\xFF\xFF\xFF"), CloseInvalidUTF8},
		"inflates large": {clientFrame(bitFin|bitRSV1|opText, deflated(strings.Repeat("x", 65<<10))), CloseTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			opts := testOptions()
			opts.Compress = true
			s := serve(t, overTCP(), opts)
			var later []string
			s.handle = func(_ *served, message []byte, _ bool) { later = append(later, string(message)) }
			s.idle = func(c *served) {
				for _, m := range later {
					c.Send(Frame{Payload: []byte(m)})
				}
				later = nil
			}
			p, _ := s.connect("Sec-WebSocket-Extensions: permessage-deflate")
			p.send(text("one"), text("two"), tt.last)
			p.expectText("one")
			p.expectText("two")
			p.expectClose(tt.code)
		})
	}
}

// A refusal is still told when the peer has closed its side already and the
// socket is full.
func TestRefusalBehindFullSocket(t *testing.T) {
	onNetworks(t, func(t *testing.T, n network) {
		opts := testOptions()
		opts.MaxQueue, opts.CloseDeadline = 32<<20, time.Minute
		s := serve(t, n, opts)
		p, c := s.connect()
		payload := bytes.Repeat([]byte("x"), 8<<20)
		c.Send(Frame{Payload: payload})
		c.Flush()
		p.send(clientClose(1000, "\xFF"))
		p.expectText(string(payload))
		p.expectClose(CloseInvalidUTF8)
		p.expectEOF()
		c.ended(t, Closing{Code: CloseInvalidUTF8, Reason: anyReason})
	})
}

func TestPeerHangsUp(t *testing.T) {
	onNetworks(t, func(t *testing.T, n network) {
		s := serve(t, n, testOptions())
		for name, part := range map[string][]byte{
			"between messages":    nil,
			"within a header":     text("x")[:3],
			"within a message":    text("hello")[:8],
			"between fragments":   clientFrame(opText, "x"),
			"within a close":      clientClose(1000, "bye")[:7],
			"within a long frame": clientHeader(bitFin|opBinary, 100_000),
		} {
			t.Run(name, func(t *testing.T) {
				p, c := s.connect()
				p.send(part)
				_ = p.nc.Close()
				c.ended(t, Closing{Code: closeAbnormal})
			})
		}
	})
}

func TestPeerResets(t *testing.T) {
	s := serve(t, overTCP(), testOptions())
	p, c := s.connect()
	_ = p.nc.(*net.TCPConn).SetLinger(0)
	_ = p.nc.Close()
	c.ended(t, Closing{Code: closeAbnormal})
}

func TestAbort(t *testing.T) {
	onNetworks(t, func(t *testing.T, n network) {
		s := serve(t, n, testOptions())
		p, c := s.connect()
		c.Abort()
		if f, err := p.next(); err == nil {
			t.Fatalf("got frame %v", f)
		}
		c.ended(t, Closing{Code: closeAbnormal})
		c.Abort()
		c.Close(1000, "")
		c.Send(Frame{Payload: []byte("x")})
		c.Flush()
	})
}

// coder/websocket's own Close would wait for the frame to end.
func TestCloseOnStalledFrame(t *testing.T) {
	onNetworks(t, func(t *testing.T, n network) {
		opts := testOptions()
		opts.MaxBinary = 1 << 40
		opts.CloseDeadline = 400 * time.Millisecond
		s := serve(t, n, opts)
		p, c := s.connect()
		p.send(clientHeader(bitFin|opBinary, 1<<39), []byte("and then"))
		within(t, opts.CloseDeadline, "Close", func() { c.Close(1001, "") })
		p.expectClose(1001)
		within(t, 4*time.Second, "the end", func() { <-c.done }) // coder/websocket: 5 s
		c.ended(t, Closing{Code: 1001})
	})
}

// With the default deadlines nothing that a peer does or leaves undone keeps
// its connection for more than 5 s after Close.
func TestCloseDeadline(t *testing.T) {
	for name, behave := range map[string]func(p *peer){
		"silent":        func(*peer) {},
		"stalled frame": func(p *peer) { p.try(clientHeader(bitFin|opBinary, 100_000)) },
		"half a header": func(p *peer) { p.try(clientHeader(bitFin|opBinary, 100_000)[:5]) },
		"half a close":  func(p *peer) { p.try(clientClose(1000, "bye")[:8]) },
		"trickles": func(p *peer) {
			for range 100 {
				p.try(text("x"))
				time.Sleep(100 * time.Millisecond)
			}
		},
		"reads nothing": nil,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, overPipe(), testOptions())
				p, c := s.connect()
				var wg sync.WaitGroup
				if behave != nil {
					wg.Go(func() { behave(p) })
					wg.Go(func() { _, _ = io.Copy(io.Discard, p.nc) })
					synctest.Wait()
				}
				start := time.Now()
				c.Close(1001, "")
				<-c.done
				if took := time.Since(start); took != 5*time.Second {
					t.Fatalf("gone after %v", took)
				}
				c.ended(t, Closing{Code: 1001})
				_ = p.nc.Close()
				wg.Wait()
			})
		})
	}
}

// A flood after the close frame ends the wait for the peer's.
func TestCloseDuringFlood(t *testing.T) {
	opts := testOptions()
	opts.CloseDeadline = time.Hour
	s := serve(t, overTCP(), opts)
	p, c := s.connect()
	c.Close(1001, "")
	p.expectClose(1001)
	within(t, time.Minute, "the end", func() {
		p.flood(1 << 30)
		<-c.done
	})
}

// The heartbeat may be due in the moment that Close is called: it must not cut
// the closing handshake short.
func TestCloseWhenHeartbeatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, overPipe(), testOptions())
		p, c := s.connect()
		c.mu.Lock()
		c.shut(1001, "")
		due := make(chan struct{})
		go func() { c.beat(); close(due) }()
		c.mu.Unlock()
		<-due
		time.Sleep(4 * time.Second)
		p.expectClose(1001)
		p.send(clientClose(1001, ""))
		c.ended(t, Closing{Code: 1001})
	})
}

// Once a close frame was sent nothing follows, whoever is writing.
func TestNothingAfterClose(t *testing.T) {
	onNetworks(t, func(t *testing.T, n network) {
		opts := testOptions()
		opts.MaxQueue = 1 << 30 // 4103 is not what this is about
		s := serve(t, n, opts)
		for range 20 {
			p, c := s.connect()
			var owner, wg sync.WaitGroup
			l := NewLog(1<<30, &owner)
			m := l.Attach(c.Conn)
			m.Release()
			wg.Go(func() {
				for !c.Closing() {
					l.Append(Frame{Payload: []byte("from the room")}, nil)
					l.Flush()
				}
			})
			wg.Go(func() {
				for !c.Closing() {
					c.Send(Frame{Payload: []byte("reply")})
					c.Flush()
				}
			})
			wg.Go(func() {
				for i := range 8 {
					p.try(clientFrame(bitFin|opPing, string(rune('a'+i))))
				}
				time.Sleep(time.Millisecond)
				c.Close(1001, "")
			})
			p.expectClose(1001)
			if n.name != "pipe" && n.name != "tls" {
				p.expectEOF() // half-closed
			}
			p.send(clientClose(1001, ""))
			p.expectEOF()
			wg.Wait()
			m.Detach(true)
			owner.Wait()
			c.ended(t, Closing{Code: 1001})
		}
	})
}

// Nobody who holds a connection's lock may wait for a socket. crypto/tls says
// goodbye when it is closed, up to 5 s long.
func TestAbortDoesNotWaitForTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, overTLSPipe(), testOptions())
		_, c := s.connect()
		start := time.Now()
		c.Abort() // the peer does not read
		if took := time.Since(start); took > 0 {
			t.Fatalf("Abort took %v", took)
		}
		<-c.done
	})
}

// The closing handshake ends with TLS's own goodbye.
func TestTLSGoodbye(t *testing.T) {
	s := serve(t, network{"tls", true, listenTCP}, testOptions())
	var wire []byte // what the client reads, beneath TLS
	s.dial = func() (net.Conn, error) {
		nc, err := net.Dial("tcp", s.http.Listener.Addr().String())
		if err != nil {
			return nil, err
		}
		tap := reader{nc, func(p []byte, n int) { wire = append(wire, p[:n]...) }}
		// In TLS 1.3 an alert looks like data from outside.
		return tls.Client(tap, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}), nil //nolint:gosec // the server is the test's own
	}
	p, c := s.connect()
	c.Close(1000, "")
	p.expectClose(1000)
	wire = nil
	p.send(clientClose(1000, ""))
	p.expectEOF()
	<-c.done
	const alert = 21
	if len(wire) == 0 || wire[0] != alert {
		t.Fatalf("the stream ends with %x", wire)
	}
}

// The answer to our close frame may come in pieces. Hanging up after the first
// would reset the connection, and the peer might lose our close frame.
func TestCloseAnsweredInPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, overPipe(), testOptions())
		p, c := s.connect()
		c.Close(1001, "")
		answer := clientClose(1001, "going away")
		p.send(answer[:8])
		time.Sleep(4 * time.Second)
		select {
		case <-c.done:
			t.Fatal("hung up in the middle of the peer's close frame")
		default:
		}
		p.expectClose(1001)
		start := time.Now()
		p.send(answer[8:])
		<-c.done
		if took := time.Since(start); took > 0 {
			t.Fatalf("hung up %v after it", took)
		}
	})
}

func TestWriteToGonePeer(t *testing.T) {
	s := serve(t, overTCP(), testOptions())
	block := make(chan struct{})
	s.handle = func(*served, []byte, bool) { <-block }
	p, c := s.connect()
	p.send(text("x")) // so that the reader does not see it first
	_ = p.nc.(*net.TCPConn).SetLinger(0)
	_ = p.nc.Close()
	deadline := time.Now().Add(5 * time.Second)
	for !c.Closing() {
		c.Send(Frame{Payload: []byte("hello?")})
		c.Flush()
		if time.Now().After(deadline) {
			t.Fatal("still open")
		}
	}
	close(block)
	c.ended(t, Closing{Code: closeAbnormal})
}

// The system's errors are told apart from its "not now".
func TestSocketErrors(t *testing.T) {
	a, b := tcpPair(t)
	sock := newSocket(a, &Conn{opts: testOptions()})
	if n, err := sock.Write([]byte("x")); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	_ = b.(*net.TCPConn).SetLinger(0)
	_ = b.Close()
	_ = a.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := sock.Read(); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("Read: %v", err)
	}
	if _, err := sock.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Fatalf("Write: %v", err)
	}
	_ = a.Close()
	if _, err := sock.Read(); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("Read: %v", err)
	}
	if _, err := sock.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("Write: %v", err)
	}
}

// tcpPair is both ends of a connection on the loopback interface.
func tcpPair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	ln, dial := listenTCP(t)
	defer func() { _ = ln.Close() }()
	b, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	a, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return a, b
}
