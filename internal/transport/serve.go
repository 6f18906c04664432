package transport

import (
	"context"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// Serve reads messages and gives them to handle, one after the other, until
// the connection ends; then it returns how, with the socket closed and every
// goroutine of the connection gone. message is valid until handle returns.
//
// idle is called whenever all input that one read brought is handled, before
// the next: the moment to flush what it caused.
func (c *Conn) Serve(handle func(message []byte, binary bool), idle func()) Closing {
	c.in.idle = idle
	for !c.closing.Load() {
		typ, r, err := c.ws.Reader(context.Background())
		if err != nil {
			break
		}
		buf := messages.Get().(*[]byte)
		message, err := c.readAll((*buf)[:0], typ == websocket.MessageText, r)
		if err == nil && !c.closing.Load() {
			handle(message, typ == websocket.MessageBinary)
		}
		if cap(message) <= keepMessage {
			*buf = message
		}
		messages.Put(buf)
		if err != nil {
			break
		}
	}
	idle()
	return c.finish()
}

// keepMessage is the largest buffer that is worth keeping for the next message.
const keepMessage = 64 << 10

var messages = sync.Pool{New: func() any { b := make([]byte, 0, 1<<10); return &b }}

// readAll reads one message to its end.
func (c *Conn) readAll(buf []byte, text bool, r io.Reader) ([]byte, error) {
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if text && int64(len(buf)) > c.opts.MaxText {
			// The frames were small enough: this is an inflated message.
			c.Close(CloseTooBig, "message too big")
			return buf, errClosing
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return buf, err
		}
	}
	if text && !utf8.Valid(buf) {
		c.Close(CloseInvalidUTF8, "text is not UTF-8")
		return buf, errClosing
	}
	return buf, nil
}

// finish sees the closing handshake through and releases everything.
func (c *Conn) finish() Closing {
	if c.closing.Load() {
		c.linger()
	}
	c.mu.Lock()
	if c.out.draining && c.out.closing.ByPeer && !c.out.dead {
		// The echo of the peer's close frame is still on its way; the drain
		// ends by itself or by the timer.
		c.mu.Unlock()
		c.wg.Wait()
		c.mu.Lock()
	}
	c.lost()
	c.timer.Stop()
	c.timer = nil
	closing := c.out.closing
	c.mu.Unlock()
	c.wg.Wait()
	_ = c.ws.CloseNow() // frees the library's own; the socket is closed already
	c.in.release()
	return closing
}

// linger reads and drops what the peer still sends, until it has answered our
// close frame or hung up. Closing a socket with unread input would make the
// system reset it, and the peer might never see why it was closed. The timer
// ends this when CloseDeadline has passed.
func (c *Conn) linger() {
	c.mu.Lock()
	byPeer := c.out.closing.ByPeer
	if !c.out.dead {
		_ = c.raw.SetReadDeadline(time.Time{})
	}
	c.mu.Unlock()
	in := &c.in
	for dropped := 0; !byPeer && !in.closed && dropped < lingerBytes; {
		if !in.broken && in.left == 0 {
			h, ok := parseHeader(in.pending())
			if ok && h.opcode() == opClose {
				return
			}
			if ok {
				in.left = int64(h.size) + max(h.payload, 0)
			}
		}
		if n := len(in.pending()); n > 0 && (in.broken || in.left > 0) {
			if !in.broken {
				n = int(min(int64(n), in.left))
			}
			in.consume(n)
			dropped += n
			continue
		}
		n, err := c.readSome()
		if n <= 0 || err != nil {
			return
		}
		in.w += n
	}
}

// lingerBytes bounds what a peer can make us read for nothing.
const lingerBytes = 8 << 20
