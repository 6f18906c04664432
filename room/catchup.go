package room

import (
	"context"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/wire"
)

// catchUp fills in what was said up to the position at, behind which the
// seat's cursor stands. When the log goes on from where the client was and this
// node has not come to there, because it has not heard yet of the epoch that
// the log is in, the client gets another seat when it has: what the node heard
// in the epoch before need not be in the log, and what is may come once more. So it
// is with a client that begins anew in such a log.
func (c *Conn) catchUp(ctx context.Context, r *wire.Request, settings *Settings, rec *Record, s *seat, at Position, res *wire.JoinResult) (*seat, error) {
	for range conflicts {
		if s.out() != nil { // of a seat before: what was said since is not for it
			res.Messages, res.Recovered = nil, false
			return s, nil
		}
		ahead, err := c.replay(ctx, r, settings, at, res)
		if err != nil || ahead == (Position{}) {
			return s, err
		}
		if !c.rise(s) {
			res.Messages = nil // some may have been said after the end
			return s, nil
		}
		if _, err := c.await(ctx, s.hall, ahead); err != nil {
			return s, err
		}
		next, behind, err := c.takePlace(ctx, s.hall, settings, rec, sofar{}, s)
		if err != nil {
			return s, err
		}
		s, at = next, behind
	}
	return s, refuse(CodeUnavailable)
}

// replay reads what was said up to the position at. Where that is not far
// enough it returns the place in the log to which the client has come.
func (c *Conn) replay(ctx context.Context, r *wire.Request, settings *Settings, at Position, res *wire.JoinResult) (ahead Position, err error) {
	// Nothing may stay of what was read for another seat: it comes once more.
	res.Messages, res.Recovered = nil, false
	if settings.History.Messages == 0 {
		return Position{}, nil
	}
	res.Epoch, res.Offset = at.Epoch, at.Offset
	id := c.identity.Load()
	if r.Since == nil && r.Last == 0 || at.Offset == 0 && r.Since == nil || !id.Can(r.Room, auth.History) {
		return Position{}, nil
	}
	ask := Range{Before: at.Offset + 1, Limit: min(max(r.Last, 1), c.srv.limits.Page), Newest: true}
	if r.Since == nil {
		page, err := c.srv.said(ctx, r.Room, ask)
		res.Messages = messages(page.Messages, false)
		return begun(&page, at), err
	}
	ask.Limit, ask.Since = c.srv.limits.Replay, Position{Epoch: r.Since.Epoch, Offset: r.Since.Offset}
	ask.Bytes = max(c.srv.limits.MaxLag/2, 1) // or the reply alone could make a slow consumer
	page, err := c.srv.broker.Replay(ctx, r.Room, ask)
	if err != nil {
		return Position{}, err
	}
	res.Messages = messages(page.Messages, true)
	here := Position{Epoch: page.Last.Epoch, Offset: r.Since.Offset}
	if page.Follows && !reaches(at, here) {
		return here, nil
	}
	if !page.Follows {
		return begun(&page, at), nil
	}
	res.Recovered = (here.Offset == at.Offset || len(page.Messages) > 0 && page.Messages[0].Offset == here.Offset+1)
	return Position{}, nil
}

// begun returns where the epoch of what is on a page begins, if that is another
// than that of a position. What is on no page comes when it is heard of.
func begun(page *Page, at Position) Position {
	if len(page.Messages) == 0 || page.Last.Epoch == at.Epoch {
		return Position{}
	}
	return Position{Epoch: page.Last.Epoch}
}

// rise gives up the seat for another, but not the place in the room. It reports
// false when the seat is about to end anyway.
func (c *Conn) rise(s *seat) bool {
	c.mu.Lock()
	stays := s.evicted == nil
	if stays {
		c.seats.drop(s.hall.name)
	}
	c.mu.Unlock()
	if stays {
		s.leave()
	}
	return stays
}

// messages are those of a page, with the changes to earlier ones or without.
func messages(list []Message, changes bool) []wire.Message {
	out := make([]wire.Message, 0, len(list))
	for i := range list {
		m := &list[i]
		if m.Kind != KindMessage && !changes {
			continue
		}
		kept := message(m)
		kept.Target = m.Target
		kept.Redacted = m.Redacted || m.Kind == KindRedacted
		out = append(out, kept)
	}
	return out
}
