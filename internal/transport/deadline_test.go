package transport

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A message has MessageDeadline from its first byte to its last, in whatever
// way the peer draws it out; then the peer has CloseDeadline to say goodbye.
func TestMessageDeadline(t *testing.T) {
	every := func(d time.Duration, frame []byte) func(p *peer, stop <-chan struct{}) {
		return func(p *peer, stop <-chan struct{}) {
			for {
				select {
				case <-stop:
					return
				case <-time.After(d):
					p.try(frame)
				}
			}
		}
	}
	stall := func(*peer, <-chan struct{}) {}
	for name, tt := range map[string]struct {
		start []byte
		then  func(p *peer, stop <-chan struct{})
	}{
		"one byte":                   {[]byte{bitFin | opText}, stall},
		"half a header":              {clientHeader(bitFin|opBinary, 100_000)[:6], stall},
		"a header":                   {clientHeader(bitFin|opBinary, 100_000), stall},
		"half a frame":               {text("hello")[:8], stall},
		"half a message":             {clientFrame(opText, "x"), stall},
		"half a ping":                {clientFrame(bitFin|opPing, "hello")[:8], stall},
		"half a close":               {clientClose(1000, "bye")[:9], stall},
		"a byte a second":            {clientHeader(bitFin|opBinary, 100_000), every(time.Second, []byte("x"))},
		"an empty fragment a second": {clientFrame(opText, ""), every(time.Second, clientFrame(opContinuation, ""))},
		"pings within a message":     {clientFrame(opText, "x"), every(time.Second, clientFrame(bitFin|opPing, ""))},
		"behind a whole message":     {append(text("x"), text("hello")[:8]...), stall},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, overPipe(), testOptions())
				s.handle = func(*served, []byte, bool) {}
				p, c := s.connect()
				stop := make(chan struct{})
				var wg sync.WaitGroup
				time.Sleep(7 * time.Second) // silence before it does not count
				start := time.Now()
				wg.Go(func() {
					p.try(tt.start)
					tt.then(p, stop)
				})
				p.expectClose(ClosePolicy)
				if took := time.Since(start); took != 10*time.Second {
					t.Errorf("closed after %v", took)
				}
				<-c.done
				if took := time.Since(start); took != 15*time.Second {
					t.Errorf("gone after %v", took)
				}
				c.ended(t, Closing{Code: ClosePolicy, Reason: tookTooLong})
				close(stop)
				_ = p.nc.Close()
				wg.Wait()
			})
		})
	}
}

// The same over a socket of the system, whose deadlines are other code.
func TestMessageDeadlineOverSockets(t *testing.T) {
	onNetworks(t, func(t *testing.T, n network) {
		opts := testOptions()
		opts.MessageDeadline, opts.CloseDeadline = 100*time.Millisecond, 100*time.Millisecond
		s := serve(t, n, opts)
		p, c := s.connect()
		time.Sleep(150 * time.Millisecond) // idling is not a message
		p.send(text("in time"))
		p.expectText("in time")
		time.Sleep(150 * time.Millisecond)
		p.send(clientHeader(bitFin|opBinary, 100_000))
		within(t, 2*time.Second, "the end", func() {
			p.expectClose(ClosePolicy)
			<-c.done
		})
		c.ended(t, Closing{Code: ClosePolicy, Reason: tookTooLong})
	})
}

// coder/websocket gives a control frame 5 s, less than we do, and then up
// without a word.
func TestSlowPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, overPipe(), testOptions())
		p, c := s.connect()
		ping := clientFrame(bitFin|opPing, "ping")
		p.send(ping[:8])
		time.Sleep(7 * time.Second)
		p.send(ping[8:])
		p.expectClose(ClosePolicy)
		p.send(clientClose(ClosePolicy, ""))
		c.ended(t, Closing{Code: ClosePolicy, Reason: tookTooLong})
	})
}

// A peer that never stops sending is never between messages when the socket is
// read; each message has its own time all the same.
func TestPipelinedMessagesAreNotOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, overPipe(), testOptions())
		p, c := s.connect()
		frame := text("hello")
		p.send(frame[:6])
		for range 60 {
			time.Sleep(time.Second)
			p.send(frame[6:], frame[:6])
			p.expectText("hello")
		}
		p.send(frame[6:])
		p.expectText("hello")
		time.Sleep(20 * time.Second)
		if c.Closing() {
			t.Fatal("closed between messages")
		}
	})
}

// A message may use all of its time, also when it comes in fragments.
func TestSlowMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, overPipe(), testOptions())
		p, _ := s.connect()
		for range 3 {
			p.send(clientFrame(opText, "a"))
			for range 9 {
				time.Sleep(1100 * time.Millisecond)
				p.send(clientFrame(opContinuation, "a"))
			}
			p.send(clientFrame(bitFin, ""))
			p.expectText(strings.Repeat("a", 10))
		}
	})
}

// More than ten control frames a second are a flood; ten are not, for ever.
func TestPingRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, overPipe(), testOptions())
		p, c := s.connect()
		for i := range 30 {
			for range 10 {
				p.send(clientFrame(bitFin|opPing, "beat"))
				p.expect(bitFin|opPong, "beat")
			}
			if c.Closing() {
				t.Fatalf("closed in second %d", i)
			}
			time.Sleep(time.Second)
		}
		go func() {
			for range 11 {
				p.try(clientFrame(bitFin|opPing, "beat"))
			}
		}()
		if reason := p.expectClose(ClosePolicy); reason != "too many pings" {
			t.Fatalf("reason %q", reason)
		}
	})
}
