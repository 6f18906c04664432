package presencetest

import (
	"cmp"
	"slices"
	"time"

	"github.com/wardroom/wardroom/presence"
)

// A textbook is the contract of Update, Get and List in the plainest form: a
// list of all entries. It is for one goroutine, and forgets nothing.
type textbook struct {
	entries map[presence.Scope][]presence.Entry // in order of user and connection
	last    map[author]written
	seen    map[string]time.Time
}

type author struct {
	scope presence.Scope
	node  string
}

type written struct {
	op  uint64
	out presence.Outcome
}

func newTextbook() *textbook {
	return &textbook{
		entries: make(map[presence.Scope][]presence.Entry),
		last:    make(map[author]written),
		seen:    make(map[string]time.Time),
	}
}

func (x *textbook) update(b presence.Batch) (presence.Outcome, error) {
	me := author{b.Scope, b.Node}
	if w := x.last[me]; w.op == b.Op {
		w.out.Users = x.users(b.Scope)
		return w.out, nil
	} else if b.Prev != 0 && b.Prev != w.op || b.Bare && slices.ContainsFunc(x.entries[b.Scope], func(e presence.Entry) bool { return e.Node == b.Node }) {
		return presence.Outcome{}, presence.ErrLost
	}
	before := slices.Clone(x.entries[b.Scope])
	named := make(map[string]bool)
	out := presence.Outcome{}
	for _, ch := range b.Changes {
		e := ch.Entry
		var same func(presence.Entry) bool
		most := -1
		switch ch.Action {
		case presence.Put, presence.Amend, presence.Remove:
			same = func(o presence.Entry) bool { return o.User == e.User && o.Connection == e.Connection }
		case presence.RemoveUser:
			same = func(o presence.Entry) bool { return o.User == e.User }
		case presence.RemoveNode:
			same = func(o presence.Entry) bool { return o.Node == e.Node }
			most = ch.Limit
			delete(x.last, author{b.Scope, e.Node})
		}
		var kept, gone []presence.Entry
		for _, o := range x.entries[b.Scope] {
			if same(o) && len(gone) != most {
				gone = append(gone, o)
				named[o.User] = true
			} else {
				kept = append(kept, o)
			}
		}
		switch ch.Action {
		case presence.RemoveNode:
			out.More = out.More || slices.ContainsFunc(kept, same)
		case presence.Put:
			kept = append(kept, e)
		case presence.Amend:
			if len(gone) > 0 {
				kept = append(kept, e)
			}
		}
		if ch.Action != presence.RemoveNode {
			named[e.User] = true
		}
		slices.SortFunc(kept, func(a, b presence.Entry) int {
			return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Connection, b.Connection))
		})
		x.entries[b.Scope] = kept
	}
	for user := range named {
		of := func(e presence.Entry) bool { return e.User != user }
		t := presence.Transition{
			User:   user,
			Before: slices.DeleteFunc(slices.Clone(before), of),
			After:  slices.DeleteFunc(slices.Clone(x.entries[b.Scope]), of),
		}
		out.Transitions = append(out.Transitions, t)
		if b.Scope == everywhere(user) && visible(t.Before) && !visible(t.After) {
			x.seen[user] = b.At
		} else if b.Scope == everywhere(user) && visible(t.After) {
			delete(x.seen, user)
		}
	}
	slices.SortFunc(out.Transitions, func(a, b presence.Transition) int { return cmp.Compare(a.User, b.User) })
	out.Users = x.users(b.Scope)
	x.last[me] = written{op: b.Op, out: out}
	return out, nil
}

func visible(list []presence.Entry) bool {
	return slices.ContainsFunc(list, func(e presence.Entry) bool { return e.Status != presence.Offline })
}

// records are those of all users in a scope, in order.
func (x *textbook) records(scope presence.Scope) []presence.Record {
	var list []presence.Record
	for _, e := range x.entries[scope] {
		if n := len(list); n == 0 || list[n-1].User != e.User {
			list = append(list, presence.Record{User: e.User})
		}
		r := &list[len(list)-1]
		r.Entries = append(r.Entries, e)
	}
	for i := range list {
		if scope == everywhere(list[i].User) {
			list[i].Seen = x.seen[list[i].User]
		}
	}
	return list
}

func (x *textbook) users(scope presence.Scope) int { return len(x.records(scope)) }

func (x *textbook) get(scope presence.Scope, user string) presence.Record {
	for _, r := range x.records(scope) {
		if r.User == user {
			return r
		}
	}
	r := presence.Record{User: user}
	if scope == everywhere(user) {
		r.Seen = x.seen[user]
	}
	return r
}

func (x *textbook) list(scope presence.Scope, after string, limit int) ([]presence.Record, bool) {
	list := slices.DeleteFunc(x.records(scope), func(r presence.Record) bool { return r.User <= after })
	if len(list) > limit {
		return list[:limit], true
	}
	return list, false
}
