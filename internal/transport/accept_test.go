package transport

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

func TestEcho(t *testing.T) {
	onNetworks(t, func(t *testing.T, n network) {
		s := serve(t, n, testOptions())
		p, c := s.connect()
		if (c.socket != nil) != (n.name == "tcp" || n.name == "unix") {
			t.Fatalf("a socket of the system: %v", c.socket != nil)
		}
		for _, size := range []int{0, 1, 125, 126, 127, 0xFFFF, 0x10000} {
			payload := strings.Repeat("x", size)
			// A pipe has no buffer: the server could not answer while we write.
			go p.try(clientFrame(bitFin|opBinary, payload))
			p.expect(bitFin|opBinary, payload)
		}
		p.send(text("grüße"))
		p.expectText("grüße")
		p.send(clientClose(1000, "bye"))
		if reason := p.expectClose(1000); reason != "bye" {
			t.Fatalf("reason %q", reason)
		}
		p.expectEOF()
		c.ended(t, Closing{Code: 1000, Reason: "bye", ByPeer: true})
	})
}

func TestSubprotocol(t *testing.T) {
	opts := testOptions()
	opts.Subprotocols = []string{"wardroom.v2", "wardroom.v1.json"}
	s := serve(t, overTCP(), opts)
	p := s.connectRaw()
	p.send(handshake("Sec-WebSocket-Protocol: bearer.secret, wardroom.v1.json"))
	if got := p.upgrade().Values("Sec-WebSocket-Protocol"); len(got) != 1 || got[0] != "wardroom.v1.json" {
		t.Fatalf("subprotocol %q", got)
	}
	if got := s.accepted().Subprotocol(); got != "wardroom.v1.json" {
		t.Fatalf("Subprotocol() = %q", got)
	}
	_, c := s.connect()
	if got := c.Subprotocol(); got != "" {
		t.Fatalf("Subprotocol() = %q", got)
	}
}

// Frames may come in the same packet as the handshake, while the HTTP server
// reads.
func TestEarlyFrames(t *testing.T) {
	onNetworks(t, func(t *testing.T, n network) {
		s := serve(t, n, testOptions())
		p := s.connectRaw()
		go p.try(handshake(), text("one"), text("two"), clientFrame(bitFin|opPing, "p"), text("three")[:7])
		p.upgrade()
		s.accepted()
		p.expectText("one")
		p.expectText("two")
		p.expect(bitFin|opPong, "p")
		p.send(text("three")[7:])
		p.expectText("three")
	})
}

// A server may have buffered more than ours holds.
func TestEarlyFramesOfLargeBuffer(t *testing.T) {
	payload := strings.Repeat("early ", 8000)
	s := serve(t, overTCP(), testOptions())
	s.wrap = func(w http.ResponseWriter) http.ResponseWriter {
		return &largeBuffer{w, []byte(payload)}
	}
	p, _ := s.connect()
	p.expectText(payload)
	p.send(text("later"))
	p.expectText("later")
}

// largeBuffer hijacks with a message already read.
type largeBuffer struct {
	http.ResponseWriter
	payload []byte
}

func (w *largeBuffer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, brw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	frame := clientFrame(bitFin|opText, string(w.payload))
	r := bufio.NewReaderSize(io.MultiReader(strings.NewReader(string(frame)), nc), len(frame))
	_, err = r.Peek(len(frame))
	return nc, bufio.NewReadWriter(r, brw.Writer), err
}

// unwrapper is how middlewares wrap since Go 1.20.
type unwrapper struct{ http.ResponseWriter }

func (w unwrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// lazy keeps the status line until it is told, like gin's writer.
type lazy struct {
	http.ResponseWriter
	status int
}

func (w *lazy) WriteHeader(status int) { w.status = status }

func (w *lazy) WriteHeaderNow() { w.ResponseWriter.WriteHeader(w.status) }

func (w *lazy) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestWrappedWriters(t *testing.T) {
	for name, wrap := range map[string]func(http.ResponseWriter) http.ResponseWriter{
		"unwrap":             func(w http.ResponseWriter) http.ResponseWriter { return unwrapper{w} },
		"unwrap twice":       func(w http.ResponseWriter) http.ResponseWriter { return unwrapper{unwrapper{w}} },
		"lazy":               func(w http.ResponseWriter) http.ResponseWriter { return &lazy{ResponseWriter: w} },
		"lazy in a wrapper":  func(w http.ResponseWriter) http.ResponseWriter { return unwrapper{&lazy{ResponseWriter: w}} },
		"a wrapper in lazy":  func(w http.ResponseWriter) http.ResponseWriter { return &lazy{ResponseWriter: unwrapper{w}} },
		"no wrapper at all ": func(w http.ResponseWriter) http.ResponseWriter { return w },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, overTCP(), testOptions())
			s.wrap = wrap
			p, _ := s.connect()
			p.send(text("through"))
			p.expectText("through")
		})
	}
}

