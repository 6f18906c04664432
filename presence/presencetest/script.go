package presencetest

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/wardroom/wardroom/presence"
)

// A script drives one store.
type script struct {
	t       *testing.T
	store   presence.Store
	options Options
	unit    time.Duration
	now     time.Time // the time that entries bear
	op      uint64
}

func newScript(t *testing.T, store presence.Store, o Options) *script {
	return &script{t: t, store: store, options: o, unit: o.Unit, now: time.UnixMilli(time.Now().UnixMilli())}
}

// exact reports whether time stands still but for sleep.
func (s *script) exact() bool { return !s.options.RealTime }

// room and somewhere are the scopes that most cases use.
func room(name string) presence.Scope     { return presence.Scope{Room: name} }
func everywhere(id string) presence.Scope { return presence.Scope{User: id} }

// entry returns an entry that is complete, and different for each connection.
func (s *script) entry(node, user, connection string) presence.Entry {
	return presence.Entry{
		User:       user,
		Connection: connection,
		Node:       node,
		Name:       "Name of " + user,
		Status:     presence.Online,
		Meta:       []byte(`{"of":"` + connection + `"}`),
		MetaAt:     s.now.Add(-time.Duration(len(connection)) * time.Second),
		Since:      s.now.Add(-time.Minute - time.Duration(len(user))*time.Millisecond),
	}
}

func put(e presence.Entry) presence.Change {
	return presence.Change{Action: presence.Put, Entry: e}
}

func amend(e presence.Entry) presence.Change {
	return presence.Change{Action: presence.Amend, Entry: e}
}

func remove(user, connection string) presence.Change {
	return presence.Change{Action: presence.Remove, Entry: presence.Entry{User: user, Connection: connection}}
}

func removeUser(user string) presence.Change {
	return presence.Change{Action: presence.RemoveUser, Entry: presence.Entry{User: user}}
}

func removeNode(node string, limit int) presence.Change {
	return presence.Change{Action: presence.RemoveNode, Entry: presence.Entry{Node: node}, Limit: limit}
}

// batch returns a batch with an Op of its own that builds upon nothing.
func (s *script) batch(scope presence.Scope, node string, changes ...presence.Change) presence.Batch {
	s.op++
	return presence.Batch{Scope: scope, Node: node, Op: s.op, At: s.now, Changes: changes}
}

// do makes changes.
func (s *script) do(scope presence.Scope, node string, changes ...presence.Change) presence.Outcome {
	s.t.Helper()
	return s.update(s.batch(scope, node, changes...))
}

// update makes a batch.
func (s *script) update(b presence.Batch) presence.Outcome {
	s.t.Helper()
	b.Changes = slices.Clone(b.Changes)
	out, err := s.store.Update(s.t.Context(), b)
	if err != nil {
		s.t.Fatalf("Update(%+v): %v", b, err)
	}
	return out
}

// lost makes a batch that builds upon what is not there.
func (s *script) lost(b presence.Batch) {
	s.t.Helper()
	if out, err := s.store.Update(s.t.Context(), b); !errors.Is(err, presence.ErrLost) {
		s.t.Fatalf("Update(%+v) = %+v, %v, want ErrLost", b, out, err)
	}
}

func (s *script) get(scope presence.Scope, user string) presence.Record {
	s.t.Helper()
	r, err := s.store.Get(s.t.Context(), scope, user)
	if err != nil {
		s.t.Fatalf("Get(%+v, %q): %v", scope, user, err)
	}
	if r.User != user {
		s.t.Fatalf("Get(%+v, %q) is of user %q", scope, user, r.User)
	}
	return r
}

// holds checks what the store has of a user.
func (s *script) holds(scope presence.Scope, user string, want ...presence.Entry) {
	s.t.Helper()
	if got := s.get(scope, user).Entries; !sameEntries(got, want) {
		s.t.Fatalf("Get(%+v, %q):\n got %+v\nwant %+v", scope, user, got, want)
	}
}

