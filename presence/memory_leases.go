package presence

import "time"

// lapsedKept is how long a node whose lease has lapsed is told so.
const lapsedKept = 48 * time.Hour

// leases are the nodes of a [Memory], alive and dead.
type leases struct {
	nodes  map[string]*lease    // those that are not forgotten
	lapsed map[string]time.Time // those that are, and until when to refuse them
}

type lease struct {
	until  time.Time // when it lapses; zero: it never began
	scopes map[Scope]struct{}
	heir   string // who has been handed this dead node
}

func (l *lease) live(now time.Time) bool { return l.until.After(now) }

func (ls *leases) beat(node string, now time.Time, ttl time.Duration) (Lease, error) {
	for id, until := range ls.lapsed {
		if !until.After(now) {
			delete(ls.lapsed, id)
		}
	}
	l := ls.nodes[node]
	if _, dead := ls.lapsed[node]; dead || l != nil && !l.until.IsZero() && !l.live(now) {
		return Lease{}, ErrLapsed
	}
	var answer Lease
	if l == nil || l.until.IsZero() {
		answer.Fresh = true
		l = ls.open(node)
	}
	l.until = now.Add(max(ttl, 0))
	for id, other := range ls.nodes {
		switch left := other.until.Sub(now); {
		case id == node:
		case left <= 0:
			answer.Lapsed = true
		case answer.Next == 0 || left < answer.Next:
			answer.Next = left
		}
	}
	return answer, nil
}

func (ls *leases) open(node string) *lease {
	l := ls.nodes[node]
	if l == nil {
		l = &lease{scopes: make(map[Scope]struct{})}
		ls.nodes[node] = l
	}
	return l
}

// entered and left keep which scopes a node has entries in.
func (ls *leases) entered(node string, scope Scope) {
	ls.open(node).scopes[scope] = struct{}{}
}

func (ls *leases) left(node string, scope Scope) {
	if l := ls.nodes[node]; l != nil {
		delete(l.scopes, scope)
	}
}

func (ls *leases) orphans(node string, now time.Time, limit int) ([]Orphan, error) {
	if l := ls.nodes[node]; l == nil || !l.live(now) {
		return nil, ErrLapsed
	}
	var list []Orphan
	for id, l := range ls.nodes {
		if l.live(now) {
			continue
		}
		if heir := ls.nodes[l.heir]; l.heir != node && heir != nil && heir.live(now) {
			continue
		}
		l.heir = node
		if len(l.scopes) == 0 {
			delete(ls.nodes, id)
			ls.lapsed[id] = now.Add(lapsedKept)
			continue
		}
		for scope := range l.scopes {
			if len(list) == max(limit, 1) {
				return list, nil
			}
			list = append(list, Orphan{Node: id, Scope: scope})
		}
	}
	return list, nil
}
