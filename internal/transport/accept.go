package transport

import (
	"bufio"
	"net"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// Accept upgrades a request that the caller has already found to be a sound
// WebSocket handshake from an allowed origin: here nothing of that is checked
// but what coder/websocket insists on. On an error the response is spoiled.
func Accept(w http.ResponseWriter, r *http.Request, opts *Options) (*Conn, error) {
	c := &Conn{opts: opts, opened: time.Now()}
	mode := websocket.CompressionDisabled
	if opts.Compress {
		mode = websocket.CompressionNoContextTakeover
	}
	ws, err := websocket.Accept(&upgrader{ResponseWriter: w, c: c}, r, &websocket.AcceptOptions{
		Subprotocols:       opts.Subprotocols,
		InsecureSkipVerify: true, // the caller's own origin check is stricter
		CompressionMode:    mode,
	})
	if err != nil {
		if c.raw != nil {
			_ = c.raw.Close()
		}
		return nil, err
	}
	c.ws = ws
	ws.SetReadLimit(max(opts.MaxText, opts.MaxBinary))
	c.subprotocol = ws.Subprotocol()
	c.deflate = w.Header().Get("Sec-WebSocket-Extensions") != ""
	c.mu.Lock()
	c.timer = time.AfterFunc(opts.Heartbeat, c.beat)
	c.mu.Unlock()
	return c, nil
}

// upgrader is the ResponseWriter that coder/websocket hijacks: it is handed
// our own conn and buffers just large enough for a frame header and a control
// frame, and what the HTTP server's large ones hold moves to ours.
type upgrader struct {
	http.ResponseWriter
	c *Conn
}

const (
	headerBuffer  = 16 // bufio's least, and more than the longest header
	controlBuffer = 2 + maxControlPayload
)

func (u *upgrader) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	raw, brw, err := http.NewResponseController(u.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	c := u.c
	c.raw = raw
	c.socket = newSocket(raw, &c.in)
	// The HTTP server may have left deadlines of its own.
	_ = raw.SetDeadline(time.Time{})
	if n := brw.Reader.Buffered(); n > 0 {
		early, _ := brw.Reader.Peek(n)
		c.in.start(early)
	}
	conn := beneath{c}
	c.frames = bufio.NewReaderSize(conn, headerBuffer)
	return conn, bufio.NewReadWriter(c.frames, bufio.NewWriterSize(conn, controlBuffer)), nil
}

// WriteHeaderNow reaches writers that keep the status line until they are told
// (gin's), which the library can no longer see through this one.
func (u *upgrader) WriteHeaderNow() {
	for w := u.ResponseWriter; w != nil; {
		if now, ok := w.(interface{ WriteHeaderNow() }); ok {
			now.WriteHeaderNow()
			return
		}
		wrapped, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return
		}
		w = wrapped.Unwrap()
	}
}
