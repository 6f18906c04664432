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
	s.peers.used()
	up := s.subscribeControl()
	if up && !s.peers.shared {
		return
	}
	late := !up
	s.wg.Go(func() {
		for pause := controlAgain; !up; pause = min(2*pause, controlAgainMost) {
			select {
			case <-s.ctx.Done():
				return
			case <-time.After(pause):
			}
			up = s.subscribeControl()
		}
		if late {
			s.touchSoon() // for what was revoked until now
		}
		if s.peers.shared {
			s.keepGreeting()
		}
	})
}

// subscribeControl subscribes to what is said to all servers, and to this one.
func (s *Server) subscribeControl() bool {
	rooms := map[string]func(Message){controlRoom: s.obey}
	if s.peers.shared {
		rooms[nodeRoom(s.peers.id)] = s.hear
	}
	var cancels []func()
	for room, deliver := range rooms {
		_, cancel, err := s.broker.Subscribe(s.ctx, room, deliver)
		if err != nil {
			s.journal.write(s.ctx, slog.LevelDebug, eventError, nil, slog.Any("error", err))
			for _, cancel := range cancels {
				cancel()
			}
			return false
		}
		cancels = append(cancels, cancel)
	}
	s.connMu.Lock()
	stopped := s.ctx.Err() != nil
	if !stopped {
		s.cancelControl = cancels
	}
	s.connMu.Unlock()
	if stopped {
		for _, cancel := range cancels {
			cancel()
		}
		return true
	}
	s.peers.listens()
	if s.peers.shared {
		s.greet(controlRoom)
	}
	return true
}

// hear takes what is said to this server alone.
func (s *Server) hear(m Message) {
	switch m.Kind {
	case KindHello:
		s.peers.note(&m)
	case KindDone:
		s.peers.done(m.Act, m.From)
	}
}

// obey does what a server was told. It is called by the broker, in order, and
// writes to no socket itself.
func (s *Server) obey(m Message) {
	switch m.Kind {
	case KindHello:
		if s.peers.note(&m) {
			s.wg.Go(func() { s.greet(nodeRoom(m.From)) })
		}
		return
	case KindBye:
		s.peers.forget(m.From)
		return
	case KindAsk:
		s.wg.Go(func() { s.answer(&m) })
		return
	case KindLost:
		s.touchSoon() // a revocation may have been among it
		s.patrolSoon()
		return
	case KindRevoked:
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
			s.confirm(m.Act)
		})
	case KindRevoked:
		s.wg.Go(func() {
			var others []*Conn
			for _, c := range conns {
				if m.covered(c) {
					c.revoke()
				} else if m.Session != "" { // it may have the token that went with the session
					others = append(others, c)
				}
			}
			if s.touch(others) {
				s.confirm(m.Act)
			}
		})
	}
}

// answer says when an act is in force in the hall that this node has of a room.
// Who has none has nobody in the room, and whoever comes now finds the act in
// the store.
func (s *Server) answer(ask *Message) {
	if asker(ask.Act) == s.peers.id {
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, actMost)
	defer cancel()
	if h := s.findHall(ask.Event); h == nil || h.obeys(ctx, ask.Act) {
		s.confirm(ask.Act)
	}
}

// stopListening ends what listen began, when the server has no connections any
// more and its context has ended.
func (s *Server) stopListening() {
	s.connMu.Lock()
	cancels := s.cancelControl
	s.cancelControl = nil
	s.connMu.Unlock()
	if len(cancels) > 0 && s.peers.shared {
		_ = s.tell(context.WithoutCancel(s.ctx), Message{Kind: KindBye, Room: controlRoom, From: s.peers.id, Name: s.node})
	}
	for _, cancel := range cancels {
		cancel()
	}
}

func flushAll(conns []*Conn) {
	for _, c := range conns {
		c.socket.Flush()
	}
}
