package redispresence

import (
	"context"
	"sync"
	"time"

	"github.com/wardroom/wardroom/presence"
)

const (
	// releasedWith is how many claims are released along with another call.
	releasedWith = 64
	// mostSpare is how many that nobody needs are kept for the next call.
	mostSpare = 512
	// claimsKept is for how long the claims of a node are kept that neither
	// beats nor writes any more, beyond its lease.
	claimsKept = 10 * time.Minute
)

// claims are what this process knows of the scopes that its nodes have claimed.
type claims struct {
	mu    sync.Mutex // protects everything below
	nodes map[string]*node
	spare map[*claim]struct{} // to be released: the node has no entries there
}

type node struct {
	scopes map[presence.Scope]*claim
	until  time.Time // when to forget the node, if no more is heard of it
}

// A claim says that a node may have entries in a scope.
type claim struct {
	node  string
	scope presence.Scope
	token string // empty: not claimed yet
	calls int    // that are using it
	doubt bool   // a call may have written entries and not said so
	holds bool   // the node had entries after the last call that said so
}

func newClaims() claims {
	return claims{nodes: make(map[string]*node), spare: make(map[*claim]struct{})}
}

// take returns the claim of a node on a scope, for one call. give ends that.
func (cs *claims) take(name string, scope presence.Scope) *claim {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	n := cs.node(name, 0)
	c := n.scopes[scope]
	if c == nil {
		c = &claim{node: name, scope: scope}
		n.scopes[scope] = c
	}
	c.calls++
	delete(cs.spare, c)
	return c
}

func (cs *claims) node(name string, ttl time.Duration) *node {
	n := cs.nodes[name]
	if n == nil {
		n = &node{scopes: make(map[presence.Scope]*claim)}
		cs.nodes[name] = n
	}
	if until := time.Now().Add(max(ttl, 0) + claimsKept); until.After(n.until) {
		n.until = until
	}
	return n
}

// give ends a call that has used a claim. known says that its answer has come,
// and holds what it was. It reports whether there are too many spare ones.
func (cs *claims) give(c *claim, known, holds bool) (release bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c.calls--
	switch {
	case !known:
		c.doubt = true
	case c.calls == 0:
		// What an earlier call may still do, Redis refuses: it is an older batch.
		c.doubt, c.holds = false, holds
	default:
		c.holds = c.holds || holds
	}
	if c.calls > 0 || c.doubt || c.holds {
		return false
	}
	if n := cs.nodes[c.node]; n == nil || n.scopes[c.scope] != c {
		return false
	}
	if c.token == "" {
		cs.forget(c)
		return false
	}
	cs.spare[c] = struct{}{}
	return len(cs.spare) >= mostSpare
}

// forget has the next call in the scope claim it.
func (cs *claims) forget(c *claim) {
	delete(cs.spare, c)
	if n := cs.nodes[c.node]; n != nil && n.scopes[c.scope] == c {
		delete(n.scopes, c.scope)
	}
}

// held is the token with which a node of this process has claimed a scope, empty
// when it has not.
func (cs *claims) held(name string, scope presence.Scope) string {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if n := cs.nodes[name]; n != nil && n.scopes[scope] != nil {
		return n.scopes[scope].token
	}
	return ""
}

// cleared notes that what a node has claimed is released, because it has nothing
// there any more and may write nothing under that claim.
func (cs *claims) cleared(name string, scope presence.Scope, token string) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if n := cs.nodes[name]; n != nil {
		if c := n.scopes[scope]; c != nil && c.calls == 0 && c.token == token {
			cs.forget(c)
		}
	}
}

// release takes up to so many spare claims, as arguments for a script. From now
// on they are claimed anew by who needs them, be that before or after Redis
// has dropped them.
func (cs *claims) release(most int) []string {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	var args []string
	for c := range cs.spare {
		if len(args) == 2*most {
			break
		}
		args = append(args, place(c.node, c.scope), c.token)
		cs.forget(c)
	}
	return args
}

func (cs *claims) token(c *claim) string {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return c.token
}

func (cs *claims) setToken(c *claim, token string) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c.token = token
}

// beaten notes that a node has a lease. What it has claimed is void when that
// had lapsed, for survivors release it, or when Redis had not heard of it.
func (cs *claims) beaten(name string, ttl time.Duration, void bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	now := time.Now()
	if void {
		cs.drop(name)
	}
	cs.node(name, ttl)
	for other, n := range cs.nodes {
		if !n.until.After(now) {
			cs.drop(other)
		}
	}
}

func (cs *claims) drop(name string) {
	if n := cs.nodes[name]; n != nil {
		for _, c := range n.scopes {
			delete(cs.spare, c)
		}
		delete(cs.nodes, name)
	}
}

// claim has Redis write down that the node may have entries in the scope, with
// a token greater than after.
func (s *Store) claim(ctx context.Context, c *claim, after string) (token string, err error) {
	k := &s.nodeKeys
	args := append([]string{c.node, place(c.node, c.scope), after}, s.claims.release(releasedWith)...)
	reply, err := s.run(ctx, s.scripts.claim, []string{k.leases, k.places, k.tokens}, args...)
	if err != nil {
		return "", err
	}
	if len(reply) != 1 {
		return "", errAnswer
	}
	if token, err = reply[0].ToString(); err != nil {
		return "", errAnswer
	}
	s.claims.setToken(c, token)
	return token, nil
}

// release has Redis drop claims: a place and a token each.
func (s *Store) release(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return nil
	}
	_, err := s.run(ctx, s.scripts.release, []string{s.nodeKeys.places, s.nodeKeys.tokens}, args...)
	return err
}
