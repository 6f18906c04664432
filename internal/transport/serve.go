package transport

import (
	"context"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// read gives messages to the user until the connection ends or is parked.
func (c *Conn) read() {
	done := false
	defer func() {
		if p := recover(); p != nil {
			panic(p)
		}
		if !done {
			// The user's code has ended the goroutine, as testing.T.Fatal does
			// with the one that it is called in.
			c.over()
		}
	}()
	c.converse()
	done = true
}

func (c *Conn) converse() {
	for !c.closing.Load() {
		// Waiting here and not beneath the library takes a stack half as deep,
		// and neither an intake nor a buffer.
		if c.in == nil || len(c.in.pending()) == 0 {
			switch c.fill(c.mayPark()) {
			case something:
			case nothing:
				if c.rest() {
					return
				}
			case theEnd:
				c.over()
				return
			}
			continue
		}
		if c.control() {
			continue
		}
		if c.brief {
			c.awake()
		}
		if !c.takeWhole() && !c.message() {
			break
		}
	}
	c.over()
}

// over ends what Serve began.
func (c *Conn) over() {
	defer c.owner.Done()
	c.brief = false
	c.user.Idle()
	c.user.Ended(c.finish())
}

// message reads one message for the user. When it reports false the connection
// has ended or was closed for what the message is.
func (c *Conn) message() bool {
	typ, r, err := c.in.ws.Reader(context.Background())
	if err != nil {
		if !c.in.failed {
			// The library gives a control frame less time than we do.
			c.Close(ClosePolicy, tookTooLong)
		}
		return false
	}
	buf := messages.Get().(*[]byte)
	message, ok := c.readAll((*buf)[:0], typ == websocket.MessageText, r)
	if ok && !c.closing.Load() {
		c.user.Handle(message, typ == websocket.MessageBinary)
	}
	if cap(message) <= keepMessage {
		*buf = message
	}
	messages.Put(buf)
	return ok
}

// keepMessage is the largest buffer that is worth keeping for the next message.
const keepMessage = 64 << 10

var messages = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

// readAll reads one message to its end. When it reports false the connection
// has ended or was closed for what the message is.
func (c *Conn) readAll(buf []byte, text bool, r io.Reader) ([]byte, bool) {
	limit := c.opts.MaxBinary
	if text {
		limit = c.opts.MaxText
	}
	// Only of compressed data the library must be asked where it ends.
	c.in.own = c.in.own || c.in.deflated
	for c.in.deflated || !c.passedOn() {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			// The frames were small enough: this is an inflated message.
			c.refuse(CloseTooBig, tooBig)
			return buf, false
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			if !c.in.failed {
				c.refuse(CloseInvalidUTF8, "data does not inflate")
			}
			return buf, false
		}
	}
	if !c.passedOn() {
		// The compressed data said that it ends before the message does.
		// The library would take the rest of it for frame headers, which
		// nobody has inspected.
		c.refuse(CloseInvalidUTF8, "data after the end of the compressed data")
		return buf, false
	}
	if text && !utf8.Valid(buf) {
		c.refuse(CloseInvalidUTF8, notUTF8)
		return buf, false
	}
	return buf, true
}

// refuse closes the connection for what has come. What came before is seen to
// first: nothing goes out behind a close frame.
func (c *Conn) refuse(code int, reason string) {
	c.user.Idle()
	c.Close(code, reason)
}

const notUTF8 = "text is not UTF-8"

// passedOn reports whether the library has read all of the current message.
func (c *Conn) passedOn() bool {
	return c.in.left == 0 && !c.in.more && c.in.ahead.Buffered() == 0
}

// control answers the ping, or takes the pong, that comes next between two
// messages, if it is there as a whole: there is no need to trouble the library
// with most of what an idle connection hears.
func (c *Conn) control() bool {
	in := c.in
	h, ok := parseHeader(in.pending())
	if !ok || h.opcode() != opPing && h.opcode() != opPong || in.more || h.payload > maxControlPayload {
		return false
	}
	frame := in.pending()
	size := h.size + int(h.payload)
	if len(frame) < size {
		return false
	}
	if r := c.inspect(h); r != nil {
		in.broken = true
		c.refuse(r.code, r.reason)
		return true
	}
	if h.opcode() == opPing {
		c.pong(frame[h.size-4 : size])
	}
	in.left = int64(size)
	in.consume(size)
	return true
}

// pong sends back what a ping holds; before that is its masking key.
func (c *Conn) pong(masked []byte) {
	key, payload := masked[:4], masked[4:]
	unmask(payload, key)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Load() {
		return
	}
	c.out.open()
	c.out.queue = append(appendHeader(c.out.queue, bitFin|opPong, len(payload)), payload...)
	c.pump()
}

// finish sees the closing handshake through and releases everything.
func (c *Conn) finish() Closing {
	if c.closing.Load() {
		c.linger()
		c.wg.Wait()       // for what is queued, the close frame last
		_ = c.raw.Close() // TLS has a goodbye of its own
	}
	c.mu.Lock()
	c.lost()
	c.timer.Stop()
	c.timer = nil
	closing := c.out.closing
	c.mu.Unlock()
	c.wg.Wait()
	if c.in != nil {
		c.in.close()
	}
	return closing
}

// linger reads and drops what the peer still sends, until it has sent a close
// frame or hung up. Closing a socket with unread input would make the system
// reset it, and the peer might never see why it was closed. The timer ends
// this when CloseDeadline has passed.
func (c *Conn) linger() {
	c.mu.Lock()
	if !c.out.dead {
		_ = c.raw.SetReadDeadline(time.Time{})
	}
	c.mu.Unlock()
	for dropped := 0; dropped < lingerBytes; {
		c.attend()
		in := c.in
		if in.left == 0 && !in.broken {
			if in.closed {
				return
			}
			if h, ok := parseHeader(in.pending()); ok {
				in.closed = h.opcode() == opClose
				in.left = int64(h.size) + min(max(h.payload, 0), lingerBytes)
			}
		}
		n := len(in.pending())
		if !in.broken {
			n = int(min(int64(n), in.left))
		}
		if n > 0 {
			in.consume(n)
			dropped += n
			continue
		}
		n, err := c.readSome()
		if n <= 0 || err != nil {
			return
		}
		c.in.w += n
	}
}

// lingerBytes bounds what a peer can make us read for nothing.
const lingerBytes = 8 << 20
