//go:build unix

package transport

import (
	"net"
	"syscall"
)

// rawConn returns the system's view of a socket, nil when c is none.
func rawConn(c net.Conn) syscall.RawConn {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	return rc
}

// tryWrite writes what the socket takes without waiting. Without a socket that
// is nothing.
func (c *Conn) tryWrite(p []byte) (n int, err error) {
	if c.rawc == nil {
		return 0, nil
	}
	werr := c.rawc.Write(func(fd uintptr) bool {
		n, err = writeAll(int(fd), p)
		return true
	})
	if werr != nil {
		return n, werr
	}
	return n, err
}

func writeAll(fd int, p []byte) (done int, err error) {
	for done < len(p) {
		n, err := syscall.Write(fd, p[done:])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return done, nil
		case err != nil:
			return done, err
		case n < len(p)-done:
			// The socket's buffer is full; asking again would only say so.
			return done + n, nil
		}
		done += n
	}
	return done, nil
}

// waitRead reads what there is. While there is nothing it holds no memory to
// put it in.
func (c *Conn) waitRead(buffer func() []byte, giveBack func()) (n int, err error) {
	rerr := c.rawc.Read(func(fd uintptr) bool {
		for {
			n, err = syscall.Read(int(fd), buffer())
			switch err {
			case syscall.EINTR:
				continue
			case syscall.EAGAIN:
				giveBack()
				err = nil
				return false
			}
			return true
		}
	})
	if rerr != nil {
		return 0, rerr
	}
	return n, err
}
