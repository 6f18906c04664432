package redistest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/redis/rueidis"
)

// Cluster is a Redis Cluster on this machine. Its methods are for one
// goroutine at a time.
type Cluster struct {
	t testing.TB
	// Servers are all of them: at first three primaries, then a replica of
	// each.
	Servers []*Server
	ids     []string // of the servers, in the cluster
}

const (
	primaries = 3
	slots     = 16384
)

// StartCluster starts a cluster of three primaries with a replica each. It
// ends with the test. args are those of redis-server, for each.
func StartCluster(t testing.TB, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	for range 2 * primaries {
		c.Servers = append(c.Servers, start(t, func(port int) []string {
			return own(t, port, append([]string{
				"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(ownPort(t)),
				"--cluster-node-timeout", "3000", "--cluster-replica-validity-factor", "0",
			}, args...))
		}))
	}
	for i, s := range c.Servers {
		s.ready()
		c.ids = append(c.ids, s.Do("CLUSTER", "MYID"))
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	for i, s := range c.Servers[:primaries] {
		first, last := slots*i/primaries, slots*(i+1)/primaries-1
		s.Do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last))
	}
	for _, s := range c.Servers[1:] {
		c.meet(s)
	}
	c.each("the servers know each other", func(i int, s *Server) string {
		known := s.Do("CLUSTER", "NODES")
		if strings.Contains(known, "handshake") || strings.Count(known, "\n") < len(c.Servers) {
			return known
		}
		if i < primaries {
			return ""
		}
		if _, err := s.Try("CLUSTER", "REPLICATE", c.ids[i-primaries]); err != nil {
			return err.Error()
		}
		return ""
	})
	c.settle()
	return c
}

// meet makes the first server and s know each other.
func (c *Cluster) meet(s *Server) {
	c.t.Helper()
	bus := s.args[slices.Index(s.args, "--cluster-port")+1]
	c.Servers[0].Do("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(s.port), bus)
}

// settle waits until every server that runs sees a cluster that serves, and
// every replica has what its primary has.
func (c *Cluster) settle() {
	c.t.Helper()
	c.each("the cluster serves", func(_ int, s *Server) string {
		if info := s.Do("CLUSTER", "INFO"); !strings.Contains(info, "cluster_state:ok") {
			return info
		}
		info := s.Do("INFO", "replication")
		if strings.Contains(info, "role:slave") && !strings.Contains(info, "master_link_status:up") {
			return info
		}
		if nodes := s.Do("CLUSTER", "NODES"); strings.Count(nodes, "slave") < primaries && c.running() == len(c.Servers) {
			return nodes
		}
		return ""
	})
}

func (c *Cluster) running() (n int) {
	for _, s := range c.Servers {
		if s.cmd != nil {
			n++
		}
	}
	return n
}

// each polls f for all servers that run, at once.
func (c *Cluster) each(what string, f func(i int, s *Server) string) {
	c.t.Helper()
	eventually(c.t, what, func() string {
		missing := make([]string, len(c.Servers))
		var wg sync.WaitGroup
		for i, s := range c.Servers {
			if s.cmd != nil {
				wg.Go(func() { missing[i] = f(i, s) })
			}
		}
		wg.Wait()
		return strings.Join(slices.DeleteFunc(missing, func(s string) bool { return s == "" }), "\n")
	})
}

// Addrs are the addresses of all servers.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, len(c.Servers))
	for i, s := range c.Servers {
		addrs[i] = s.Addr()
	}
	return addrs
}

// Client returns a client of the cluster that is closed with the test.
func (c *Cluster) Client() rueidis.Client {
	c.t.Helper()
	return client(c.t, rueidis.ClientOption{InitAddress: c.Addrs()})
}

// Slot is the slot of a key.
func (c *Cluster) Slot(key string) int {
	c.t.Helper()
	slot, err := strconv.Atoi(c.any().Do("CLUSTER", "KEYSLOT", key))
	if err != nil {
		c.t.Fatal(err)
	}
	return slot
}

// any is a server that runs.
func (c *Cluster) any() *Server {
	for _, s := range c.Servers {
		if s.cmd != nil {
			return s
		}
	}
	c.t.Fatal("no server of the cluster runs")
	return nil
}

// Primary is the server that a slot belongs to.
func (c *Cluster) Primary(slot int) *Server {
	c.t.Helper()
	if i := c.primary(slot); i >= 0 {
		return c.Servers[i]
	}
	c.t.Fatalf("slot %d belongs to nobody", slot)
	return nil
}

// node is a line of CLUSTER NODES.
type node struct {
	id, primary string // primary of a replica
	flags       []string
	slots       [][2]int
}

