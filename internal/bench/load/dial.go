//go:build linux

package main

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// dialer opens connections, one after the other and waiting for each.
type dialer struct {
	to      []unix.SockaddrInet4 // the nodes, which the connections take in turn
	dialect dialect
	token   func(user string) (string, error)
}

// dial connects, upgrades and joins.
func (d *dialer) dial(index int, room string, deflate bool) (*client, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	c := &client{fd: fd, index: index}
	if err := d.join(c, room, deflate); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("connection %d: %w", index, err)
	}
	return c, nil
}

func (d *dialer) join(c *client, room string, deflate bool) error {
	if err := connect(c.fd, &d.to[c.index%len(d.to)]); err != nil {
		return err
	}
	_ = unix.SetsockoptInt(c.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	_ = unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10})
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", d.dialect.path(room))
	if deflate {
		b.WriteString("Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n")
	}
	if d.dialect.token {
		token, err := d.token(fmt.Sprint("u", c.index))
		if err != nil {
			return err
		}
		b.WriteString("Authorization: Bearer " + token + "\r\n")
	}
	b.WriteString("\r\n")
	if err := writeAll(c.fd, []byte(b.String())); err != nil {
		return err
	}
	for {
		if end := bytes.Index(c.rest, []byte("\r\n\r\n")); end >= 0 {
			if !bytes.HasPrefix(c.rest, []byte("HTTP/1.1 101 ")) {
				return fmt.Errorf("refused: %q", c.rest)
			}
			if deflate && !bytes.Contains(bytes.ToLower(c.rest[:end]), []byte("permessage-deflate")) && d.dialect.token {
				return errors.New("permessage-deflate was not negotiated")
			}
			c.rest = c.rest[end+4:]
			break
		}
		if err := c.more(); err != nil {
			return err
		}
	}
	for _, s := range d.dialect.hello(room) {
		if s.send != "" {
			if err := writeAll(c.fd, frame([]byte(s.send))); err != nil {
				return err
			}
		}
		for {
			payload, err := c.next()
			if err != nil {
				return fmt.Errorf("waiting for %s: %w", s.wait, err)
			}
			if bytes.Contains(payload, []byte(s.wait)) {
				break
			}
		}
	}
	return nil
}

// next waits for one frame.
func (c *client) next() ([]byte, error) {
	for {
		head, size, ok := parse(c.rest)
		if ok && len(c.rest) >= head+size {
			payload := c.rest[head : head+size]
			if c.rest[0]&0x0f == 8 {
				return nil, fmt.Errorf("closed: %q", payload)
			}
			deflated := c.rest[0]&0x40 != 0
			c.rest = c.rest[head+size:]
			if deflated {
				return inflate(payload)
			}
			return payload, nil
		}
		if err := c.more(); err != nil {
			return nil, err
		}
	}
}

// inflate undoes RFC 7692, section 7.2.1.
func inflate(payload []byte) ([]byte, error) {
	tail := []byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff} // what was cut off, and a last block
	return io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(payload), bytes.NewReader(tail))))
}

func (c *client) more() error {
	var buf [8 << 10]byte
	n, err := unix.Read(c.fd, buf[:])
	if errors.Is(err, unix.EINTR) { // the runtime's own signals
		return nil
	}
	if err != nil {
		return err
	}
	if n == 0 {
		return errors.New("closed by the server")
	}
	c.rest = append(c.rest, buf[:n]...)
	return nil
}

// leave closes with a close frame and waits for the server to do the same.
func (c *client) leave() {
	_ = writeAll(c.fd, []byte{0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8})
	var buf [8 << 10]byte
	for {
		n, err := unix.Read(c.fd, buf[:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n <= 0 || err != nil {
			break
		}
		if _, _, ok := parse(buf[:]); ok && buf[0] == 0x88 {
			break
		}
	}
	_ = unix.Close(c.fd)
}

// connect goes on where a signal came between.
func connect(fd int, to unix.Sockaddr) error {
	err := unix.Connect(fd, to)
	for errors.Is(err, unix.EINTR) || errors.Is(err, unix.EALREADY) {
		time.Sleep(time.Millisecond)
		err = unix.Connect(fd, to)
	}
	if errors.Is(err, unix.EISCONN) {
		return nil
	}
	return err
}

func writeAll(fd int, p []byte) error {
	for len(p) > 0 {
		n, err := unix.Write(fd, p)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}
