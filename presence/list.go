package presence

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

const (
	defaultPage = 100
	mostPerPage = 1000
)

// A Query says which members of a room to list.
type Query struct {
	// After is where to go on: the Next of the page before. Empty: at the
	// beginning.
	After string
	// Limit is how many members a page has at most. Default 100, at most 1,000.
	Limit int
	// Viewer is the user who will see the list, if any: they are in it, with
	// status Offline, even when they are invisible to others.
	Viewer string
}

// A Page is a part of a list.
type Page struct {
	// Members are in the bytewise order of their user IDs.
	Members []Member
	// Next is the Query.After of the page behind this one; empty when there is
	// none. It is the ID of the last user in this page, so it stays valid
	// whoever comes and goes: who is there all the time is listed once.
	Next string
}

// List returns a page of the users that are visible in a room. It has what this
// Tracker's Conns have noted, even where the store does not have it yet. The
// caller owns the slice, but not the bytes of Meta. An error is that of the
// store.
//
// For the empty room it lists nobody: see [Tracker.Get].
func (t *Tracker) List(ctx context.Context, room string, q Query) (Page, error) {
	if room == "" {
		return Page{}, nil
	}
	limit := q.Limit
	if limit < 1 {
		limit = defaultPage
	}
	limit = min(limit, mostPerPage)
	scope := Scope{Room: room}
	var page Page
	for after, more := q.After, true; more; {
		// Before the store, so that what it takes meanwhile is seen twice rather
		// than not at all.
		noted := t.noted(scope, "")
		var records []Record
		var err error
		// One more than needed tells whether there is a next page.
		records, more, err = t.store.List(ctx, scope, after, limit+1)
		if err != nil {
			return Page{}, fmt.Errorf("presence: list: %w", err)
		}
		if len(records) == 0 {
			more = false
		}
		noted = slices.DeleteFunc(noted, func(n note) bool {
			return n.entry.User <= after || more && n.entry.User > records[len(records)-1].User
		})
		for _, r := range overlay(records, noted) {
			m := merge(r.Entries)
			if r.User == q.Viewer {
				m = mergeOwn(r.Entries)
			}
			if m.Connections == 0 {
				continue
			}
			if len(page.Members) == limit {
				page.Next = page.Members[limit-1].User
				return page, nil
			}
			page.Members = append(page.Members, m)
		}
		if more {
			after = records[len(records)-1].User
		}
	}
	return page, nil
}

// Get returns one user's presence in a room, or everywhere for the empty room.
// With own it is as the user themselves see it: when all of their connections
// are invisible it has the status Offline, and is not empty otherwise. A user
// who is not there has status Offline, no connections, and where it is known
// the time at which they were last Seen. An error is that of the store.
func (t *Tracker) Get(ctx context.Context, room, user string, own bool) (Member, error) {
	scope := scopeOf(room, user)
	noted := t.noted(scope, user)
	r, err := t.store.Get(ctx, scope, user)
	if err != nil {
		return Member{}, fmt.Errorf("presence: get: %w", err)
	}
	records := []Record{r}
	if len(r.Entries) == 0 {
		records = nil
	}
	m := Member{Status: Offline}
	if records = overlay(records, noted); len(records) > 0 {
		if own {
			m = mergeOwn(records[0].Entries)
		} else {
			m = merge(records[0].Entries)
		}
	}
	m.User = user
	if m.Status == Offline {
		m.Seen = r.Seen
	}
	return m, nil
}

// A note is an entry that is on its way to the store, or out of it.
type note struct {
	entry Entry
	gone  bool
}

// noted are the notes in a scope, of one user or of all.
func (t *Tracker) noted(scope Scope, user string) []note {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.lanes[scope]
	if l == nil {
		return nil
	}
	var list []note
	add := func(s *seat) {
		if s != nil && s.state != unseated && (user == "" || s.conn.user == user) {
			list = append(list, note{entry: s.entry(l.lease), gone: s.state == leaving})
		}
	}
	if l.flight != nil {
		for i := range l.flight.causes {
			add(l.flight.causes[i].seat)
		}
	}
	for _, s := range l.dirty {
		add(s)
	}
	return list
}

// overlay returns records as they will be when the store has the notes.
func overlay(records []Record, notes []note) []Record {
	for i := range notes {
		n := &notes[i]
		j, found := slices.BinarySearchFunc(records, n.entry.User, func(r Record, user string) int { return strings.Compare(r.User, user) })
		if !found {
			if n.gone {
				continue
			}
			records = slices.Insert(records, j, Record{User: n.entry.User})
		}
		r := &records[j]
		r.Entries = slices.DeleteFunc(r.Entries, func(e Entry) bool { return e.Connection == n.entry.Connection })
		if !n.gone {
			r.Entries = append(r.Entries, n.entry)
		}
	}
	return slices.DeleteFunc(records, func(r Record) bool { return len(r.Entries) == 0 })
}
