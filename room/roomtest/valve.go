package roomtest

import (
	"net"
	"sync"
)

// socketBuffer is how much a socket of the system would take that nobody reads,
// about.
const socketBuffer = 64 << 10

// A valve is a conn whose reading can be held up. As with a socket, and other
// than with a pipe, the peer may write a certain amount that is not read yet.
type valve struct {
	net.Conn

	mu      sync.Mutex // protects what follows
	changed *sync.Cond // of mu
	buf     []byte
	err     error // of the conn, after what is in buf
	shut    bool
	closed  bool
}

func newValve(conn net.Conn) *valve {
	v := &valve{Conn: conn}
	v.changed = sync.NewCond(&v.mu)
	return v
}

// fill reads ahead until the conn ends.
func (v *valve) fill() {
	chunk := make([]byte, 4<<10)
	for {
		n, err := v.Conn.Read(chunk)
		v.mu.Lock()
		v.buf = append(v.buf, chunk[:n]...)
		v.err = err
		v.changed.Broadcast()
		for len(v.buf) >= socketBuffer && !v.closed {
			v.changed.Wait()
		}
		over := err != nil || v.closed
		v.mu.Unlock()
		if over {
			return
		}
	}
}

func (v *valve) Read(p []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for !v.closed && (v.shut || len(v.buf) == 0 && v.err == nil) {
		v.changed.Wait()
	}
	switch {
	case v.closed:
		return 0, net.ErrClosed
	case len(v.buf) == 0:
		return 0, v.err
	}
	n := copy(p, v.buf)
	v.buf = append(v.buf[:0], v.buf[n:]...)
	v.changed.Broadcast()
	return n, nil
}

func (v *valve) Close() error {
	v.mu.Lock()
	v.closed = true
	v.changed.Broadcast()
	v.mu.Unlock()
	return v.Conn.Close()
}

// hold stops reading, or lets it go on.
func (v *valve) hold(shut bool) {
	v.mu.Lock()
	v.shut = shut
	v.changed.Broadcast()
	v.mu.Unlock()
}
