package room

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/wardroom/wardroom/internal/transport"
)

// actMost is how long an act waits for the nodes on which it has to be in
// force.
const actMost = time.Second

// NodesError says that something was decided, and that not every node has said
// in time that it is in force there. What was decided holds: it is stored where
// it has to be, it was sent to every node, and a node that did not hear of it
// finds out by itself within 30 seconds.
type NodesError struct {
	// Nodes are the names of those that have not confirmed (see [WithNode]), in
	// order.
	Nodes []string
}

// Error names the nodes.
func (e *NodesError) Error() string { return "not confirmed by " + strings.Join(e.Nodes, ", ") }

// decided forgives that not every node has confirmed. A client's request is
// answered ok then, because what it asked for holds; the log has the nodes.
func decided(err error) error {
	var missing *NodesError
	if errors.As(err, &missing) {
		return nil
	}
	return err
}

// enact publishes what is done to a room or to somebody in it, and waits until
// it is in force: in the hall of this node, and in those of the others, which
// are asked. What it causes here is flushed at once. It is stored already, so it
// is published also for a caller who is gone. What has to be done as soon as it is
// published is then, which may be nil.
func (s *Server) enact(ctx context.Context, batch *transport.Batch, m Message, then func() error) error {
	if batch == nil {
		batch = new(transport.Batch)
	}
	s.join()
	roll := s.peers.begin(ctx, false)
	defer s.peers.end(roll)
	m.Act = roll.act
	h := s.findHall(m.Room)
	if h != nil {
		h.hold(batch)
	}
	_, err := s.broker.Publish(context.WithoutCancel(ctx), m, Retention{})
	batch.Flush()
	if err != nil {
		return unavailable(err)
	}
	if then != nil {
		err = then()
	}
	waiting, cancel := context.WithTimeout(ctx, actMost)
	defer cancel()
	heard := true
	if len(s.peers.absent(roll)) > 0 {
		heard = s.tell(waiting, Message{Kind: KindAsk, Room: controlRoom, Event: m.Room, Act: m.Act}) == nil
	}
	var missing []string
	if h != nil && !h.await(waiting, m.Act) {
		missing = append(missing, s.node)
	}
	if heard {
		s.await(waiting, roll)
	}
	confirmed := s.confirmed(ctx, &m, append(missing, s.peers.absent(roll)...))
	if err != nil {
		return unavailable(err)
	}
	return confirmed
}

// command tells every server, this one included, to do something about a user,
// and waits until they have. As with enact a caller may be gone.
func (s *Server) command(ctx context.Context, m Message) error {
	s.join()
	roll := s.peers.begin(ctx, true)
	defer s.peers.end(roll)
	m.Act = roll.act
	if err := s.control(context.WithoutCancel(ctx), m); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, actMost)
	defer cancel()
	s.await(waiting, roll)
	return s.confirmed(ctx, &m, s.peers.absent(roll))
}

// join makes a server known to the others before it asks them for anything. A
// server that is alone needs nothing for that.
func (s *Server) join() {
	if s.peers.shared {
		s.start()
	}
}

func (s *Server) await(ctx context.Context, r *roll) {
	select {
	case <-r.all:
	case <-ctx.Done():
	}
}

// confirmed is the error, if any, of an act that the nodes missing have not
// confirmed.
func (s *Server) confirmed(ctx context.Context, m *Message, missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	attrs := []slog.Attr{slog.String("type", m.Kind.act()), slog.Any("nodes", missing)}
	if m.Room != controlRoom && m.Room != "" {
		attrs = append(attrs, slog.String("room", m.Room))
	}
	s.journal.write(ctx, slog.LevelWarn, eventUnconfirmed, nil, attrs...)
	return &Error{Code: CodeTimeout, Message: "It is done, and not every server has confirmed it yet.", Cause: &NodesError{Nodes: missing}}
}

// act is the name of an act in the log.
func (k Kind) act() string {
	switch k {
	case KindUpdated:
		return "update"
	case KindDeleted:
		return "delete"
	case KindKicked:
		return "kick"
	case KindBanned:
		return "ban"
	case KindMuted:
		return "mute"
	case KindUnmuted:
		return "unmute"
	case KindDisconnect:
		return "disconnect"
	case KindRevoked:
		return "revoke"
	}
	return "act"
}
