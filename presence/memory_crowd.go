package presence

import (
	"slices"
	"strings"
)

// A crowd is who is in one scope of a [Memory].
//
// Most scopes are small, and there is one for each user: slices in order cost
// less than maps.
type crowd struct {
	users  []*person // in the order of their IDs
	shares []*share
}

type person struct {
	id      string
	entries []Entry // in the order of their connections; at least one
}

// A share is what a crowd knows of one node.
type share struct {
	node    string
	entries int
	op      uint64 // of the last batch; 0 when forgotten
	out     Outcome
}

// answer is what the last batch is answered with when it comes again.
func (s *share) answer() Outcome {
	out := s.out
	out.Transitions = cloneTransitions(out.Transitions)
	return out
}

func cloneTransitions(list []Transition) []Transition {
	list = slices.Clone(list)
	for i := range list {
		list[i].Before = slices.Clone(list[i].Before)
		list[i].After = slices.Clone(list[i].After)
	}
	return list
}

func (c *crowd) find(user string) (int, bool) {
	return slices.BinarySearchFunc(c.users, user, func(p *person, user string) int { return strings.Compare(p.id, user) })
}

func (p *person) find(connection string) (int, bool) {
	return slices.BinarySearchFunc(p.entries, connection, func(e Entry, id string) int { return strings.Compare(e.Connection, id) })
}

// entries returns those of a user, to look at.
func (c *crowd) entries(user string) []Entry {
	if i, found := c.find(user); found {
		return c.users[i].entries
	}
	return nil
}

// put writes an entry where one is, or also where none is if add says so. It
// returns whose entry it has replaced, and whether it has written.
func (c *crowd) put(e *Entry, add bool) (old string, ok bool) {
	i, found := c.find(e.User)
	if !found {
		if !add {
			return "", false
		}
		c.users = slices.Insert(c.users, i, &person{id: e.User})
	}
	p := c.users[i]
	j, found := p.find(e.Connection)
	switch {
	case found:
		old = p.entries[j].Node
		p.entries[j] = *e
	case add:
		p.entries = slices.Insert(p.entries, j, *e)
	default:
		return "", false
	}
	return old, true
}

// remove removes an entry, and returns whose it was.
func (c *crowd) remove(user, connection string) (old string, ok bool) {
	i, found := c.find(user)
	if !found {
		return "", false
	}
	p := c.users[i]
	j, found := p.find(connection)
	if !found {
		return "", false
	}
	old = p.entries[j].Node
	p.entries = slices.Delete(p.entries, j, j+1)
	if len(p.entries) == 0 {
		c.users = slices.Delete(c.users, i, i+1)
	}
	return old, true
}

// removeAll removes a user, and returns the entries.
func (c *crowd) removeAll(user string) []Entry {
	i, found := c.find(user)
	if !found {
		return nil
	}
	p := c.users[i]
	c.users = slices.Delete(c.users, i, i+1)
	return p.entries
}

func (c *crowd) share(node string) *share {
	for _, s := range c.shares {
		if s.node == node {
			return s
		}
	}
	return nil
}

func (c *crowd) ensureShare(node string) *share {
	if s := c.share(node); s != nil {
		return s
	}
	s := &share{node: node}
	c.shares = append(c.shares, s)
	return s
}

func (c *crowd) dropShare(node string) {
	c.shares = slices.DeleteFunc(c.shares, func(s *share) bool { return s.node == node })
}
