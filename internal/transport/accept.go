package transport

import (
	"bufio"
	"bytes"
	"net"
	"net/http"
	"reflect"
	"time"

	"github.com/coder/websocket"
)

// Accept upgrades a request that the caller has already found to be a sound
// WebSocket handshake from an allowed origin: here nothing of that is checked
// but what coder/websocket insists on. On an error the response is spoiled.
//
// The response may only be queued: it travels with what is sent first, at the
// latest when Serve begins.
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
	c.in.ws = ws
	c.in.serve(c)
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
	c       *Conn
	pending bool // the response is ours to write
}

// WriteHeader keeps the response back where nobody but the HTTP server would
// see it: written by ourselves, it shares a packet and a system call with the
// first frames. A middleware's writer is told as always.
func (u *upgrader) WriteHeader(status int) {
	if status == http.StatusSwitchingProtocols && isServers(u.ResponseWriter) {
		u.pending = true
		return
	}
	u.ResponseWriter.WriteHeader(status)
}

// isServers reports whether w is the HTTP server's own.
func isServers(w http.ResponseWriter) bool {
	t := reflect.TypeOf(w)
	return t.Kind() == reflect.Pointer && t.Elem().PkgPath() == "net/http" && t.Elem().Name() == "response"
}

func (u *upgrader) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	raw, brw, err := http.NewResponseController(u.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	c := u.c
	c.raw = raw
	if c.socket = newSocket(raw, c); c.socket != nil {
		c.park = c.opts.Park
	}
	c.in = &intake{spare: true}
	// The HTTP server may have left deadlines of its own.
	_ = raw.SetDeadline(time.Time{})
	if n := brw.Reader.Buffered(); n > 0 {
		early, _ := brw.Reader.Peek(n)
		c.in.start(early)
	}
	if u.pending {
		c.mu.Lock()
		c.out.open()
		c.out.queue = appendSwitching(c.out.queue, u.Header())
		c.mu.Unlock()
	}
	return c.in.hijacked()
}

// appendSwitching appends the response that ends the handshake.
func appendSwitching(dst []byte, h http.Header) []byte {
	b := bytes.NewBuffer(dst)
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	_ = h.Write(b) // a Buffer takes everything
	b.WriteString("\r\n")
	return b.Bytes()
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
