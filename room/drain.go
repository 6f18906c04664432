package room

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/wardroom/wardroom/internal/wire"
)

const (
	// A drain closes this many connections at once, or one in drainBatches
	// if that is more, and pauses in between.
	drainAtOnce  = 100
	drainBatches = 20
	drainPause   = 250 * time.Millisecond
)

func (s *Server) isDraining() bool {
	s.connMu.Lock()
	defer s.connMu.Unlock()
	return s.draining
}

// Shutdown stops taking connections (they get 503) and closes those there are,
// in batches with jittered pauses, each with a goaway that says when to come
// back and then 4200. It returns when every connection and goroutine of the
// server is gone. When ctx ends first, what is left is cut off, and its error
// is returned once that is gone. It waits for handlers and hooks, and so must not
// be called in one.
//
// http.Server.Shutdown knows nothing of these connections: call this one first,
// while the other still takes requests. The stores, the broker and the limiter belong to the host and stay open.
func (s *Server) Shutdown(ctx context.Context) error {
	s.started.Do(func() {}) // from here on nothing is started
	s.connMu.Lock()
	first := !s.draining
	s.draining = true
	conns := make([]*Conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.settle()
	s.connMu.Unlock()
	if first {
		s.journal.write(ctx, slog.LevelInfo, eventDrain, nil, slog.Int("connections", len(conns)))
		s.drain(ctx, conns)
	}
	var err error
	select {
	case <-s.idle:
	case <-ctx.Done():
		err = ctx.Err()
		for _, c := range conns {
			c.socket.Abort()
		}
		<-s.idle
	}
	if s.tracker != nil {
		// Whoever was here may be on the way to another node: nobody is told.
		if e := s.tracker.Close(ctx); err == nil {
			err = e
		}
	}
	s.stop()
	s.stopListening() // so that nothing is begun any more
	if s.socket.Park != nil {
		s.socket.Park.Close()
	}
	s.wg.Wait()
	s.giveLease(ctx)
	return err
}

func (s *Server) drain(ctx context.Context, conns []*Conn) {
	batch := max(drainAtOnce, (len(conns)+drainBatches-1)/drainBatches)
	// Those closed last come back last, but nobody all at once.
	window := time.Duration(len(conns)/batch+1) * drainPause
	for len(conns) > 0 {
		n := min(batch, len(conns))
		for _, c := range conns[:n] {
			c.sendNow(&wire.Goaway{ReconnectInMS: rand.N(window).Milliseconds()})
			c.socket.Close(closeDrain, "draining")
		}
		if conns = conns[n:]; len(conns) == 0 {
			return
		}
		pause := time.NewTimer(drainPause/2 + rand.N(drainPause))
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
	}
}
