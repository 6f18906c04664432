package presence_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wardroom/wardroom/presence"
)

// An oracle knows who should be where, and what should have been announced. It
// knows nothing of stores, batches or leases: only of connections, and of the
// times at which they are given up.
type oracle struct {
	now    time.Time
	places map[spot][]*place
	seen   map[string]time.Time // of users, everywhere
	said   map[spot][]string    // since it was last looked at
}

// A spot is one user in one room.
type spot struct{ room, user string }

// A place is one connection in one room.
type place struct {
	tie    *tie
	room   string
	status presence.Status
	meta   string
	metaAt time.Time
	since  time.Time

	reason presence.Reason
	until  time.Time // when the grace is over; zero: it is not running
}

// A tie is one connection.
type tie struct {
	conn   *presence.Conn
	id     string
	user   string
	node   *node
	status presence.Status
	meta   string
	metaAt time.Time
	chosen bool
	rooms  map[string]*place
}

const grace = 10 * time.Second

func newOracle(now time.Time) *oracle {
	return &oracle{now: now, places: map[spot][]*place{}, seen: map[string]time.Time{}, said: map[spot][]string{}}
}

// view is what others see at a spot.
func (o *oracle) view(at spot) (m presence.Member, ok bool) {
	var meta, name *place
	for _, p := range o.places[at] {
		if p.status == presence.Offline {
			continue
		}
		if !ok || p.since.Before(m.Since) {
			m.Since = p.since
		}
		ok = true
		m.Connections++
		if m.Status != presence.Online {
			m.Status = p.status
		}
		if p.meta != "" && (meta == nil || cmp.Or(p.metaAt.Compare(meta.metaAt), cmp.Compare(p.tie.id, meta.tie.id)) > 0) {
			meta = p
		}
		if name == nil || cmp.Or(p.since.Compare(name.since), cmp.Compare(p.tie.id, name.tie.id)) > 0 {
			name = p
		}
	}
	if ok {
		m.User, m.Name = at.user, "Name "+name.tie.id
	}
	if meta != nil {
		m.Meta = []byte(meta.meta)
	}
	return m, ok
}

// change makes a change at a spot and notes what others see of it. The reason
// is that of a removal, if it is one.
func (o *oracle) change(at spot, reason presence.Reason, f func()) {
	was, seen := o.view(at)
	there := len(o.places[at]) > 0
	f()
	is, sees := o.view(at)
	say := func(what string) {
		o.said[at] = append(o.said[at], strings.TrimSpace(fmt.Sprintf("%s: %s %s", at.room, at.user, what)))
	}
	if sees && !seen {
		say("joined")
	}
	if sees && (seen && (was.Status != is.Status || string(was.Meta) != string(is.Meta)) || !seen && (there || is.Status != presence.Online || is.Meta != nil)) {
		say(string(is.Status) + " " + string(is.Meta))
	}
	if seen && !sees {
		if reason != "" {
			say(string(reason))
		} else {
			say("offline")
		}
		if at.room == "" {
			o.seen[at.user] = o.now
		}
	}
	if len(o.places[at]) == 0 {
		delete(o.places, at)
	}
}

func (o *oracle) drop(p *place) {
	at := spot{p.room, p.tie.user}
	o.places[at] = slices.DeleteFunc(o.places[at], func(other *place) bool { return other == p })
	if p.tie.rooms[p.room] == p {
		delete(p.tie.rooms, p.room)
	}
}

// advance lets time pass: graces end, and nodes that died are given up.
func (o *oracle) advance(to time.Time, dead map[*node]time.Time) {
	for {
		var next *place
		at := to.Add(1)
		for _, list := range o.places {
			for _, p := range list {
				if !p.until.IsZero() && p.until.Before(at) {
					next, at = p, p.until
				}
			}
		}
		var gone *node
		for n, when := range dead {
			if when.Before(at) {
				gone, at = n, when
			}
		}
		switch {
		case gone != nil:
			o.now = at
			delete(dead, gone)
			for at, list := range maps.Clone(o.places) {
				list = slices.DeleteFunc(slices.Clone(list), func(p *place) bool { return p.tie.node != gone })
				if len(list) > 0 {
					o.change(at, presence.ReasonTimeout, func() {
						for _, p := range list {
							o.drop(p)
						}
					})
				}
			}
		case next != nil:
			o.now = at
			o.change(spot{next.room, next.tie.user}, next.reason, func() { o.drop(next) })
		default:
			o.now = to
			return
		}
	}
}

func (o *oracle) join(c *tie, room string) {
	if p := c.rooms[room]; p != nil && p.until.IsZero() {
		return
	}
	at := spot{room, c.user}
	// Those that linger on the node go when their user is back, and take the
	// blame if the user is invisible now.
	lingering := slices.DeleteFunc(slices.Clone(o.places[at]), func(other *place) bool {
		return other.until.IsZero() || other.tie.node != c.node || other.tie == c
	})
	slices.SortFunc(lingering, func(a, b *place) int { return a.until.Compare(b.until) })
	var reason presence.Reason
	if n := len(lingering); n > 0 {
		reason = lingering[n-1].reason
	}
	o.change(at, reason, func() {
		p := c.rooms[room]
		fresh := p == nil
		if fresh {
			p = &place{tie: c, room: room, status: c.status, meta: c.meta, metaAt: c.metaAt, since: o.now}
			c.rooms[room] = p
			o.places[at] = append(o.places[at], p)
		}
		p.until = time.Time{}
		for _, old := range lingering {
			if fresh && !c.chosen {
				p.status, p.meta, p.metaAt = old.status, old.meta, old.metaAt
			}
			if old.since.Before(p.since) {
				p.since = old.since
			}
			o.drop(old)
		}
	})
}

func (o *oracle) leave(c *tie, room string, reason presence.Reason) {
	p := c.rooms[room]
	if p == nil {
		return
	}
	if reason == presence.ReasonDisconnected || reason == presence.ReasonTimeout {
		if p.until.IsZero() {
			p.until, p.reason = o.now.Add(grace), reason
			return
		}
	}
	o.change(spot{room, c.user}, reason, func() { o.drop(p) })
}

func (o *oracle) close(c *tie, reason presence.Reason) {
	for _, room := range slices.Collect(maps.Keys(c.rooms)) {
		o.leave(c, room, reason)
	}
}

func (o *oracle) set(c *tie, room string, status presence.Status, meta string) {
	if room == "*" {
		c.status, c.chosen = status, true
		if meta != "" {
			c.meta, c.metaAt = meta, o.now
		}
	}
	for name, p := range c.rooms {
		if !p.until.IsZero() || room != "*" && room != name {
			continue
		}
		o.change(spot{name, c.user}, "", func() {
			p.status = status
			if meta != "" && meta != p.meta {
				p.meta, p.metaAt = meta, o.now
			}
		})
	}
}

func (o *oracle) remove(room, user string, reason presence.Reason) {
	at := spot{room, user}
	o.change(at, reason, func() {
		for _, p := range slices.Clone(o.places[at]) {
			o.drop(p)
		}
	})
}

// kill notes that a node died: it ends no graces any more.
func (o *oracle) kill(n *node) {
	for _, list := range o.places {
		for _, p := range list {
			if p.tie.node == n {
				p.until = time.Time{}
			}
		}
	}
}

// members are those that others see in a room.
func (o *oracle) members(room string) []presence.Member {
	var list []presence.Member
	for at := range o.places {
		if at.room != room {
			continue
		}
		if m, ok := o.view(at); ok {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b presence.Member) int { return cmp.Compare(a.User, b.User) })
	return list
}
