package transport

import (
	"errors"
	"os"
	"sync"
	"time"
)

// inbound is what coder/websocket reads from: the socket's bytes, after a look
// at every frame header. A connection has one while there is input, see
// [intake]; only Serve's goroutine touches it.
//
// The library checks much of this too, but late (after reading what an
// attacker claims), silently (unmasked frames) or not at all (a message made
// of endless empty fragments), and answers control frames at any rate.
type inbound struct {
	buf  *[]byte // pooled; held only while it has something in it
	r, w int

	left     int64     // bytes of the current frame, header included, not passed on
	frames   int       // of the current message so far
	bytes    int64     // of the current message so far
	limit    int64     // of the current message
	began    time.Time // when the current message was first waited for
	timed    bool      // the socket has a read deadline
	more     bool      // the current message has further fragments
	deflated bool      // the current message is compressed
	broken   bool      // no frame boundary can be found any more
	closed   bool      // the peer's close frame was found
	failed   bool      // the socket has nothing more to read
}

const (
	readSize = 16 << 10

	// A message may have freeFrames fragments, and one more for every
	// bytesPerFrame bytes: nobody has a reason to send smaller ones.
	freeFrames    = 128
	bytesPerFrame = 128

	maxControlsPerSecond = 10
)

var readBuffers = sync.Pool{New: func() any { b := make([]byte, readSize); return &b }}

// errEnded is all that the library learns of how a connection ended: it takes
// an error that is io.EOF, wherever it comes, for the end of a message.
var errEnded = errors.New("transport: connection ended")

// refusal is a fault of the peer's and the close code that answers it.
type refusal struct {
	code   int
	reason string
}

const (
	tooBig      = "message too big"
	tookTooLong = "message took too long"
)

// beneath is the net.Conn that coder/websocket is given.
type beneath struct{ t *intake }

// Read passes on bytes up to the end of the current frame, never beyond: what
// is left in our buffer is then exactly the input not yet handled.
func (b beneath) Read(p []byte) (int, error) {
	c := b.t.c
	in := &b.t.inbound
	for in.left == 0 || in.r == in.w {
		if in.left == 0 {
			if h, ok := parseHeader(in.pending()); ok {
				if r := c.inspect(h); r != nil {
					in.broken = true
					c.refuse(r.code, r.reason)
					return 0, errEnded
				}
				in.left = int64(h.size) + h.payload
				b.t.own = b.t.own || h.control()
				continue
			}
		}
		if c.fill(false) != something {
			in.failed = true
			return 0, errEnded
		}
	}
	n := copy(p[:min(int64(len(p)), in.left)], in.pending())
	in.consume(n)
	return n, nil
}

func (in *inbound) pending() []byte {
	if in.buf == nil {
		return nil
	}
	return (*in.buf)[in.r:in.w]
}

// consume passes on n bytes of the current frame.
func (in *inbound) consume(n int) {
	in.r += n
	in.left -= int64(n)
	if in.left == 0 && !in.more {
		in.began = time.Time{} // the next message has its own time
	}
	if in.r == in.w {
		in.release()
	}
}

func (in *inbound) release() {
	if in.buf != nil {
		if len(*in.buf) == readSize {
			readBuffers.Put(in.buf)
		}
		in.buf = nil
	}
	in.r, in.w = 0, 0
}

// space is where the next read goes.
func (in *inbound) space() []byte {
	if in.buf == nil {
		in.buf = readBuffers.Get().(*[]byte)
	}
	if in.w == len(*in.buf) { // only ever a partial header
		in.w = copy(*in.buf, (*in.buf)[in.r:in.w])
		in.r = 0
	}
	return (*in.buf)[in.w:]
}

// start puts what was read together with the handshake before what the socket
// will bring.
func (in *inbound) start(early []byte) {
	if len(early) > readSize {
		buf := make([]byte, len(early)) // a server with larger buffers than usual
		in.buf = &buf
	}
	in.w = copy(in.space(), early)
}

// filled is what came of waiting for input.
type filled int

const (
	something filled = iota
	nothing          // for so long that the connection should park
	theEnd
)

