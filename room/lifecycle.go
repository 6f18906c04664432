package room

import (
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Empty rooms are looked for every emptyEvery, and emptyAtOnce of them at a
// time.
const (
	emptyEvery  = 30 * time.Second
	emptyAtOnce = 1000
)

// keepEmpty removes empty rooms from time to time. It has a goroutine of its own
// because that may take long.
func (s *Server) keepEmpty() {
	tick := time.NewTicker(emptyEvery)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
			s.removeEmpty()
		}
	}
}

// removeEmpty deletes rooms that somebody created and in which nobody has been
// for Settings.KeepEmpty.
func (s *Server) removeEmpty() {
	shortest := s.patterns.shortestEmpty()
	if shortest < 0 {
		return
	}
	now := time.Now()
	list, err := s.store.Empty(s.ctx, now.Add(-shortest), emptyAtOnce)
	if err != nil {
		s.journal.write(s.ctx, slog.LevelWarn, eventError, nil, slog.Any("error", err))
		return
	}
	for _, empty := range list {
		settings := s.patterns.find(empty.Room)
		if settings == nil || settings.Standing || settings.KeepEmpty < 0 {
			continue
		}
		deleted, err := s.store.DeleteEmpty(s.ctx, empty.Room, now.Add(-settings.KeepEmpty))
		if err == nil && deleted {
			err = s.broker.Forget(s.ctx, empty.Room)
			s.journal.write(s.ctx, slog.LevelInfo, eventExpire, nil, slog.String("room", empty.Room))
		}
		if err != nil {
			s.journal.write(s.ctx, slog.LevelWarn, eventError, nil, slog.String("room", empty.Room), slog.Any("error", err))
		}
	}
}

// shortestEmpty is the shortest KeepEmpty of patterns whose rooms come and go,
// -1 when there is none.
func (ps *patterns) shortestEmpty() time.Duration {
	shortest := time.Duration(-1)
	for _, p := range ps.wild {
		if keep := p.settings.KeepEmpty; !p.settings.Standing && keep >= 0 && (shortest < 0 || keep < shortest) {
			shortest = keep
		}
	}
	return shortest
}

// RoomStats is a look at one room on this node.
type RoomStats struct {
	Room string
	// Connections is how many of this node's are in the room, and Members of
	// how many users they are.
	Connections, Members int
	// Delivered counts the messages and events delivered here since Since,
	// when the first of these connections came.
	Delivered uint64
	Since     time.Time
}

// Rooms looks at every room that has a connection on this node, in the order
// of their names. Rates are the difference of two looks.
func (s *Server) Rooms() []RoomStats {
	halls := s.allHalls()
	stats := make([]RoomStats, 0, len(halls))
	for _, h := range halls {
		h.mu.Lock()
		r := RoomStats{Room: h.name, Connections: len(h.seats), Delivered: h.delivered, Since: h.since}
		users := make(map[string]bool, len(h.seats))
		for _, seat := range h.seats {
			users[seat.conn.identity.Load().ID] = true
		}
		h.mu.Unlock()
		r.Members = len(users)
		stats = append(stats, r)
	}
	slices.SortFunc(stats, func(a, b RoomStats) int { return strings.Compare(a.Room, b.Room) })
	return stats
}
