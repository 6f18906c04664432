package presence

import (
	"maps"
	"slices"
	"time"
)

// A Snapshot is what a replica has of a Memory.
type Snapshot struct {
	scopes map[Scope]*crowd
	nodes  map[string]*lease
	lapsed map[string]time.Time
}

// Snapshot takes one.
func (m *Memory) Snapshot() *Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Snapshot{cloneScopes(m.scopes), cloneNodes(m.leases.nodes), maps.Clone(m.leases.lapsed)}
}

// Revert has some scopes, and what is known of nodes if that says so, go back to
// a snapshot.
func (m *Memory) Revert(to *Snapshot, which func(Scope) bool, nodes bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.scopes, func(s Scope, _ *crowd) bool { return which(s) })
	for s, c := range cloneScopes(to.scopes) {
		if which(s) {
			m.scopes[s] = c
		}
	}
	if nodes {
		m.leases.nodes, m.leases.lapsed = cloneNodes(to.nodes), maps.Clone(to.lapsed)
	}
}

func cloneScopes(all map[Scope]*crowd) map[Scope]*crowd {
	clone := make(map[Scope]*crowd, len(all))
	for s, c := range all {
		d := new(crowd)
		for _, p := range c.users {
			d.users = append(d.users, &person{p.id, slices.Clone(p.entries)})
		}
		for _, sh := range c.shares {
			d.shares = append(d.shares, &share{sh.node, sh.entries, sh.op, Outcome{
				Transitions: cloneTransitions(sh.out.Transitions), Users: sh.out.Users, More: sh.out.More, Revision: sh.out.Revision,
			}})
		}
		clone[s] = d
	}
	return clone
}

func cloneNodes(all map[string]*lease) map[string]*lease {
	clone := make(map[string]*lease, len(all))
	for name, l := range all {
		clone[name] = &lease{l.until, maps.Clone(l.scopes), l.heir}
	}
	return clone
}