// fill reads once from the socket, waiting if it must. Between two messages it
// waits for a limited time, where the connection may park.
func (c *Conn) fill(between bool) filled {
	c.user.Idle()
	c.time()
	if c.closing.Load() {
		return theEnd // Close's own deadline may just have been overwritten
	}
	if between {
		c.state.Store(idling)
	} else {
		c.state.Store(waiting)
	}
	n, err := c.readSome()
	if c.state.Swap(busy) == interrupted {
		c.undisturbed()
	}
	switch {
	case n > 0:
		c.in.w += n
		c.heard.Store(int64(time.Since(c.opened)))
		return something
	case between && (errors.Is(err, errNothing) || errors.Is(err, os.ErrDeadlineExceeded)):
		return nothing
	case errors.Is(err, os.ErrDeadlineExceeded) && !c.closing.Load():
		c.Close(ClosePolicy, tookTooLong)
	}
	return theEnd
}

// undisturbed takes back the deadline that the timer interrupts with.
func (c *Conn) undisturbed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing.Load() {
		_ = c.raw.SetReadDeadline(time.Time{})
	}
}

// errNothing is that there is nothing to read where nobody wants to wait.
var errNothing = errors.New("transport: nothing to read")

// time gives the message that is not complete its deadline, and takes it away
// when there is none.
func (c *Conn) time() {
	in := c.in
	switch {
	case in == nil:
	case in.left > 0 || in.more || in.w > in.r:
		if in.began.IsZero() {
			in.began, in.timed = time.Now(), true
			_ = c.raw.SetReadDeadline(in.began.Add(c.opts.MessageDeadline))
		}
	case in.timed:
		in.timed = false
		_ = c.raw.SetReadDeadline(time.Time{})
	}
}

func (c *Conn) readSome() (int, error) {
	if c.socket == nil {
		c.attend()
		return c.raw.Read(c.in.space())
	}
	return c.socket.Read()
}

// inspect judges a frame by its header (RFC 6455, section 5).
func (c *Conn) inspect(h header) *refusal {
	in := c.in
	switch {
	case !h.masked:
		return &refusal{CloseProtocolError, "frame is not masked"}
	case h.first&(bitRSV2|bitRSV3) != 0, h.first&bitRSV1 != 0 && (!c.deflate || h.control() || h.opcode() == opContinuation):
		return &refusal{CloseProtocolError, "reserved bit set"}
	case h.payload < 0 || !h.minimal:
		return &refusal{CloseProtocolError, "malformed length"}
	}
	if h.control() {
		return c.inspectControl(h)
	}
	switch h.opcode() {
	case opText, opBinary:
		if in.more {
			return &refusal{CloseProtocolError, "message within a message"}
		}
		in.frames, in.bytes, in.limit = 0, 0, c.opts.MaxText
		in.deflated = h.first&bitRSV1 != 0
		if h.opcode() == opBinary {
			in.limit = c.opts.MaxBinary
		}
	case opContinuation:
		if !in.more {
			return &refusal{CloseProtocolError, "continuation of nothing"}
		}
	default:
		return &refusal{CloseProtocolError, "unknown opcode"}
	}
	in.frames++
	// Two additions that cannot overflow: each side is at most limit first.
	if h.payload > in.limit-in.bytes {
		return &refusal{CloseTooBig, tooBig}
	}
	in.bytes += h.payload
	if int64(in.frames) > freeFrames+in.bytes/bytesPerFrame {
		return &refusal{ClosePolicy, "too many fragments"}
	}
	in.more = !h.fin()
	return nil
}

func (c *Conn) inspectControl(h header) *refusal {
	switch {
	case !h.fin():
		return &refusal{CloseProtocolError, "fragmented control frame"}
	case h.payload > maxControlPayload:
		return &refusal{CloseProtocolError, "control frame too long"}
	}
	switch h.opcode() {
	case opClose:
		c.user.Idle() // before the library echoes it
		c.in.closed = true
		return nil
	case opPing, opPong:
	default:
		return &refusal{CloseProtocolError, "unknown opcode"}
	}
	now := time.Since(c.opened)
	if now-c.controlAt >= time.Second {
		c.controlAt, c.controls = now, 0
	}
	if c.controls++; c.controls > maxControlsPerSecond {
		return &refusal{ClosePolicy, "too many pings"}
	}
	return nil
}
