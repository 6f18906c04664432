package e2e

import (
	"io"
	"net"
	"sync"
	"testing"
)

// cable is what a connection goes through that somebody may trip over.
type cable struct {
	listener net.Listener
	running  sync.WaitGroup

	mu   sync.Mutex
	to   string                // guarded by mu: where it leads; "" while it is pulled
	ends map[net.Conn]struct{} // guarded by mu: both ends of each open connection
}

// newCable returns a cable that is not plugged in. It ends with the test.
func newCable(t *testing.T) *cable {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{listener: listener, ends: make(map[net.Conn]struct{})}
	c.running.Go(c.accept)
	t.Cleanup(func() {
		listener.Close()
		c.pull()
		c.running.Wait()
	})
	return c
}

func (c *cable) origin() string { return "http://" + c.listener.Addr().String() }

// plug has new connections lead to an address.
func (c *cable) plug(to string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.to = to
}

// pull cuts all connections, and has new ones fail.
func (c *cable) pull() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.to = ""
	for end := range c.ends {
		end.Close()
	}
}

func (c *cable) accept() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			return // closed
		}
		c.running.Go(func() { c.carry(near) })
	}
}

func (c *cable) carry(near net.Conn) {
	defer near.Close()
	c.mu.Lock()
	to := c.to
	c.mu.Unlock()
	if to == "" {
		return
	}
	far, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer far.Close()
	if !c.hold(near, far) {
		return // pulled meanwhile
	}
	defer c.release(near, far)
	var copies sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		copies.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			// One end is gone, so the other goes too.
			near.Close()
			far.Close()
		})
	}
	copies.Wait()
}

func (c *cable) hold(ends ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.to == "" {
		return false
	}
	for _, end := range ends {
		c.ends[end] = struct{}{}
	}
	return true
}

func (c *cable) release(ends ...net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, end := range ends {
		delete(c.ends, end)
	}
}
