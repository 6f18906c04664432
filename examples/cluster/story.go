package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/auth/jwtauth"
)

// patience is how long anything may take that has to happen.
const patience = 60 * time.Second

// A story is the cluster and who is in it.
type story struct {
	ctx    context.Context //nolint:containedctx // until the story is told, or interrupted
	secret string
	redis  *redisServer // nil when it is not ours
	nodes  []*member
	people []*person
	said   []string // IDs of what was acknowledged
	good   bool
}

// A member is a node of the cluster.
type member struct {
	*process
	name, address string
	dead          bool
}

func (s *story) end() {
	if s.redis != nil && s.ctx.Err() != nil {
		// A Ctrl-C ends our Redis as well: nobody is there to say goodbye to.
		for _, n := range s.nodes {
			if !n.dead {
				n.kill()
				n.dead = true
			}
		}
	}
	for _, p := range s.people {
		_, _ = p.ask(map[string]any{"type": "leave"}) // as who says goodbye
		p.leave()
		<-p.gone
	}
	for _, n := range s.nodes {
		if !n.dead {
			n.stop()
		}
	}
}

func tell(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// until waits for something that has to happen.
func (s *story) until(what string, holds func() bool) error {
	for end := time.Now().Add(patience); !holds(); {
		if time.Now().After(end) {
			return fmt.Errorf("waited %v until %s", patience, what)
		}
		select {
		case <-s.ctx.Done():
			return errInterrupted
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// nodeOf is the node that a person is on, nil for none.
func (s *story) nodeOf(p *person) *member {
	i := slices.IndexFunc(s.nodes, func(n *member) bool { return n.address == p.where() })
	if i < 0 {
		return nil
	}
	return s.nodes[i]
}

// on are the names of those who are on a node.
func (s *story) on(n *member) (names []string) {
	for _, p := range s.people {
		if s.nodeOf(p) == n {
			names = append(names, p.name)
		}
	}
	return names
}

func list(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}

// say has somebody say something until it is acknowledged.
func (s *story) say(p *person, text string) error {
	id := fmt.Sprintf("m%d", len(s.said)+1)
	if err := s.until(p.name+" has said something", func() bool { return p.say(id, text) == nil }); err != nil {
		return err
	}
	s.said = append(s.said, id)
	return nil
}

// allHeard waits until everyone has heard all that was said.
func (s *story) allHeard() error {
	for _, p := range s.people {
		if err := s.until(p.name+" has heard everything", func() bool { return len(p.ids()) >= len(s.said) }); err != nil {
			return err
		}
	}
	return nil
}

// seenEverywhere waits until each node lists these in the lobby.
func (s *story) seenEverywhere(names []string) error {
	slices.Sort(names)
	for _, p := range s.people {
		err := s.until(fmt.Sprintf("%s sees %s", p.name, list(names)), func() bool {
			got, err := p.members()
			slices.Sort(got)
			return err == nil && slices.Equal(got, names)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *story) names() (names []string) {
	for _, p := range s.people {
		names = append(names, p.name)
	}
	return names
}

func (s *story) arrivals() error {
	tell("Three nodes, each a process of its own, share one Redis.")
	signer, err := jwtauth.NewSigner(issuer, issuer, []byte(s.secret))
	if err != nil {
		return err
	}
	for i, name := range []string{"ada", "bob", "cyd", "dan", "eve", "fay", "gus"} {
		token, err := signer.Sign(auth.Identity{ID: name, ExpiresAt: time.Now().Add(time.Hour)})
		if err != nil {
			return err
		}
		// Each has all nodes to choose from, and begins with another one. Gus is
		// on the second, like bob and eve.
		first := i % len(s.nodes)
		if name == "gus" {
			first = 1
		}
		var nodes []string
		for k := range s.nodes {
			nodes = append(nodes, s.nodes[(first+k)%len(s.nodes)].address)
		}
		p := arrive(name, token, nodes)
		s.people = append(s.people, p)
		if err := s.until(name+" is in the lobby", func() bool { return p.where() != "" }); err != nil {
			return err
		}
	}
	for _, n := range s.nodes {
		tell("  Node %s at %s has %s.", n.name, n.address, list(s.on(n)))
	}
	if err := s.seenEverywhere(s.names()); err != nil {
		return err
	}
	tell("Whichever node is asked, %d people are in the lobby: it is one room.", len(s.people))
	return nil
}

func (s *story) talk() error {
	for _, p := range s.people {
		if err := s.say(p, "Good morning, says "+p.name); err != nil {
			return err
		}
	}
	if err := s.allHeard(); err != nil {
		return err
	}
	tell("Everyone says good morning, and everyone hears all %d, in the same order.", len(s.said))
	return nil
}

func (s *story) death() error {
	victim := s.nodes[1]
	there := s.on(victim)
	// Gus does not come back: his cable hung on the same socket.
	gus := s.people[len(s.people)-1]
	s.people = s.people[:len(s.people)-1]
	gus.leave()
	victim.kill()
	victim.dead = true
	<-gus.gone
	killed := time.Now()
	tell("Node %s is killed, with %s on it. Gus goes dark with it.", victim.name, list(there))
	if err := s.say(s.people[0], "Did the light just flicker?"); err != nil {
		return err
	}
	for _, p := range s.people {
		if !slices.Contains(there, p.name) {
			continue
		}
		if err := s.until(p.name+" is back", func() bool { n := s.nodeOf(p); return n != nil && n != victim }); err != nil {
			return err
		}
		_, recovered := p.back()
		tell("  %s is back on node %s, recovered:%t.", p.name, s.nodeOf(p).name, recovered)
	}
	if err := s.allHeard(); err != nil {
		return err
	}
	tell("They have heard what was said while they were away.")
	for _, p := range s.people {
		if err := s.until(p.name+" hears that gus has left", func() bool { return len(p.farewells()) > 0 }); err != nil {
			return err
		}
	}
	tell("After %.0f s a survivor misses node %s and announces: user_left %s. Who came back was never gone.",
		time.Since(killed).Seconds(), victim.name, list(s.people[0].farewells()))
	return s.seenEverywhere(s.names())
}

func (s *story) outage() error {
	if s.redis == nil {
		tell("Redis is not ours to kill, so that part is left out.")
		return nil
	}
	s.redis.kill()
	tell("Redis is killed.")
	ada := s.people[0]
	err := ada.say(fmt.Sprintf("m%d", len(s.said)+1), "Is anybody there?")
	if err == nil {
		return fmt.Errorf("a message was acknowledged without Redis")
	}
	tell("  What ada says is not acknowledged (%v), and she keeps it.", err)
	if err := s.redis.start(); err != nil {
		return err
	}
	down := time.Now()
	tell("Redis is started again, with what it had written down.")
	if err := s.say(ada, "Is anybody there?"); err != nil {
		return err
	}
	for _, p := range s.people[1:] {
		if err := s.say(p, "Here, says "+p.name); err != nil {
			return err
		}
	}
	if err := s.allHeard(); err != nil {
		return err
	}
	if err := s.seenEverywhere(s.names()); err != nil {
		return err
	}
	tell("  %.1f s later ada has said it again and everyone has answered. No node was restarted.", time.Since(down).Seconds())
	return nil
}

func (s *story) summary() error {
	once, order, farewell := true, true, true
	want := slices.Sorted(slices.Values(s.said))
	for _, p := range s.people {
		heard := p.ids()
		order = order && slices.Equal(heard, s.people[0].ids())
		once = once && slices.Equal(slices.Sorted(slices.Values(heard)), want)
		farewell = farewell && slices.Equal(p.farewells(), []string{"gus (timeout)"})
		if times, recovered := p.back(); times > 0 && !recovered {
			once = false
		}
	}
	s.good = once && order && farewell
	tell("Summary: %d messages were acknowledged. Each of the %d people heard each exactly once: %s; all in one order: %s; that gus left, and nobody else, once: %s.",
		len(s.said), len(s.people), yes(once), yes(order), yes(farewell))
	return nil
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "NO"
}
