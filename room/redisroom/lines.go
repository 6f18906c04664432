package redisroom

import (
	"context"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// lines are the connections through which a broker hears its rooms: one, or in
// a Redis Cluster one to each primary, since a sharded channel is heard where
// its slot is.
type lines struct {
	b       *Broker
	cluster bool
	again   chan struct{} // holds one when the owners are to be looked up

	mu     sync.Mutex // protects what follows
	all    map[string]*line
	owners *[slots]string // of the slots, by address; nil before it is known
}

const (
	// The owners of the slots are looked up every ownersEvery, and when
	// something says that they have changed, but no oftener than ownersPause.
	ownersEvery = 2 * time.Second
	ownersPause = 100 * time.Millisecond
)

func (s *lines) start(b *Broker) {
	s.b, s.cluster = b, b.client.Mode() == rueidis.ClientModeCluster
	s.all, s.again = make(map[string]*line), make(chan struct{}, 1)
	if s.cluster {
		b.wg.Go(s.follow)
		return
	}
	s.all[""] = newLine(s, "")
}

// owner is the line through which a channel is heard, nil when that is not
// known.
func (s *lines) owner(channel string) *line {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.cluster:
		return s.all[""]
	case s.owners == nil:
		return nil
	}
	return s.all[s.owners[slotOf(channel)]]
}

// look has it seen to that a channel is subscribed to if it is wanted, and else
// is not.
func (s *lines) look(channel string) {
	if l := s.owner(channel); l != nil {
		l.look(channel)
	} // else it is looked at when the owner is known
}

// up says whether all is heard that is to be heard.
func (s *lines) up() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 {
		return false
	}
	for _, l := range s.all {
		if !l.up() {
			return false
		}
	}
	return true
}

// refresh has the owners looked up.
func (s *lines) refresh() {
	if !s.cluster {
		return
	}
	select {
	case s.again <- struct{}{}:
	default:
	}
}

// follow keeps up with who owns which slots.
func (s *lines) follow() {
	for {
		if owners := s.ask(); owners != nil {
			s.change(owners)
		}
		if !s.b.sleep(ownersPause) {
			return
		}
		timer := time.NewTimer(ownersEvery)
		select {
		case <-s.b.ctx.Done():
		case <-s.again:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// ask asks the nodes of the cluster until one knows.
func (s *lines) ask() *[slots]string {
	for addr, node := range s.b.client.Nodes() {
		ctx, cancel := context.WithTimeout(s.b.ctx, pingTimeout)
		reply, err := node.Do(ctx, node.B().ClusterSlots().Build()).ToArray()
		cancel()
		if err != nil {
			continue
		}
		if owners := ownersOf(reply, addr); owners != nil {
			return owners
		}
	}
	return nil
}

// ownersOf reads the answer to CLUSTER SLOTS of the node at addr.
func ownersOf(reply []rueidis.RedisMessage, addr string) *[slots]string {
	var owners [slots]string
	for i := range reply {
		span, err := reply[i].ToArray()
		if err != nil || len(span) < 3 {
			return nil
		}
		first, err1 := span[0].AsInt64()
		last, err2 := span[1].AsInt64()
		primary, err3 := span[2].ToArray()
		if err1 != nil || err2 != nil || err3 != nil || len(primary) < 2 || first < 0 || last >= slots {
			return nil
		}
		host, _ := primary[0].ToString() // nil: the one that was asked
		port, err := primary[1].AsInt64()
		if err != nil {
			return nil
		}
		if host == "" {
			if host, _, err = net.SplitHostPort(addr); err != nil {
				return nil
			}
		}
		for n := first; n <= last; n++ {
			owners[n] = net.JoinHostPort(host, strconv.FormatInt(port, 10))
		}
	}
	return &owners
}

// change makes lines to new owners, ends those to old ones, and has each look
// at what it is to hear now.
func (s *lines) change(owners *[slots]string) {
	s.mu.Lock()
	if s.owners != nil && *s.owners == *owners {
		s.mu.Unlock()
		return
	}
	s.owners = owners
	now := make(map[string]bool)
	for _, addr := range owners {
		if addr != "" {
			now[addr] = true
		}
	}
	for addr, l := range s.all {
		if !now[addr] {
			l.stop()
			delete(s.all, addr)
		}
	}
	for addr := range now {
		if s.all[addr] == nil {
			s.all[addr] = newLine(s, addr)
		}
	}
	all := make([]*line, 0, len(s.all))
	for _, l := range s.all {
		all = append(all, l)
	}
	s.mu.Unlock()
	for _, l := range all {
		l.lookAll()
	}
}

// client is that of the node of a line.
func (s *lines) client(addr string) rueidis.Client {
	if !s.cluster {
		return s.b.client
	}
	return s.b.client.Nodes()[addr]
}

// ownerOf is the address of the server that a key of a cluster is on, as far as
// that is known.
func (s *lines) ownerOf(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.owners == nil {
		return ""
	}
	return s.owners[slotOf(key)]
}
