package presence

import (
	"context"
	"errors"
)

// Remove takes a user out of a room, or for the empty room from everywhere:
// all connections, of all nodes, also those in their grace. It is for users who
// are kicked or banned, and announces them gone at once. Conns of this Tracker
// have left when it returns. Those on other nodes do not know yet: there the
// host has them Leave, which others do not notice any more. Until then they
// count as being in the room without showing.
//
// It waits as [Tracker] says. Besides, the error is [ErrClosed].
func (t *Tracker) Remove(ctx context.Context, room, user string, reason Reason) error {
	if user == "" {
		return errors.New("presence: Remove without a user")
	}
	w := newWaiter()
	t.mu.Lock()
	if t.closing {
		t.mu.Unlock()
		return ErrClosed
	}
	l := t.lane(scopeOf(room, user))
	for s := l.seats; s != nil; s = s.next {
		if s.conn.user == user {
			t.vacate(s, reason, nil)
		}
	}
	l.kicked = append(l.kicked, kick{user: user, reason: reason})
	t.mark(l, w)
	return t.unlockAndWait(ctx, w)
}
