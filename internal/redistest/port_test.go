package redistest

import (
	"net"
	"testing"
)

// A server whose port another one has taken does not take that one's answers
// for its own.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	first := Start(t)
	second := &Server{t: t, port: first.port, args: own(t, first.port, nil)}
	t.Cleanup(second.Kill)
	second.run()
	second.ready()
	if first.port == second.port {
		t.Fatal("two servers on one port")
	}
	first.Do("SET", "whose", "first")
	if got := second.Do("EXISTS", "whose"); got != "0" {
		t.Errorf("EXISTS on the second says %s", got)
	}
}

// A port stays its server's while that is down.
func TestPortIsKept(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.Kill()
	if sign, err := net.ListenPacket("udp", s.Addr()); err == nil {
		_ = sign.Close()
		t.Error("another test could take the port")
	}
	s.Restart()
}
