//go:build unix

package transport

import (
	"net"
	"sync"
	"syscall"
)

// socket reads and writes without waiting where net.Conn waits.
type socket struct {
	raw  syscall.RawConn
	c    *Conn
	read func(fd uintptr) bool // tryRead; Serve's goroutine

	got     int // by tryRead
	readErr error
}

// newSocket returns nil when nc is no socket of the system. A conn of another
// type that has a SyscallConn has it by embedding one that has, and its own
// Read and Write must not be gone round.
func newSocket(nc net.Conn, c *Conn) *socket {
	var raw syscall.RawConn
	var err error
	switch nc := nc.(type) {
	case *net.TCPConn:
		raw, err = nc.SyscallConn()
	case *net.UnixConn:
		raw, err = nc.SyscallConn()
	default:
		return nil
	}
	if err != nil {
		return nil
	}
	s := &socket{raw: raw, c: c}
	s.read = s.tryRead
	return s
}

// Read reads what there is into the reader's space, waiting if there is
// nothing; meanwhile, between two messages, it holds no memory for it.
func (s *socket) Read() (int, error) {
	if err := s.raw.Read(s.read); err != nil {
		return 0, err
	}
	return s.got, s.readErr
}

func (s *socket) tryRead(fd uintptr) bool {
	s.c.attend()
	for {
		s.got, s.readErr = syscall.Read(int(fd), s.c.in.space())
		switch s.readErr {
		case syscall.EINTR: //nolint:errorlint // a system call's error comes bare
			continue
		case syscall.EAGAIN:
			s.c.dismiss()
			s.readErr = errNothing
			return s.c.brief
		}
		return true
	}
}

// writing is one write without waiting. What its callback takes and returns
// are fields, because a closure for every call would be garbage for every call.
type writing struct {
	try func(fd uintptr) bool // tryWrite
	p   []byte
	n   int
	err error
}

var writings = sync.Pool{New: func() any {
	w := new(writing)
	w.try = w.tryWrite
	return w
}}

// Write writes what the socket takes without waiting.
func (s *socket) Write(p []byte) (int, error) {
	w := writings.Get().(*writing)
	w.p, w.n, w.err = p, 0, nil
	err := s.raw.Write(w.try)
	if err == nil {
		err = w.err
	}
	n := w.n
	w.p = nil
	writings.Put(w)
	if err != nil {
		return 0, err
	}
	return n, nil
}

func (w *writing) tryWrite(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), w.p)
		switch err { //nolint:errorlint // a system call's error comes bare
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return true
		}
		// After less than all of it the socket's buffer is full: asking
		// again would only say so.
		w.n, w.err = max(n, 0), err
		return true
	}
}
