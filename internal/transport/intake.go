package transport

import (
	"bufio"
	"net"
	"net/http"
	"runtime"
	"sync"

	"github.com/coder/websocket"
)

// intake is what a connection needs only while there is input: coder/websocket's
// connection, which knows nothing between two messages that the next one needs,
// and what it reads through. An idle connection has none, which is a quarter of
// what it would cost otherwise.
type intake struct {
	c *Conn // whose it is
	inbound
	ws    *websocket.Conn
	ahead *bufio.Reader // the library's, over beneath
	// own says that it must not become another connection's: of what it read
	// something may be left in the library. Behind the end of compressed data
	// there may be more, and a control frame's own deadline may be running.
	own bool
	// spare says that it came with the handshake. There is one for each
	// connection, many more than ever have input at once.
	spare bool
}

// intakes are free, by whether they inflate. The library's connections in them
// have no socket, so nothing has to be closed when they are forgotten.
var intakes [2]sync.Pool

func pool(deflate bool) *sync.Pool {
	if deflate {
		return &intakes[1]
	}
	return &intakes[0]
}

// attend gives the connection an intake if it has none.
func (c *Conn) attend() {
	if c.in != nil {
		return
	}
	t, _ := pool(c.deflate).Get().(*intake)
	if t == nil {
		t = newIntake(c.deflate)
	}
	t.serve(c)
}

// serve makes t the intake of c.
func (t *intake) serve(c *Conn) {
	t.c, c.in = c, t
	t.ws.SetReadLimit(max(c.opts.MaxText, c.opts.MaxBinary))
}

// dismiss gives away, between two messages, what is needed only for input: the
// buffer always, the intake if another connection may have it.
func (c *Conn) dismiss() {
	t := c.in
	if t.r < t.w {
		return
	}
	t.release()
	switch {
	case t.own || t.closed || t.broken || !c.passedOn():
	case t.spare:
		t.close()
		c.in = nil
	default:
		t.c, c.in = nil, nil
		t.inbound = inbound{}
		pool(c.deflate).Put(t)
	}
}

// close frees what the library keeps for a connection.
func (t *intake) close() {
	t.release()
	_ = t.ws.CloseNow() // not the socket: see beneath.Close
}

// newIntake makes one for no connection in particular. The library makes
// its connections only by a handshake; this one is with nobody.
func newIntake(deflate bool) *intake {
	t := new(intake)
	mode := websocket.CompressionDisabled
	if deflate {
		mode = websocket.CompressionNoContextTakeover
	}
	ws, err := websocket.Accept(&nobody{t: t, header: make(http.Header)}, &http.Request{
		Method: http.MethodGet, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Connection":               {"Upgrade"},
			"Upgrade":                  {"websocket"},
			"Sec-Websocket-Version":    {"13"},
			"Sec-Websocket-Key":        {"AAAAAAAAAAAAAAAAAAAAAA=="},
			"Sec-Websocket-Extensions": {"permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		},
	}, &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: mode})
	if err != nil {
		panic("transport: " + err.Error()) // a sound handshake is accepted
	}
	// The library's finalizer would keep it for ever: what it reads through
	// refers back to it, and a ring with a finalizer in it is not collected.
	runtime.SetFinalizer(ws, nil)
	t.ws = ws
	return t
}

// nobody is the other side of the handshake in newIntake.
type nobody struct {
	t      *intake
	header http.Header
}

func (n *nobody) Header() http.Header         { return n.header }
func (n *nobody) Write(p []byte) (int, error) { return len(p), nil }
func (n *nobody) WriteHeader(int)             {}

func (n *nobody) Hijack() (net.Conn, *bufio.ReadWriter, error) { return n.t.hijacked() }

const (
	headerBuffer  = 16 // bufio's least, and more than the longest header
	controlBuffer = 2 + maxControlPayload
)

// hijacked is what the library gets of the connection it has accepted: buffers
// just large enough for a frame header and a control frame.
func (t *intake) hijacked() (net.Conn, *bufio.ReadWriter, error) {
	conn := beneath{t}
	t.ahead = bufio.NewReaderSize(conn, headerBuffer)
	return conn, bufio.NewReadWriter(t.ahead, bufio.NewWriterSize(conn, controlBuffer)), nil
}
