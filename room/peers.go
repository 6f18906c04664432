package room

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// helloEvery is how often a server tells the others that it lives, and
	// peerLife how long they believe it.
	helloEvery = 5 * time.Second
	peerLife   = 3 * helloEvery
	// settleIn is how long the others have to answer a server's first hello.
	settleIn = 250 * time.Millisecond
)

// peers are the servers that share a broker, as far as they say so. They need
// no list: each says hello to all when it comes and every helloEvery from then
// on, is answered by those that did not know it, and says goodbye.
type peers struct {
	id     string // this server's, another one in every process
	node   string // its name, for people
	shared bool   // there may be others

	mu      sync.Mutex // protects what follows
	others  map[string]peer
	rolls   map[string]*roll // by act
	acts    uint64           // begun by this server
	inUse   bool             // this server may have connections
	settled time.Time        // until then not all may have answered
}

type peer struct {
	node  string
	until time.Time
}

// roll is a wait for the servers in which an act has to be in force.
type roll struct {
	act     string
	missing map[string]string // the name of its node, by server; peers.mu protects it
	all     chan struct{}     // closed when nobody is missing
}

func newPeers(node string, shared bool) *peers {
	return &peers{id: newID(), node: node, shared: shared, others: make(map[string]peer), rolls: make(map[string]*roll)}
}

// nodeRoom is the name under which one server is spoken to.
func nodeRoom(id string) string { return "*node." + id }

// begin names an act and calls the roll of everyone there is, this server too
// where with says so. Every call must be followed by one of end.
func (p *peers) begin(ctx context.Context, with bool) *roll {
	p.mu.Lock()
	wait := time.Until(p.settled)
	p.mu.Unlock()
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acts++
	r := &roll{act: p.id + "." + strconv.FormatUint(p.acts, 10), missing: make(map[string]string), all: make(chan struct{})}
	now := time.Now()
	for id, other := range p.others {
		if other.until.Before(now) {
			delete(p.others, id)
			continue
		}
		r.missing[id] = other.node
	}
	if with && p.inUse {
		r.missing[p.id] = p.node
	}
	r.settle()
	p.rolls[r.act] = r
	return r
}

// settle closes all once nobody is missing. The caller holds mu, or has the
// roll for itself.
func (r *roll) settle() {
	if len(r.missing) == 0 {
		select {
		case <-r.all:
		default:
			close(r.all)
		}
	}
}

func (p *peers) end(r *roll) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.rolls, r.act)
}

// absent says who is missing now, by the names of their nodes.
func (p *peers) absent(r *roll) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Values(r.missing))
}

// done notes that an act is in force on a server.
func (p *peers) done(act, id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.rolls[act]; r != nil {
		delete(r.missing, id)
		r.settle()
	}
}

// note takes a hello and reports whether the server was not known.
func (p *peers) note(m *Message) bool {
	if m.From == p.id {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	known := p.others[m.From].until.After(now)
	if !known { // there is room for the living alone
		maps.DeleteFunc(p.others, func(_ string, other peer) bool { return other.until.Before(now) })
	}
	p.others[m.From] = peer{node: m.Name, until: now.Add(peerLife)}
	return !known
}

// forget takes a goodbye: nobody waits for who has no connections any more.
func (p *peers) forget(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.others, id)
	for _, r := range p.rolls {
		delete(r.missing, id)
		r.settle()
	}
}

// remember keeps the others while the broker is away and nobody can be heard.
func (p *peers) remember() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for id, other := range p.others {
		if other.until.After(now) {
			other.until = now.Add(peerLife)
			p.others[id] = other
		}
	}
}

// used says that this server is one that acts have to be in force on.
func (p *peers) used() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inUse = true
}

// listens says that the server hears from now on what is said to all.
func (p *peers) listens() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shared {
		p.settled = time.Now().Add(settleIn)
	}
}

// asker is the server that an act is of.
func asker(act string) string {
	id, _, _ := strings.Cut(act, ".")
	return id
}

// greet tells the servers that listen in a room that this one lives.
func (s *Server) greet(room string) {
	if err := s.tell(s.ctx, Message{Kind: KindHello, Room: room, From: s.peers.id, Name: s.node}); err != nil {
		s.peers.remember()
	}
}

// keepGreeting runs as long as the server does.
func (s *Server) keepGreeting() {
	timer := time.NewTimer(helloEvery)
	defer timer.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-timer.C:
			s.greet(controlRoom)
			timer.Reset(helloEvery - rand.N(helloEvery/5))
		}
	}
}

// confirm tells the server that an act is of that it is in force here.
func (s *Server) confirm(act string) {
	if act == "" {
		return
	}
	if asker(act) == s.peers.id {
		s.peers.done(act, s.peers.id)
		return
	}
	// Where this is lost the other one says so.
	_ = s.tell(s.ctx, Message{Kind: KindDone, Room: nodeRoom(asker(act)), From: s.peers.id, Act: act})
}

// tell says something to servers.
func (s *Server) tell(ctx context.Context, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, actMost)
	defer cancel()
	m.At = now()
	_, err := s.broker.Publish(ctx, m, Retention{})
	return err
}
