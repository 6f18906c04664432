package room

import (
	"context"
	"slices"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/wire"
	"github.com/wardroom/wardroom/presence"
)

// members answers who is in a room.
func (c *Conn) members(ctx context.Context, r *wire.Request) (wire.Result, error) {
	if _, err := c.member(r.Room, auth.Presence); err != nil {
		return nil, err
	}
	limit := c.srv.limits.Page
	if r.Limit > 0 {
		limit = min(limit, r.Limit)
	}
	list, next, err := c.srv.memberPage(ctx, c, r.Room, r.Cursor, limit)
	if err != nil {
		return nil, unavailable(err)
	}
	return &wire.MembersResult{Members: list, Next: next}, nil
}

// memberPage is one page of members; next is the cursor of the one after.
// Those without the capability to see who is there see nobody.
func (s *Server) memberPage(ctx context.Context, c *Conn, room, after string, limit int) (page []wire.Member, next string, err error) {
	if id := c.identity.Load(); !id.Can(room, auth.Presence) {
		return nil, "", nil
	}
	list, err := s.tracker.List(ctx, room, presence.Query{After: after, Limit: limit, Viewer: c.identity.Load().ID})
	if err != nil {
		return nil, "", err
	}
	page = make([]wire.Member, len(list.Members))
	for i := range list.Members {
		m := &list.Members[i]
		page[i] = wire.Member{
			User: m.User, Name: m.Name, Status: string(m.Status), Meta: m.Meta,
			Since: m.Since.UnixMilli(), Connections: m.Connections,
		}
	}
	return page, list.Next, nil
}

// history answers a page of what was said.
func (c *Conn) history(ctx context.Context, r *wire.Request) (wire.Result, error) {
	s := c.srv
	if _, err := c.member(r.Room, auth.History); err != nil {
		return nil, err
	}
	if r.Before != 0 && r.HasAfter {
		return nil, &Error{Code: CodeBadRequest, Message: "Use before or after, not both."}
	}
	if s.patterns.find(r.Room).History.Messages == 0 {
		return &wire.HistoryResult{}, nil
	}
	ask := Range{Before: r.Before, After: r.After, Limit: s.limits.Page, Newest: !r.HasAfter}
	if r.Limit > 0 {
		ask.Limit = min(ask.Limit, r.Limit)
	}
	page, err := s.said(ctx, r.Room, ask)
	if err != nil {
		return nil, unavailable(err)
	}
	return &wire.HistoryResult{Messages: messages(page.Messages, false), Epoch: page.Last.Epoch, More: page.More}, nil
}

// said is Replay without the changes to messages, which are in the messages
// themselves: a page is as full as there are messages for it, or a client that
// pages by offsets would be stuck behind a run of changes. Where another epoch
// begins meanwhile it begins anew, or offsets of both would be on one page. It
// ends early with a message that makes it large: a hundred of the largest are
// more than a server can hold for everyone who asks.
func (s *Server) said(ctx context.Context, room string, ask Range) (Page, error) {
	want := ask.Limit
	ask.Limit++ // one more tells whether there are more
	ask.Bytes = max(s.limits.MaxLag/8, 1)
	var list []Message
	size := 0
	whole, epoch, tries := ask, "", 0
	for {
		page, err := s.broker.Replay(ctx, room, ask)
		if err != nil {
			return Page{}, err
		}
		if ask != whole && page.Last.Epoch != epoch {
			if tries++; tries == conflicts {
				return Page{}, refuse(CodeUnavailable)
			}
			ask, list, size = whole, nil, 0
			continue
		}
		epoch = page.Last.Epoch
		n := len(page.Messages)
		if n == 0 {
			page.More = false
		} else if ask.Newest {
			ask.Before = page.Messages[0].Offset
		} else {
			ask.After = page.Messages[n-1].Offset
		}
		found := slices.DeleteFunc(page.Messages, func(m Message) bool { return m.Kind != KindMessage })
		for i := range found {
			size += len(found[i].Data)
		}
		if ask.Newest {
			list = append(found, list...)
		} else {
			list = append(list, found...)
		}
		if over := len(list) - want; over > 0 {
			page.More = true
			if ask.Newest {
				list = list[over:]
			} else {
				list = list[:want]
			}
		} else if page.More && (len(list) == 0 || n >= ask.Limit && size < ask.Bytes) {
			continue
		}
		page.Messages = list
		return page, nil
	}
}
