package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/rueidis"
)

// Sentinel is a primary with replicas, and three Sentinels that promote one of
// them when the primary is gone. Its methods are for one goroutine at a time.
type Sentinel struct {
	t testing.TB
	// Servers are the first primary and its replicas.
	Servers []*Server
	// Sentinels watch over them.
	Sentinels []*Server
}

// PrimaryName is what the Sentinels call the primary.
const PrimaryName = "primary"

// StartSentinel starts a primary with two replicas and three Sentinels. They
// end with the test. args are those of redis-server, for the primary and the
// replicas.
func StartSentinel(t testing.TB, args ...string) *Sentinel {
	t.Helper()
	s := &Sentinel{t: t, Servers: []*Server{Start(t, args...)}}
	first := strconv.Itoa(s.Servers[0].port)
	for range 2 {
		s.Servers = append(s.Servers, Start(t, append([]string{"--replicaof", "127.0.0.1 " + first}, args...)...))
	}
	for range 3 {
		s.Sentinels = append(s.Sentinels, start(t, func(port int) []string {
			dir := t.TempDir()
			path := filepath.Join(dir, "sentinel.conf")
			text := fmt.Sprintf("dir %[1]s\nsentinel monitor %[2]s 127.0.0.1 %[3]s 2\nsentinel down-after-milliseconds %[2]s 1500\n"+
				"sentinel failover-timeout %[2]s 5000\nsentinel parallel-syncs %[2]s 2\n", dir, PrimaryName, first)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			return []string{path, "--sentinel", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--daemonize", "no"}
		}))
	}
	for _, watch := range s.Sentinels {
		watch.ready()
		// They look at the servers and for each other more often than in service.
		for _, what := range []string{"info-period", "publish-period", "ask-period", "ping-period"} {
			watch.Do("SENTINEL", "DEBUG", what, "250")
		}
	}
	s.settle()
	return s
}

// settle waits until each Sentinel knows the others, and of two replicas that
// follow the primary.
func (s *Sentinel) settle() {
	s.t.Helper()
	for _, watch := range s.Sentinels {
		eventually(s.t, "the sentinels know each other", func() string {
			if reply, err := watch.Try("SENTINEL", "CKQUORUM", PrimaryName); err != nil || !strings.HasPrefix(reply, "OK 3 ") {
				return fmt.Sprint(reply, err)
			}
			reply := watch.Do("INFO", "sentinel")
			if !strings.Contains(reply, "slaves=2,sentinels=3") || !strings.Contains(reply, "status=ok") {
				return reply
			}
			return ""
		})
	}
	s.Replicated()
}

// Replicated waits until both replicas have all that the primary has: what was
// written before is there after a promotion.
func (s *Sentinel) Replicated() {
	s.t.Helper()
	s.Primary().replicated(len(s.Servers) - 1)
}

// Client returns a client that asks the Sentinels where the primary is. It is
// closed with the test.
func (s *Sentinel) Client() rueidis.Client {
	s.t.Helper()
	return client(s.t, rueidis.ClientOption{InitAddress: s.Addrs(), Sentinel: rueidis.SentinelOption{MasterSet: PrimaryName}})
}

// Addrs are the addresses of the Sentinels.
func (s *Sentinel) Addrs() []string {
	addrs := make([]string, len(s.Sentinels))
	for i, watch := range s.Sentinels {
		addrs[i] = watch.Addr()
	}
	return addrs
}

// Primary is the server that the Sentinels take for the primary.
func (s *Sentinel) Primary() *Server {
	s.t.Helper()
	reply := s.Sentinels[0].Do("INFO", "sentinel")
	for _, server := range s.Servers {
		if strings.Contains(reply, "address="+server.Addr()+",") {
			return server
		}
	}
	s.t.Fatalf("the primary is none of ours:\n%s", reply)
	return nil
}

// Promoted waits until all Sentinels take another server than was for the
// primary, and it takes itself for one.
func (s *Sentinel) Promoted(was *Server) {
	s.t.Helper()
	for _, watch := range s.Sentinels {
		eventually(s.t, "a replica is promoted", func() string {
			if reply := watch.Do("INFO", "sentinel"); strings.Contains(reply, "address="+was.Addr()+",") {
				return reply
			}
			return ""
		})
	}
	eventually(s.t, "the new primary knows", func() string {
		if reply := s.Primary().Do("INFO", "replication"); !strings.Contains(reply, "role:master") {
			return reply
		}
		return ""
	})
}

// Rejoin starts a server again after Kill and Promoted, and waits until it
// follows the primary.
func (s *Sentinel) Rejoin(was *Server) {
	s.t.Helper()
	was.Restart()
	s.settle()
}

// Failover has the Sentinels promote a replica, and waits until they have and
// all follow it.
func (s *Sentinel) Failover() {
	s.t.Helper()
	was := s.Primary()
	// A Sentinel refuses while it has not heard from any replica for a while.
	eventually(s.t, "the failover begins", func() string {
		if _, err := s.Sentinels[0].Try("SENTINEL", "FAILOVER", PrimaryName); err != nil {
			return err.Error()
		}
		return ""
	})
	s.Promoted(was)
	s.settle()
}
