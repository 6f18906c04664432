package room

// Tables counts what a server, and a store and a broker in memory, hold: what
// is there when the last connection is gone is there for ever.
func Tables(s *Server, st Store, b Broker) map[string]int {
	stats := s.Stats()
	n := map[string]int{
		"connections": stats.Connections, "users": stats.Users, "halls": stats.Rooms,
		"per address": s.perIP.Len(), "per user": s.perUser.Len(), "per node": s.perNode.Len(), "waiting": s.waiting.Len(),
	}
	if m, ok := st.(*memoryStore); ok {
		m.mu.Lock()
		n["rooms of the store"], n["owners"] = len(m.rooms), len(m.owned)
		m.mu.Unlock()
	}
	if m, ok := b.(*memoryBroker); ok {
		m.mu.RLock()
		n["logs of the broker"] = len(m.logs)
		m.mu.RUnlock()
	}
	return n
}

// Reclaim gives the seats back that nobody holds, now.
func Reclaim(s *Server) bool { return s.reclaim() }

// Peers is how many other servers a server remembers.
func Peers(s *Server) int {
	s.peers.mu.Lock()
	defer s.peers.mu.Unlock()
	return len(s.peers.others)
}
