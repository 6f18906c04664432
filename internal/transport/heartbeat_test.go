package transport

import (
	"testing"
	"testing/synctest"
	"time"
)

// A peer that answers nothing is pinged twice and given up at the time of the
// third.
func TestHalfOpenPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, overPipe(), testOptions())
		p, c := s.connect()
		start := time.Now()
		for i := range 2 {
			p.expect(bitFin|opPing, "")
			if at, want := time.Since(start), time.Duration(i+1)*25*time.Second; at != want {
				t.Errorf("ping %d after %v, want %v", i+1, at, want)
			}
		}
		<-c.done
		if at := time.Since(start); at != 75*time.Second {
			t.Errorf("gone after %v", at)
		}
		c.ended(t, Closing{Code: CloseHeartbeatLost, Reason: "heartbeat lost"})
	})
}

// One that does not even read is gone at the same time.
func TestHalfOpenPeerThatReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := testOptions()
		opts.WriteDeadline = time.Hour
		s := serve(t, overPipe(), opts)
		_, c := s.connect()
		start := time.Now()
		<-c.done
		if at := time.Since(start); at != 75*time.Second {
			t.Errorf("gone after %v", at)
		}
		c.ended(t, Closing{Code: CloseHeartbeatLost, Reason: "heartbeat lost"})
	})
}

func TestHalfOpenPeerOverSockets(t *testing.T) {
	onNetworks(t, func(t *testing.T, n network) {
		opts := testOptions()
		opts.Heartbeat = 30 * time.Millisecond
		s := serve(t, n, opts)
		p, c := s.connect()
		p.expect(bitFin|opPing, "")
		p.expect(bitFin|opPing, "")
		if n.name == "tcp" || n.name == "unix" {
			// The network may be better than we thought.
			p.expectClose(CloseHeartbeatLost)
		}
		within(t, 2*time.Second, "the end", func() { <-c.done })
		c.ended(t, Closing{Code: CloseHeartbeatLost, Reason: anyReason})
	})
}

// A peer that answers lives, also when it answers late.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, overPipe(), testOptions())
		p, c := s.connect()
		start := time.Now()
		for range 20 {
			p.expect(bitFin|opPing, "")
			p.expect(bitFin|opPing, "")
			time.Sleep(24 * time.Second)
			p.send(clientFrame(bitFin|opPong, ""))
		}
		if c.Closing() || time.Since(start) < 20*74*time.Second {
			t.Fatalf("closing %v after %v", c.Closing(), time.Since(start))
		}
	})
}

// Whoever talks needs no ping.
func TestHeartbeatOfTalker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, overPipe(), testOptions())
		p, _ := s.connect()
		for range 20 {
			time.Sleep(20 * time.Second)
			p.send(text("x"))
			p.expectText("x") // and nothing before it
		}
	})
}

// While a handler takes its time nobody listens to the peer, so it cannot be
// called silent.
func TestHeartbeatWhileHandlerIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, overPipe(), testOptions())
		s.handle = func(c *served, message []byte, _ bool) {
			time.Sleep(10 * time.Minute)
			c.Send(Frame{Payload: message})
		}
		p, c := s.connect()
		p.send(text("x"))
		p.expectText("x")
		if c.Closing() {
			t.Fatal("given up")
		}
		// Afterwards it must show that it is there.
		p.expect(bitFin|opPing, "")
		p.expect(bitFin|opPing, "")
		<-c.done
		c.ended(t, Closing{Code: CloseHeartbeatLost, Reason: anyReason})
	})
}
