//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// client is one connection. Everything happens on one goroutine, so that the
// generator costs little more than its system calls.
type client struct {
	fd    int
	index int
	rest  []byte // the beginning of a frame whose end has not come
	out   []byte // what the socket did not take
	// got is called with each text frame; nil counts it only.
	got func(c *client, frame []byte)
}

// loop reads what comes for many clients and counts it.
type loop struct {
	epoll   int
	dialect dialect
	clients map[int32]*client
	events  []unix.EpollEvent
	buf     []byte
	raw     func(c *client, p []byte) // in place of looking for frames

	now        time.Time // when the last wake-up began
	deliveries int64
	frames     int64
	reads      int64
	bytes      int64
	lost       int // connections that the server closed
}

func newLoop(d dialect) (*loop, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &loop{epoll: fd, dialect: d, clients: make(map[int32]*client), events: make([]unix.EpollEvent, 512), buf: make([]byte, 256<<10)}, nil
}

// add takes over a client that has joined.
func (l *loop) add(c *client) error {
	if err := unix.SetNonblock(c.fd, true); err != nil {
		return err
	}
	l.clients[int32(c.fd)] = c
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.fd)})
}

// poll handles what there is, waiting for at most d, and reports whether there
// was anything.
func (l *loop) poll(d time.Duration) (bool, error) {
	n, err := unix.EpollWait(l.epoll, l.events, int(d/time.Millisecond))
	if err != nil {
		if errors.Is(err, unix.EINTR) {
			return true, nil
		}
		return false, err
	}
	for _, e := range l.events[:n] {
		c := l.clients[e.Fd]
		if c == nil {
			continue
		}
		if e.Events&unix.EPOLLOUT != 0 {
			l.drain(c)
		}
		if e.Events&^unix.EPOLLOUT != 0 {
			l.read(c)
		}
	}
	return n > 0, nil
}

// run polls until the time is over.
func (l *loop) run(d time.Duration) error {
	for end := time.Now().Add(d); ; {
		left := time.Until(end)
		if left <= 0 {
			return nil
		}
		if _, err := l.poll(min(left, 10*time.Millisecond) + time.Millisecond - 1); err != nil {
			return err
		}
	}
}

// settle polls until nothing has come for a while.
func (l *loop) settle() error {
	quiet := time.Now()
	for start := quiet; time.Since(quiet) < 400*time.Millisecond && time.Since(start) < 20*time.Second; {
		busy, err := l.poll(50 * time.Millisecond)
		if err != nil {
			return err
		}
		if busy {
			quiet = time.Now()
		}
	}
	return nil
}

func (l *loop) read(c *client) {
	n, err := unix.Read(c.fd, l.buf[len(c.rest):])
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return
	}
	if n <= 0 {
		l.drop(c)
		return
	}
	l.now = time.Now()
	l.reads++
	l.bytes += int64(n)
	if l.raw != nil {
		l.raw(c, l.buf[:n])
		return
	}
	p := l.buf[:copy(l.buf, c.rest)+n]
	for {
		head, size, ok := parse(p)
		if !ok || len(p) < head+size {
			break
		}
		if p[0]&0x0f == 8 {
			l.drop(c)
			return
		}
		if p[0]&0x0f < 8 {
			frame := p[head : head+size]
			l.frames++
			l.deliveries += int64(l.dialect.count(frame, p[0]&0x40 != 0))
			if c.got != nil {
				c.got(c, frame)
			}
		}
		p = p[head+size:]
	}
	c.rest = append(c.rest[:0], p...)
	if len(p) == 0 {
		c.rest = nil
	}
}

func (l *loop) drop(c *client) {
	delete(l.clients, int32(c.fd))
	_ = unix.Close(c.fd)
	c.fd = -1
	l.lost++
}

// send writes frames, keeping what the socket does not take.
func (l *loop) send(c *client, p []byte) {
	if c.fd < 0 {
		return
	}
	if len(c.out) > 0 {
		c.out = append(c.out, p...)
		return
	}
	n, err := unix.Write(c.fd, p)
	if err != nil {
		if !errors.Is(err, unix.EAGAIN) {
			return // the read side finds out
		}
		n = 0
	}
	if n < len(p) {
		c.out = append(c.out, p[n:]...)
		_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_MOD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT, Fd: int32(c.fd)})
	}
}

func (l *loop) drain(c *client) {
	n, err := unix.Write(c.fd, c.out)
	if err != nil {
		return
	}
	if c.out = c.out[n:]; len(c.out) == 0 {
		c.out = nil
		_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_MOD, c.fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(c.fd)})
	}
}

// parse reads a server's frame header: its length and that of the payload.
func parse(p []byte) (head, size int, ok bool) {
	if len(p) < 2 {
		return 0, 0, false
	}
	switch size = int(p[1]); {
	case size < 126:
		return 2, size, true
	case size == 126 && len(p) >= 4:
		return 4, int(binary.BigEndian.Uint16(p[2:])), true
	case size == 127 && len(p) >= 10:
		return 10, int(binary.BigEndian.Uint64(p[2:])), true
	}
	return 0, 0, false
}

// frame makes a client's text frame. Its mask is all zeros: a server must
// unmask it, the generator need not mask it.
func frame(payload []byte) []byte {
	n := len(payload)
	if n >= 1<<16 {
		panic(fmt.Sprint("a frame of ", n, " bytes"))
	}
	b := []byte{0x81, 0x80 | byte(n)}
	if n >= 126 {
		b = append(b[:1], 0x80|126, byte(n>>8), byte(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}
