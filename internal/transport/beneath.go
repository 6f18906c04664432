package transport

import (
	"encoding/binary"
	"net"
	"time"
	"unicode/utf8"
)

// Write takes the control frames that coder/websocket makes, each in one call:
// its write buffer has room for the longest. They queue behind a frame that
// the socket took in part.
func (b beneath) Write(p []byte) (int, error) {
	c := b.t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing.Load() {
		return len(p), nil // ours was sent; a second close frame must not be
	}
	if p[0]&0x0F != opClose {
		c.out.queue = append(c.out.queue, p...)
		c.pump()
		return len(p), nil
	}
	// The echo of the peer's close frame, or the library's own refusal.
	closing := Closing{Code: closeNoStatus, ByPeer: c.in.closed}
	if payload := p[2:]; len(payload) >= 2 {
		closing.Code = int(binary.BigEndian.Uint16(payload))
		closing.Reason = string(payload[2:])
	}
	if !utf8.ValidString(closing.Reason) {
		// The library echoes a reason without looking (RFC 6455, section 8.1).
		closing = Closing{Code: CloseInvalidUTF8, Reason: "close reason is not UTF-8"}
		p = appendClose(nil, closing.Code, closing.Reason)
	}
	c.shutWith(closing, p)
	return len(p), nil
}

// Close is called by coder/websocket when it is done. The socket stays open
// for what is queued; Serve closes it.
func (b beneath) Close() error { return nil }

func (b beneath) LocalAddr() net.Addr              { return b.t.c.raw.LocalAddr() }
func (b beneath) RemoteAddr() net.Addr             { return b.t.c.raw.RemoteAddr() }
func (b beneath) SetDeadline(time.Time) error      { return nil }
func (b beneath) SetReadDeadline(time.Time) error  { return nil }
func (b beneath) SetWriteDeadline(time.Time) error { return nil }