func (c *Cluster) nodes(s *Server) []node {
	var list []node
	for line := range strings.Lines(s.Do("CLUSTER", "NODES")) {
		fields := strings.Fields(line)
		if len(fields) < 8 {
			continue
		}
		n := node{id: fields[0], flags: strings.Split(fields[2], ","), primary: fields[3]}
		for _, f := range fields[8:] {
			from, to, span := strings.Cut(f, "-")
			if !span {
				to = from
			}
			first, err1 := strconv.Atoi(from)
			last, err2 := strconv.Atoi(to)
			if err1 == nil && err2 == nil { // else a slot on its way
				n.slots = append(n.slots, [2]int{first, last})
			}
		}
		list = append(list, n)
	}
	return list
}

// primary is the index of the server that a slot belongs to, -1 for none.
func (c *Cluster) primary(slot int) int {
	for _, n := range c.nodes(c.any()) {
		for _, span := range n.slots {
			if span[0] <= slot && slot <= span[1] {
				return slices.Index(c.ids, n.id)
			}
		}
	}
	return -1
}

// Replica is a server that has what the primary of a slot has, and runs.
func (c *Cluster) Replica(slot int) *Server {
	c.t.Helper()
	primary := c.primary(slot)
	for _, n := range c.nodes(c.any()) {
		if i := slices.Index(c.ids, n.id); primary >= 0 && n.primary == c.ids[primary] && c.Servers[i].cmd != nil {
			return c.Servers[i]
		}
	}
	c.t.Fatalf("slot %d has no replica", slot)
	return nil
}

// Failover makes a replica the primary of a slot and waits until all servers
// agree: with CLUSTER FAILOVER, in which the primary takes part and nothing is
// lost.
func (c *Cluster) Failover(slot int) {
	c.t.Helper()
	replica := c.Replica(slot)
	replica.Do("CLUSTER", "FAILOVER")
	c.agree(slot, replica)
}

// Promoted waits until a replica of the primary of a slot has taken its place
// without being told, as after Kill, and all servers agree.
func (c *Cluster) Promoted(slot int, was *Server) {
	c.t.Helper()
	eventually(c.t, "a replica is promoted", func() string {
		i := c.primary(slot)
		if i < 0 || c.Servers[i] == was {
			return "not yet"
		}
		return ""
	})
	c.agree(slot, c.Primary(slot))
}

// Rejoin starts a server again after Kill and Promoted, and waits until it
// follows its successor. Until then it says that it has the slots that it had,
// and clients believe it.
func (c *Cluster) Rejoin(was *Server) {
	c.t.Helper()
	was.Restart()
	c.settle()
}

// Migrate moves a slot, key by key as it is done in service, to another
// primary, and waits until all servers agree.
func (c *Cluster) Migrate(slot int, to *Server) {
	c.t.Helper()
	from, n := c.Primary(slot), strconv.Itoa(slot)
	to.Do("CLUSTER", "SETSLOT", n, "IMPORTING", c.ids[slices.Index(c.Servers, from)])
	from.Do("CLUSTER", "SETSLOT", n, "MIGRATING", c.ids[slices.Index(c.Servers, to)])
	client := from.Client()
	for {
		keys, err := client.Do(context.Background(), client.B().Arbitrary("CLUSTER", "GETKEYSINSLOT", n, "10").Build()).AsStrSlice()
		if err != nil {
			c.t.Fatal(err)
		}
		if len(keys) == 0 {
			break
		}
		for _, key := range keys {
			from.Do("MIGRATE", "127.0.0.1", strconv.Itoa(to.port), key, "0", "5000")
		}
	}
	id := c.ids[slices.Index(c.Servers, to)]
	to.Do("CLUSTER", "SETSLOT", n, "NODE", id)
	from.Do("CLUSTER", "SETSLOT", n, "NODE", id)
	for _, s := range c.Servers {
		if s.cmd != nil && s != to && s != from {
			_, _ = s.Try("CLUSTER", "SETSLOT", n, "NODE", id) // replicas refuse, and hear of it
		}
	}
	c.agree(slot, to)
}

// agree waits until all servers say that a slot belongs to one.
func (c *Cluster) agree(slot int, to *Server) {
	c.t.Helper()
	id := c.ids[slices.Index(c.Servers, to)]
	c.each("the servers agree on a slot", func(_ int, s *Server) string {
		for _, n := range c.nodes(s) {
			for _, span := range n.slots {
				if span[0] <= slot && slot <= span[1] && n.id == id {
					return ""
				}
			}
		}
		return fmt.Sprintf("%s does not know that %s has slot %d:\n%s", s.Addr(), to.Addr(), slot, s.Do("CLUSTER", "NODES"))
	})
	c.settle()
}
