//go:build linux

// Command floor is what nobody can be cheaper than without doing less: a bare
// handshake, then one write(2) per delivery of a frame that is encoded once.
// One thread waits in epoll; nothing is checked, nothing is queued.
//
// With -coalesce, what one wake-up brought leaves in one write per member.
package main

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // RFC 6455, section 4.2.2, says so
	"encoding/base64"
	"encoding/binary"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

type member struct {
	fd   int
	room *room // nil before the handshake
	rest []byte
}

type room struct {
	members []*member
	queue   []byte // frames that are not written yet
}

type floor struct {
	epoll    int
	coalesce bool
	members  map[int32]*member
	rooms    map[string]*room
	due      []*room
}

func main() {
	coalesce := flag.Bool("coalesce", false, "write all that one wake-up brought at once")
	flag.Bool("deflate", false, "ignored: frames are sent as they are")
	flag.Parse()
	// It serves for ever.
	fmt.Fprintln(os.Stderr, run(*coalesce))
	os.Exit(1)
}

func run(coalesce bool) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := unix.Listen(fd, 4096); err != nil {
		return err
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	go func() { <-stop; os.Exit(0) }()
	fmt.Println(net.JoinHostPort("127.0.0.1", fmt.Sprint(at.(*unix.SockaddrInet4).Port)))
	f := &floor{epoll: epoll, coalesce: coalesce, members: make(map[int32]*member), rooms: make(map[string]*room)}
	return f.serve(fd)
}

func (f *floor) serve(listener int) error {
	events := make([]unix.EpollEvent, 1024)
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.EpollWait(f.epoll, events, -1)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range events[:n] {
			if int(e.Fd) == listener {
				if err := f.accept(listener); err != nil {
					return err
				}
				continue
			}
			if m := f.members[e.Fd]; m != nil {
				n, err := unix.Read(m.fd, buf)
				if err == unix.EAGAIN || err == unix.EINTR {
					continue
				}
				if n <= 0 || !f.take(m, buf[:n]) {
					f.drop(m)
				}
				f.flush()
			}
		}
	}
}

func (f *floor) accept(listener int) error {
	fd, _, err := unix.Accept4(listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if err != nil {
		return err
	}
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	f.members[int32(fd)] = &member{fd: fd}
	return unix.EpollCtl(f.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

func (f *floor) drop(m *member) {
	if m.room != nil {
		list := m.room.members
		for i, other := range list {
			if other == m {
				list[i] = list[len(list)-1]
				m.room.members = list[:len(list)-1]
				break
			}
		}
	}
	delete(f.members, int32(m.fd))
	_ = unix.Close(m.fd)
}

// take handles what a client sent and reports whether it stays.
func (f *floor) take(m *member, p []byte) bool {
	if len(m.rest) > 0 {
		p = append(m.rest, p...)
	}
	for len(p) > 0 {
		var n int
		var ok bool
		if m.room == nil {
			n, ok = f.upgrade(m, p)
		} else {
			n, ok = f.frame(m, p)
		}
		if !ok {
			return false
		}
		if n == 0 {
			break
		}
		p = p[n:]
	}
	m.rest = append(m.rest[:0], p...)
	if len(p) == 0 {
		m.rest = nil
	}
	return true
}

func (f *floor) upgrade(m *member, p []byte) (int, bool) {
	end := bytes.Index(p, []byte("\r\n\r\n"))
	if end < 0 {
		return 0, true
	}
	head := string(p[:end])
	_, name, _ := strings.Cut(head, "room=")
	name, _, _ = strings.Cut(name, " ")
	_, key, _ := strings.Cut(head, "Sec-WebSocket-Key: ")
	key, _, _ = strings.Cut(key, "\r\n")
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // RFC 6455, section 4.2.2, says so
	m.write([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n"))
	r := f.rooms[name]
	if r == nil {
		r = new(room)
		f.rooms[name] = r
	}
	m.room = r
	r.members = append(r.members, m)
	return end + 4, true
}

// frame takes one frame, which the load generator masks with zeros only.
func (f *floor) frame(m *member, p []byte) (int, bool) {
	if len(p) < 6 {
		return 0, true
	}
	size, head := int(p[1]&0x7f), 2
	if size == 126 {
		if len(p) < 8 {
			return 0, true
		}
		size, head = int(binary.BigEndian.Uint16(p[2:])), 4
	}
	if len(p) < head+4+size {
		return 0, true
	}
	if p[0]&0x0f == 8 {
		m.write([]byte{0x88, 0})
		return 0, false
	}
	r := m.room
	if len(r.queue) == 0 {
		f.due = append(f.due, r)
	}
	r.queue = append(r.queue, p[:head]...)
	r.queue[len(r.queue)-head+1] &= 0x7f
	r.queue = append(r.queue, p[head+4:head+4+size]...)
	if !f.coalesce {
		f.flush()
	}
	return head + 4 + size, true
}

func (f *floor) flush() {
	for _, r := range f.due {
		for _, m := range r.members {
			m.write(r.queue)
		}
		r.queue = r.queue[:0]
	}
	f.due = f.due[:0]
}

// write waits for a full socket: the floor has no slow consumers.
func (m *member) write(p []byte) {
	for len(p) > 0 {
		n, err := unix.Write(m.fd, p)
		switch err {
		case nil:
			p = p[n:]
		case unix.EAGAIN:
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(m.fd), Events: unix.POLLOUT}}, 1000)
		case unix.EINTR:
		default:
			return
		}
	}
}