// A writer that cannot be hijacked leaves an HTTP error and no connection.
func TestNoHijack(t *testing.T) {
	s := serve(t, overTCP(), testOptions())
	s.http.Config.ErrorLog = log.New(io.Discard, "", 0) // it says that the library writes two statuses
	failed := make(chan error, 1)
	s.http.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := Accept(struct{ http.ResponseWriter }{w}, r, s.opts)
		failed <- err
	})
	p := s.connectRaw()
	p.send(handshake())
	if err := <-failed; err == nil {
		t.Fatal("accepted")
	}
}

// counting is a conn with a Read and Write of its own around a TCP conn, whose
// SyscallConn it has by embedding.
type counting struct {
	*net.TCPConn
	in, out *atomic.Int64
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	c.in.Add(int64(n))
	return n, err
}

// Write counts first: who reads what was written may look at once.
func (c counting) Write(p []byte) (int, error) {
	c.out.Add(int64(len(p)))
	return c.TCPConn.Write(p)
}

type countingListener struct {
	net.Listener
	in, out atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return counting{nc.(*net.TCPConn), &l.in, &l.out}, nil
}

// What stands between us and the socket must not be gone round.
func TestWrappedConn(t *testing.T) {
	var counted *countingListener
	s := serve(t, network{"counting", false, func(t testing.TB) (net.Listener, func() (net.Conn, error)) {
		ln, dial := listenTCP(t)
		counted = &countingListener{Listener: ln}
		return counted, dial
	}}, testOptions())
	p, _ := s.connect()
	in, out := counted.in.Load(), counted.out.Load()
	p.send(text("hello"))
	p.expectText("hello")
	in, out = counted.in.Load()-in, counted.out.Load()-out
	if in != int64(len(text("hello"))) || out != int64(len("hello")+2) {
		t.Fatalf("the conn saw %d bytes in and %d out", in, out)
	}
}

// The response travels with the first frames, in one packet. Behind a
// middleware's writer it does not: that one wants to see the status.
func TestResponseTravelsWithFirstFrames(t *testing.T) {
	for name, tt := range map[string]struct {
		wrap     func(http.ResponseWriter) http.ResponseWriter
		together bool
	}{
		"the server's own": {func(w http.ResponseWriter) http.ResponseWriter { return w }, true},
		"a middleware's":   {func(w http.ResponseWriter) http.ResponseWriter { return unwrapper{w} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, overTCP(), testOptions())
			held, goOn := make(chan *Conn), make(chan struct{})
			s.http.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("X-Middleware", "was here")
				c, err := Accept(tt.wrap(w), r, s.opts)
				if err != nil {
					t.Errorf("accept: %v", err)
				}
				held <- c
				<-goOn
				c.Send(Frame{Payload: []byte("welcome")})
				c.Flush()
				serveTo(c, func([]byte, bool) {}, func() {})
			})
			p := s.connectRaw()
			p.send(handshake())
			c := <-held
			c.mu.Lock()
			kept := len(c.out.queue) > 0
			c.mu.Unlock()
			if kept != tt.together {
				t.Errorf("kept back: %t, want %t", kept, tt.together)
			}
			close(goOn)
			if got := p.upgrade().Get("X-Middleware"); got != "was here" {
				t.Errorf("the middleware's header: %q", got)
			}
			if inPacket := p.r.Buffered() > 0; tt.together && !inPacket {
				t.Error("the first frame did not come in the response's packet")
			}
			p.expectText("welcome")
			p.send(clientClose(1000, ""))
			p.expectClose(1000)
			p.expectEOF()
		})
	}
}

// Where nothing is sent first, Serve sends the response.
func TestResponseTravelsAlone(t *testing.T) {
	s := serve(t, overTCP(), testOptions())
	s.http.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := Accept(w, r, s.opts); err == nil {
			serveTo(c, func([]byte, bool) {}, func() {})
		}
	})
	p := s.connectRaw()
	p.send(handshake())
	p.upgrade()
	p.send(clientClose(1000, ""))
	p.expectClose(1000)
	p.expectEOF()
}
