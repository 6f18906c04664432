package room

import (
	"context"
	"errors"

	"github.com/wardroom/wardroom/internal/transport"
	"github.com/wardroom/wardroom/internal/wire"
	"github.com/wardroom/wardroom/validate"
)

// Why a user left, as "user_left" says it.
const (
	reasonLeft         = "left"
	reasonDisconnected = "disconnected"
	reasonTimeout      = "timeout"
	reasonRevoked      = "access_revoked"
	reasonKicked       = "kicked"
	reasonBanned       = "banned"
	// The place was given to somebody else while this server could not be
	// reached. To the others it is "timeout".
	reasonFull = string(CodeRoomFull)
)

func (c *Conn) leave(_ context.Context, r *wire.Request) (wire.Result, error) {
	if !validate.Room(r.Room) {
		return nil, refuse(CodeInvalidRoom)
	}
	s := c.takeSeat(r.Room)
	if s == nil {
		return nil, refuse(CodeNotMember)
	}
	s.hall.exit(s, true)
	c.giveBack(r.Room, reasonLeft)
	c.afterLeave(r.Room)
	return &wire.RoomResult{Room: r.Room}, nil
}

// leaveAll leaves every room when the connection has ended.
func (c *Conn) leaveAll(closing transport.Closing) {
	reason := reasonDisconnected
	switch {
	case closing.ByPeer:
	case closing.Code == transport.CloseHeartbeatLost:
		reason = reasonTimeout
	case closing.Code == closeRevoked:
		reason = reasonRevoked
	}
	for _, room := range c.Rooms() {
		if s := c.takeSeat(room); s != nil {
			s.hall.exit(s, false)
			c.giveBack(room, reason)
			c.afterLeave(room)
		}
	}
}

// react does what a change of the room means for those who may not be in it any
// more. The logs have told them already. First their seats end, then follows
// what may take its time. In the end only the host's hooks are left.
func (h *hall) react(m Message, done *act, barred []*seat) {
	var e eviction
	switch m.Kind {
	case KindUpdated:
		e.reason = reasonRevoked
	case KindKicked:
		e = eviction{reasonKicked, m.Reason}
	case KindBanned:
		e = eviction{reasonBanned, m.Reason}
	}
	var out []*Conn
	for _, s := range barred {
		if s.conn.expel(s, e) {
			out = append(out, s.conn)
		}
	}
	close(done.force)
	for _, c := range out {
		c.tellRemoved(h.name, &e)
	}
	for _, c := range out {
		c.giveBack(h.name, e.reason)
	}
	close(done.drawn)
	for _, c := range out {
		c.afterLeave(h.name)
	}
}

// reasonOf is why someone who was in a room, or nearly, is not after an error.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, refuse(CodeBanned)):
		return reasonBanned
	case errors.Is(err, refuse(CodeForbidden)):
		return reasonRevoked
	}
	return reasonLeft
}
