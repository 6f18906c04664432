//go:build !unix

package transport

import (
	"net"
	"syscall"
)

// Elsewhere every connection takes the path of those that are no sockets.
func rawConn(net.Conn) syscall.RawConn { return nil }

func (c *Conn) tryWrite([]byte) (int, error) { return 0, nil }

func (c *Conn) waitRead(func() []byte, func()) (int, error) { return 0, syscall.EINVAL }
