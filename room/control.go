package room

import (
	"context"
	"log/slog"
	"time"
)

// controlRoom is the name under which servers speak to each other through the
// broker. No room has it: it is not a valid name.
const controlRoom = "*control"

const (
	controlAgain     = 100 * time.Millisecond
	controlAgainMost = 5 * time.Second
)

// control tells every server, this one included.
func (s *Server) control(ctx context.Context, m Message) error {
	m.Room, m.At = controlRoom, now()
	if _, err := s.broker.Publish(ctx, m, Retention{}); err != nil {
		return unavailable(err)
	}
	return nil
}

// listen subscribes to what servers tell each other, and tries again when the
// broker is not there yet.
func (s *Server) listen() {
	if s.subscribeControl() {
		return
	}
	s.wg.Go(func() {
		for pause := controlAgain; ; pause = min(2*pause, controlAgainMost) {
			select {
			case <-s.ctx.Done():
				return
			case <-time.After(pause):
			}
			if s.subscribeControl() {
				return
			}
		}
	})
}

func (s *Server) subscribeControl() bool {
	_, cancel, err := s.broker.Subscribe(s.ctx, controlRoom, s.obey)
	if err != nil {
		s.journal.write(s.ctx, slog.LevelWarn, eventError, nil, slog.Any("error", err))
		return false
	}
	s.connMu.Lock()
	s.cancelControl = cancel
	s.connMu.Unlock()
	return true
}

// obey does what a server was told. It is called by the broker, in order, and
// writes to no socket itself.
func (s *Server) obey(m Message) {
	if m.Kind == KindRevoked {
		s.revocations.Add(1) // before looking: see Conn.recheckSession
	}
	conns := s.connsOf(m.From)
	switch m.Kind {
	case KindDirect:
		direct := message(&m)
		direct.Room, direct.From = "", ""
		for _, c := range conns {
			c.send(&direct)
		}
		s.wg.Go(func() { flushAll(conns) })
	case KindDisconnect:
		s.wg.Go(func() {
			for _, c := range conns {
				c.Disconnect(m.Reason)
			}
		})
	case KindRevoked:
		s.wg.Go(func() {
			for _, c := range conns {
				if m.covered(c) {
					c.revoke()
				}
			}
		})
	}
}

// stopListening ends what listen began.
func (s *Server) stopListening() {
	s.connMu.Lock()
	cancel := s.cancelControl
	s.connMu.Unlock()
	if cancel != nil {
		cancel()
	}
}

func flushAll(conns []*Conn) {
	for _, c := range conns {
		c.socket.Flush()
	}
}
