//go:build unix

package transport

import (
	"net"
	"syscall"
)

// socket reads and writes without waiting where net.Conn waits. What its two
// callbacks take and return are fields, because a closure for every call would
// be garbage for every call.
type socket struct {
	raw syscall.RawConn
	in  *inbound

	read, write func(fd uintptr) bool // tryRead and tryWrite

	got     int // by tryRead; Serve's goroutine
	readErr error

	out      []byte // for tryWrite; Conn.mu
	put      int
	writeErr error
}

// newSocket returns nil when c is no socket of the system. A conn of another
// type that has a SyscallConn has it by embedding one that has, and its own
// Read and Write must not be gone round.
func newSocket(c net.Conn, in *inbound) *socket {
	var raw syscall.RawConn
	var err error
	switch c := c.(type) {
	case *net.TCPConn:
		raw, err = c.SyscallConn()
	case *net.UnixConn:
		raw, err = c.SyscallConn()
	default:
		return nil
	}
	if err != nil {
		return nil
	}
	s := &socket{raw: raw, in: in}
	s.read, s.write = s.tryRead, s.tryWrite
	return s
}

// Read reads what there is into the inbound buffer's space, waiting if there
// is nothing; meanwhile it holds no memory to put it in.
func (s *socket) Read() (int, error) {
	if err := s.raw.Read(s.read); err != nil {
		return 0, err
	}
	return s.got, s.readErr
}

func (s *socket) tryRead(fd uintptr) bool {
	for {
		s.got, s.readErr = syscall.Read(int(fd), s.in.space())
		switch s.readErr { //nolint:errorlint // a system call's error is bare
		case syscall.EINTR: //nolint:errorlint // a system call's error comes bare
			continue
		case syscall.EAGAIN:
			s.in.giveBack()
			return false
		}
		return true
	}
}

// Write writes what the socket takes without waiting.
func (s *socket) Write(p []byte) (int, error) {
	s.out, s.put, s.writeErr = p, 0, nil
	err := s.raw.Write(s.write)
	s.out = nil
	if err != nil {
		return 0, err
	}
	return s.put, s.writeErr
}

func (s *socket) tryWrite(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), s.out)
		switch err { //nolint:errorlint // a system call's error comes bare
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return true
		}
		// After less than all of it the socket's buffer is full: asking
		// again would only say so.
		s.put, s.writeErr = max(n, 0), err
		return true
	}
}
