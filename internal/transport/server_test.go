package transport

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// testOptions are roomy, so that a test says what it is about.
func testOptions() *Options {
	return &Options{
		MaxText: 64 << 10, MaxBinary: 256 << 10,
		MessageDeadline: 10 * time.Second, Heartbeat: 25 * time.Second,
		WriteDeadline: 10 * time.Second, CloseDeadline: 5 * time.Second,
		MaxQueue: 1 << 20,
	}
}

// server is an HTTP server that accepts and serves connections the way package
// room does: the handler returns, and a goroutine of its own reads.
type server struct {
	t     testing.TB
	opts  *Options
	dial  func() (net.Conn, error)
	wrap  func(http.ResponseWriter) http.ResponseWriter
	conns chan *served
	http  *httptest.Server
	wg    sync.WaitGroup

	// handle replaces the echo.
	handle func(s *served, message []byte, binary bool)
	// idle runs before what is queued is flushed.
	idle func(s *served)
}

// served is a connection as the server has it.
type served struct {
	*Conn
	done    chan struct{} // closed when Serve has returned
	closing Closing       // what Serve returned
}

// A network is a kind of connection; the paths beneath differ.
type network struct {
	name   string
	tls    bool
	listen func(t testing.TB) (net.Listener, func() (net.Conn, error))
}

func networks() []network {
	return []network{
		{"tcp", false, listenTCP},
		{"unix", false, listenUnix},
		{"tls", true, listenTCP},
		{"pipe", false, listenPipe},
	}
}

func overTCP() network     { return network{"tcp", false, listenTCP} }
func overPipe() network    { return network{"pipe", false, listenPipe} }
func overTLSPipe() network { return network{"tls-pipe", true, listenPipe} }

func onNetworks(t *testing.T, test func(t *testing.T, n network)) {
	for _, n := range networks() {
		t.Run(n.name, func(t *testing.T) { test(t, n) })
	}
}

func listenTCP(t testing.TB) (net.Listener, func() (net.Conn, error)) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln, func() (net.Conn, error) { return net.Dial("tcp", ln.Addr().String()) }
}

func listenUnix(t testing.TB) (net.Listener, func() (net.Conn, error)) {
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Skip(err)
	}
	return ln, func() (net.Conn, error) { return net.Dial("unix", path) }
}

// pipeListener makes connections in memory, which testing/synctest can follow.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func listenPipe(testing.TB) (net.Listener, func() (net.Conn, error)) {
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	return l, func() (net.Conn, error) {
		client, server := net.Pipe()
		select {
		case l.conns <- server:
			return client, nil
		case <-l.done:
			return nil, net.ErrClosed
		}
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// serve starts a server. What it needs to know is set before the first dial.
func serve(t testing.TB, n network, opts *Options) *server {
	ln, dial := n.listen(t)
	s := &server{t: t, opts: opts, dial: dial, conns: make(chan *served, 16)}
	if opts.Park = NewPark(&s.wg); opts.Park != nil {
		opts.Park.after = time.Millisecond
	}
	s.http = &httptest.Server{Listener: ln, Config: &http.Server{Handler: http.HandlerFunc(s.accept), ReadHeaderTimeout: time.Minute}}
	if n.tls {
		s.http.StartTLS()
		s.dial = func() (net.Conn, error) {
			nc, err := dial()
			if err != nil {
				return nil, err
			}
			return tls.Client(nc, &tls.Config{InsecureSkipVerify: true}), nil //nolint:gosec // the server is the test's own
		}
	} else {
		s.http.Start()
	}
	t.Cleanup(func() {
		s.http.Close()
		if opts.Park != nil {
			opts.Park.Close()
		}
		s.wg.Wait()
	})
	return s
}

func (s *server) accept(w http.ResponseWriter, r *http.Request) {
	if s.wrap != nil {
		w = s.wrap(w)
	}
	conn, err := Accept(w, r, s.opts)
	if err != nil {
		s.t.Errorf("accept: %v", err)
		return
	}
	c := &served{Conn: conn, done: make(chan struct{})}
	s.conns <- c
	s.wg.Go(func() {
		defer close(c.done)
		c.closing = serveTo(c.Conn, func(message []byte, binary bool) {
			if s.handle != nil {
				s.handle(c, message, binary)
				return
			}
			c.Send(Frame{Payload: message, Binary: binary})
		}, func() {
			if s.idle != nil {
				s.idle(c)
			}
			c.Flush()
		})
	})
}

// connect dials and makes the handshake; both ends end with the test.
func (s *server) connect(extra ...string) (*peer, *served) {
	s.t.Helper()
	p := s.connectRaw()
	p.send(handshake(extra...))
	p.upgrade()
	return p, s.accepted()
}

// connectRaw dials and leaves the handshake to the caller.
func (s *server) connectRaw() *peer {
	s.t.Helper()
	nc, err := s.dial()
	if err != nil {
		s.t.Fatalf("dial: %v", err)
	}
	s.t.Cleanup(func() { _ = nc.Close() })
	patient(nc)
	return newPeer(s.t, nc)
}

// patient makes a test fail rather than wait for ever. A pipe has the clock of
// its test.
func patient(nc net.Conn) {
	switch bottom(nc).(type) {
	case *net.TCPConn, *net.UnixConn:
		_ = nc.SetDeadline(time.Now().Add(time.Minute))
	}
}

func (s *server) accepted() *served {
	c := <-s.conns
	s.t.Cleanup(func() {
		c.Abort()
		<-c.done
	})
	return c
}

// ended waits until Serve has returned and checks how.
func (c *served) ended(t testing.TB, want Closing) {
	t.Helper()
	<-c.done
	got := c.closing
	if want.Reason == anyReason {
		want.Reason = got.Reason
	}
	if got != want {
		t.Fatalf("ended with %+v, want %+v", got, want)
	}
	if err := c.raw.SetDeadline(time.Now()); err == nil {
		t.Fatal("the socket is still open after Serve")
	}
}

const anyReason = "*"

// user is a User made of functions.
type user struct {
	handle func(message []byte, binary bool)
	idle   func()
	ended  chan Closing
}

func (u *user) Handle(message []byte, binary bool) { u.handle(message, binary) }

func (u *user) Idle() {
	if u.idle != nil {
		u.idle()
	}
}

func (u *user) Ended(how Closing) { u.ended <- how }

// serveTo serves a connection to its end.
func serveTo(c *Conn, handle func(message []byte, binary bool), idle func()) Closing {
	u := &user{handle, idle, make(chan Closing, 1)}
	var owner sync.WaitGroup
	c.Serve(u, &owner)
	how := <-u.ended
	owner.Wait()
	return how
}
