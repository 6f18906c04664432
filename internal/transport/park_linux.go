package transport

import (
	"os"
	"sync"
	"syscall"
	"time"
)

// Park is where connections wait for input that need no goroutine to: an epoll
// instance that tells once of each, and one goroutine that listens to it for
// all of them.
type Park struct {
	owner *sync.WaitGroup
	// after is how long a connection says nothing before it is parked.
	after time.Duration

	mu     sync.Mutex // protects what follows
	file   *os.File   // the instance; nil until the first comes
	fd     int        // file's
	conns  []*Conn    // by descriptor
	closed bool
}

// NewPark returns a Park whose goroutine, which it has from the first
// connection on, is counted in owner. Close it when no connection is served any
// more.
func NewPark(owner *sync.WaitGroup) *Park { return &Park{owner: owner, after: parkAfter} }

// open makes the instance. The caller holds mu.
func (p *Park) open() error {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		_ = syscall.Close(fd)
		return err
	}
	file := os.NewFile(uintptr(fd), "epoll") // the runtime's own poller waits for it
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return err
	}
	p.file, p.fd = file, fd
	p.owner.Go(func() { p.run(raw) })
	return nil
}

// Close ends the goroutine. It does not wait.
func (p *Park) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.file != nil {
		_ = p.file.Close()
	}
}

func (p *Park) run(raw syscall.RawConn) {
	var events [128]syscall.EpollEvent
	n := 0
	wait := func(fd uintptr) bool {
		var err error
		n, err = syscall.EpollWait(int(fd), events[:], 0)
		return n > 0 || err != nil && err != syscall.EINTR
	}
	for raw.Read(wait) == nil && n >= 0 {
		for _, e := range events[:n] {
			if c := p.take(int(e.Fd)); c != nil {
				c.mu.Lock()
				c.resume()
				c.mu.Unlock()
			}
		}
	}
}

// take removes the connection that waits at a descriptor. The event may be
// older than the connection; waking one for nothing does no harm.
func (p *Park) take(fd int) *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if fd >= len(p.conns) {
		return nil
	}
	c := p.conns[fd]
	p.conns[fd] = nil
	return c
}

// add takes in a connection until there is input for it, or the peer has gone.
func (p *Park) add(c *Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.file == nil && p.open() != nil {
		return false
	}
	var err error
	control := func(fd uintptr) {
		c.place = int(fd)
		for len(p.conns) <= c.place {
			p.conns = append(p.conns, nil)
		}
		e := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT, Fd: int32(c.place)}
		if err = syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_MOD, c.place, &e); err == syscall.ENOENT {
			err = syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_ADD, c.place, &e)
		}
	}
	if c.socket.raw.Control(control) != nil || err != nil {
		return false
	}
	p.conns[c.place] = c
	return true
}

// forget removes a connection that is woken otherwise. The system forgets a
// socket that is closed by itself.
func (p *Park) forget(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.place < len(p.conns) && p.conns[c.place] == c {
		p.conns[c.place] = nil
	}
}
