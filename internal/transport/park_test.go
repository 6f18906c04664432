//go:build linux

package transport

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// atRest waits until a connection has given up its goroutine.
func (c *served) atRest(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); c.state.Load() != parked; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not parked")
		}
	}
}

// Whatever happens to a connection that waits without a goroutine happens as
// it would to one that has its own.
func TestParked(t *testing.T) {
	for _, n := range []network{overTCP(), {"unix", false, listenUnix}} {
		for name, test := range map[string]func(t *testing.T, p *peer, c *served){
			"a message": func(t *testing.T, p *peer, c *served) {
				for range 3 {
					p.send(text("one"), text("two"))
					p.expectText("one")
					p.expectText("two")
					c.atRest(t)
				}
			},
			"a message in pieces": func(t *testing.T, p *peer, c *served) {
				frame := text(strings.Repeat("x", 300))
				p.send(frame[:1])
				time.Sleep(5 * time.Millisecond) // a rest in the middle is none
				if c.state.Load() == parked {
					t.Error("parked within a message")
				}
				p.send(frame[1:])
				p.expectText(strings.Repeat("x", 300))
			},
			"what keeps an intake": func(t *testing.T, p *peer, c *served) {
				for range 3 {
					p.send(clientFrame(bitFin|bitRSV1|opText, deflated("compressed")))
					p.expectText("compressed")
					c.atRest(t)
				}
			},
			"a ping": func(t *testing.T, p *peer, c *served) {
				for range 3 {
					p.send(clientFrame(bitFin|opPing, "hello"))
					p.expect(bitFin|opPong, "hello")
					c.atRest(t)
				}
			},
			"to be sent something": func(t *testing.T, p *peer, c *served) {
				c.Send(Frame{Payload: []byte("news")})
				c.Flush()
				p.expectText("news")
				c.atRest(t)
			},
			"a close frame": func(t *testing.T, p *peer, c *served) {
				p.send(clientClose(1000, "bye"))
				p.expectClose(1000)
				c.ended(t, Closing{Code: 1000, Reason: "bye", ByPeer: true})
			},
			"the end of the line": func(t *testing.T, p *peer, c *served) {
				_ = p.nc.Close()
				c.ended(t, Closing{Code: closeAbnormal})
			},
			"to be closed": func(t *testing.T, p *peer, c *served) {
				c.Close(4003, "out")
				if p.expectClose(4003) != "out" {
					t.Error("another reason")
				}
				p.send(clientClose(4003, ""))
				c.ended(t, Closing{Code: 4003, Reason: "out"})
			},
			"to be cut off": func(t *testing.T, p *peer, c *served) {
				c.Abort()
				c.ended(t, Closing{Code: closeAbnormal})
			},
			"everything at once": func(t *testing.T, p *peer, c *served) {
				var all sync.WaitGroup
				all.Go(func() { c.Close(4003, "out") })
				all.Go(func() { p.try(text("x")) })
				all.Go(func() { c.Abort() })
				all.Wait()
				<-c.done
			},
		} {
			t.Run(n.name+"/"+name, func(t *testing.T) {
				opts := testOptions()
				opts.Compress = true
				s := serve(t, n, opts)
				p, c := s.connect(offerDeflate)
				c.atRest(t)
				test(t, p, c)
			})
		}
	}
}

// A parked connection is pinged as any other, and given up when it does not
// answer.
func TestHeartbeatOfParked(t *testing.T) {
	opts := testOptions()
	opts.Heartbeat = 100 * time.Millisecond
	s := serve(t, overTCP(), opts)
	p, c := s.connect()
	for range 3 {
		c.atRest(t)
		p.expect(bitFin|opPing, "")
		p.send(clientFrame(bitFin|opPong, ""))
	}
	c.atRest(t)
	p.expect(bitFin|opPing, "")
	p.expect(bitFin|opPing, "")
	c.ended(t, Closing{Code: CloseHeartbeatLost, Reason: anyReason})
}

// However many connections wait, one goroutine does.
func TestParkedNeedNoGoroutines(t *testing.T) {
	s := serve(t, overTCP(), testOptions())
	var all []*served
	for range 100 {
		_, c := s.connect()
		all = append(all, c)
	}
	var buf [1 << 20]byte
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		for _, c := range all {
			c.atRest(t)
		}
		stacks := string(buf[:runtime.Stack(buf[:], true)])
		if readers := strings.Count(stacks, "transport.(*Conn).read("); readers == 0 {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("%d goroutines read", readers)
		}
	}
}

// Without a place in the park a connection keeps its goroutine.
func TestParkClosed(t *testing.T) {
	s := serve(t, overTCP(), testOptions())
	s.opts.Park.Close()
	p, c := s.connect()
	for range 3 {
		time.Sleep(5 * time.Millisecond)
		p.send(text("x"))
		p.expectText("x")
	}
	if c.state.Load() == parked {
		t.Error("parked")
	}
}