func (s *script) list(scope presence.Scope, after string, limit int) ([]presence.Record, bool) {
	s.t.Helper()
	records, more, err := s.store.List(s.t.Context(), scope, after, limit)
	if err != nil {
		s.t.Fatalf("List(%+v, %q, %d): %v", scope, after, limit, err)
	}
	return records, more
}

// lists checks which users a page has.
func (s *script) lists(scope presence.Scope, after string, limit int, more bool, want ...string) {
	s.t.Helper()
	records, gotMore := s.list(scope, after, limit)
	var got []string
	for _, r := range records {
		got = append(got, r.User)
	}
	if !slices.Equal(got, want) || gotMore != more {
		s.t.Fatalf("List(%+v, %q, %d) = %q, more %t, want %q, %t", scope, after, limit, got, gotMore, want, more)
	}
}

func (s *script) beat(node string, ttl time.Duration) presence.Lease {
	s.t.Helper()
	l, err := s.store.Beat(s.t.Context(), node, ttl)
	if err != nil {
		s.t.Fatalf("Beat(%q, %v): %v", node, ttl, err)
	}
	return l
}

// lapsed checks that a node's lease cannot be renewed.
func (s *script) lapsed(node string) {
	s.t.Helper()
	if l, err := s.store.Beat(s.t.Context(), node, s.unit); !errors.Is(err, presence.ErrLapsed) {
		s.t.Fatalf("Beat(%q) = %+v, %v, want ErrLapsed", node, l, err)
	}
}

// orphans checks which scopes of dead nodes are handed to a node.
func (s *script) orphans(node string, limit int) []presence.Orphan {
	s.t.Helper()
	list, err := s.store.Orphans(s.t.Context(), node, limit)
	if err != nil {
		s.t.Fatalf("Orphans(%q, %d): %v", node, limit, err)
	}
	slices.SortFunc(list, func(a, b presence.Orphan) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Scope.Room, b.Scope.Room), cmp.Compare(a.Scope.User, b.Scope.User))
	})
	return list
}

func (s *script) hands(node string, want ...presence.Orphan) {
	s.t.Helper()
	if got := s.orphans(node, 100); !slices.Equal(got, want) {
		s.t.Fatalf("Orphans(%q) = %+v, want %+v", node, got, want)
	}
}

// sleep lets units pass.
func (s *script) sleep(units float64) {
	time.Sleep(time.Duration(units * float64(s.unit)))
}

// slack is how much two clocks may disagree about a duration.
func (s *script) slack() time.Duration {
	if s.exact() {
		return 0
	}
	return 10 * time.Millisecond
}

// changes checks an outcome: its transitions and the users there are now.
func (s *script) changes(out presence.Outcome, users int, want ...presence.Transition) {
	s.t.Helper()
	if !sameTransitions(out.Transitions, want) {
		s.t.Fatalf("transitions:\n got %+v\nwant %+v", out.Transitions, want)
	}
	if out.Users != users {
		s.t.Fatalf("outcome says %d users, want %d", out.Users, users)
	}
}

func transition(user string, before, after []presence.Entry) presence.Transition {
	return presence.Transition{User: user, Before: before, After: after}
}

func entries(list ...presence.Entry) []presence.Entry { return list }

func sameTransitions(a, b []presence.Transition) bool {
	return slices.EqualFunc(a, b, func(a, b presence.Transition) bool {
		return a.User == b.User && sameEntries(a.Before, b.Before) && sameEntries(a.After, b.After)
	})
}

func sameEntries(a, b []presence.Entry) bool { return slices.EqualFunc(a, b, sameEntry) }

func sameEntry(a, b presence.Entry) bool {
	return a.User == b.User && a.Connection == b.Connection && a.Node == b.Node && a.Name == b.Name && a.Status == b.Status &&
		bytes.Equal(a.Meta, b.Meta) && a.MetaAt.Equal(b.MetaAt) && a.Since.Equal(b.Since)
}
