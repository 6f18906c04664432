package room

import (
	"context"
	"time"
)

// Lineage is what a [Store] or a presence.Store may have besides: it can tell
// whether what it was given may be lost, though nothing has failed, as when
// a replica was promoted that had not got all.
//
// A server asks every 2 seconds. When it is told another text than before, it
// looks at once whether places and presence are what they should be, and puts
// right what is not. A store that wraps another has to pass the method on.
type Lineage interface {
	// Lineage returns a text that is the same as long as nothing that was written
	// can have been lost.
	Lineage(ctx context.Context) (string, error)
}

const (
	// lineageEvery is how often that is asked.
	lineageEvery = 2 * time.Second
	// lineageCall is the deadline of it.
	lineageCall = time.Second
)

// descend looks whether the stores go on from where they were.
func (s *Server) descend() {
	last := make([]string, len(s.lineages))
	tick := time.NewTicker(lineageEvery)
	defer tick.Stop()
	for {
		for i, l := range s.lineages {
			ctx, cancel := context.WithTimeout(s.ctx, lineageCall)
			now, err := l.Lineage(ctx)
			cancel()
			if err != nil {
				continue // whether anything was lost is seen when it is back
			}
			if last[i] != "" && last[i] != now {
				s.patrolSoon()
			}
			last[i] = now
		}
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// keepPresence has the tracker look at once whether the store has what it was
// given, when there is reason to doubt it.
func (s *Server) keepPresence() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.doubt:
		}
		// As in patrol.
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(lostPause):
		}
		s.tracker.Sweep()
	}
}
