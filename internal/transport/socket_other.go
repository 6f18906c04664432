//go:build !unix

package transport

import "net"

// socket exists on unix only: elsewhere every connection takes the path of
// those that are no sockets.
type socket struct{}

func newSocket(net.Conn, *Conn) *socket { return nil }

func (*socket) Read() (int, error) { return 0, net.ErrClosed }

func (*socket) Write([]byte) (int, error) { return 0, net.ErrClosed }
