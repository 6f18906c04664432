package transport

import (
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// Connections that come and go leave nothing behind: no goroutine, no
// descriptor, no member, no memory to speak of.
func TestConnectCycles(t *testing.T) {
	cycles := 10_000
	if raceEnabled || testing.Short() {
		cycles = 1000
	}
	l := testLog(t, 1<<20)
	var order sync.Mutex
	handle := func(c *served, message []byte, _ bool) {
		m := join(l, c.Conn)
		order.Lock()
		l.Append(Frame{Payload: message}, nil)
		order.Unlock()
		m.Detach(true)
		l.Flush()
	}
	cycle := func(s *server, how int) {
		nc, err := s.dial()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = nc.Close() }()
		p := newPeer(t, nc)
		p.try(handshake(), text("hello"))
		if _, err := p.answer(); err != nil {
			t.Error(err)
			return
		}
		c := <-s.conns
		switch how % 4 {
		case 0: // the peer closes
			p.try(clientClose(1000, ""))
		case 1: // we close
			c.Close(1001, "")
		case 2: // we abort
			c.Abort()
		case 3: // the peer hangs up
			_ = nc.Close()
			<-c.done
			return
		}
		for err == nil {
			var f serverFrame
			if f, err = p.next(); f.first == bitFin|opClose {
				p.try(clientClose(1001, ""))
			}
		}
		_ = nc.Close()
		<-c.done
	}
	var servers []*server
	for range 4 {
		s := serve(t, overTCP(), testOptions())
		s.handle = handle
		servers = append(servers, s)
	}
	run := func(n int) {
		var wg sync.WaitGroup
		for w, s := range servers {
			wg.Go(func() {
				for i := range n / len(servers) {
					cycle(s, i+w)
				}
			})
		}
		wg.Wait()
	}
	run(100) // what is made once is made now
	goroutines, descriptors, before := runtime.NumGoroutine(), openDescriptors(t), heap()
	start := time.Now()
	run(cycles)
	t.Logf("%d cycles in %v", cycles, time.Since(start))
	// A server may have begun meanwhile to watch over those that are parked.
	watching := len(servers)
	eventually(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines+watching })
	eventually(t, "descriptors close", func() bool { return openDescriptors(t) <= descriptors+watching })
	if after := heap(); after > before+2<<20 {
		t.Errorf("heap grew from %d to %d bytes", before, after)
	}
	if l.Len() != 0 {
		t.Errorf("%d members are left", l.Len())
	}
	l.settled(t)
}

func openDescriptors(t testing.TB) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("the system does not tell which descriptors are open")
	}
	return len(entries)
}
