package redistest

import (
	"fmt"
	"strconv"
	"strings"
)

// replicated waits until n replicas have acknowledged all that a primary has
// by now.
func (s *Server) replicated(n int) {
	s.t.Helper()
	upto := replication(s.Do("INFO", "replication")).offset
	s.Do("WAIT", strconv.Itoa(n), "1000") // they are asked, and do not take a second to say
	eventually(s.t, "the replicas have what the primary has", func() string {
		text := s.Do("INFO", "replication")
		have := 0
		for _, offset := range replication(text).replicas {
			if offset >= upto {
				have++
			}
		}
		if have < n {
			return fmt.Sprintf("%d have %d:\n%s", have, upto, text)
		}
		return ""
	})
}

// stream is how far a primary has got, and its replicas that are online.
type stream struct {
	offset   int64
	replicas []int64
}

// replication reads what INFO says of it.
func replication(info string) (s stream) {
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch {
		case name == "master_repl_offset":
			s.offset, _ = strconv.ParseInt(value, 10, 64)
		case strings.HasPrefix(name, "slave") && strings.Contains(value, "state=online"):
			_, value, _ = strings.Cut(value, "offset=")
			value, _, _ = strings.Cut(value, ",")
			offset, _ := strconv.ParseInt(value, 10, 64)
			s.replicas = append(s.replicas, offset)
		}
	}
	return s
}

// Strand keeps from a primary's replicas what is written to it from now on, for
// good. Its clients notice nothing.
func (s *Server) Strand() {
	s.t.Helper()
	s.Do("ACL", "SETUSER", "default", "-psync", "-sync")
	s.Do("CLIENT", "KILL", "TYPE", "replica")
}
