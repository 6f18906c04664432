package room

import (
	"context"
	"errors"
	"slices"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/wire"
)

// amend edits or redacts what was said: one's own, and as a moderator redacts
// what others said. A message that is not there and one that is somebody
// else's are told apart by nobody.
func (c *Conn) amend(ctx context.Context, r *wire.Request) (wire.Result, error) {
	s := c.srv
	seat, err := c.member(r.Room, auth.Publish)
	if err != nil {
		return nil, err
	}
	if err := seat.maySpeak(); err != nil {
		return nil, err
	}
	if err := c.limitMessage(ctx, seat, len(r.Data)); err != nil {
		return nil, err
	}
	id := c.Identity()
	m := Message{Kind: KindEdited, Room: r.Room, From: id.ID, Target: r.Target, At: now()}
	author := id.ID
	if r.Type == wire.TypeRedact {
		reason, bad := moderationText.Clean("reason", r.Reason)
		if bad != nil {
			return nil, bad
		}
		m.Kind, m.Reason = KindRedacted, reason
		settings, rec, err := s.lookup(ctx, r.Room)
		if err != nil {
			return nil, err
		}
		if rec.mayModerate(&id, settings) {
			author = ""
		}
	} else if m.Data, err = checkData(s.rules(seat.settings, defaultEvent), r.Data, false); err != nil {
		return nil, err
	}
	m.Data = slices.Clone(m.Data)
	if seat.settings.History.Messages == 0 {
		return nil, &Error{Code: CodeForbidden, Message: "This room keeps no messages to change."}
	}
	if m.Kind == KindEdited {
		if err := c.consult(seat, &m); err != nil {
			return nil, err
		}
	}
	seat.hall.hold(&c.batch)
	receipt, err := s.broker.Amend(ctx, m, author, seat.settings.History)
	if errors.Is(err, ErrNoMessage) {
		return nil, refuse(CodeForbidden)
	}
	if err != nil {
		return nil, unavailable(err)
	}
	return &wire.ChangeResult{Offset: receipt.Offset, At: receipt.At.UnixMilli()}, nil
}
