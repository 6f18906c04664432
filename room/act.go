package room

import (
	"context"
	"time"
)

// ledger knows the acts in a hall of late, and whether their consequences are
// drawn on this node. The hall's mu protects it.
type ledger struct {
	acts  map[string]*act
	order []*act // oldest first
}

type act struct {
	id    string
	at    time.Time
	heard bool          // it was delivered here
	force chan struct{} // closed when nobody has what they have lost
	drawn chan struct{} // closed when the store and the presence say so too
}

func newAct(id string) *act {
	return &act{id: id, at: time.Now(), force: make(chan struct{}), drawn: make(chan struct{})}
}

// How many acts a ledger knows, and for how long: longer than anybody waits.
const (
	mostActs = 1024
	actsKept = 10 * time.Second
)

// find returns an act, which is noted when nothing has been heard of it yet.
func (l *ledger) find(id string) *act {
	if a := l.acts[id]; a != nil {
		return a
	}
	now := time.Now()
	for len(l.order) > 0 && (len(l.order) >= mostActs || now.Sub(l.order[0].at) > actsKept) {
		delete(l.acts, l.order[0].id)
		l.order = l.order[1:]
	}
	if l.acts == nil {
		l.acts = make(map[string]*act)
	}
	a := newAct(id)
	l.acts[id] = a
	l.order = append(l.order, a)
	return a
}

// hear notes an act that is delivered. Whoever draws its consequences closes
// the channels.
func (l *ledger) hear(id string) *act {
	if id == "" { // nobody waits for it
		return newAct(id)
	}
	a := l.find(id)
	if a.heard { // not by a broker that keeps its contract
		return newAct(id)
	}
	a.heard = true
	return a
}

// await waits until an act is in force on this node and reports whether it is.
// For a while it waits for the rest as well, so that whoever is told that a user
// was kicked does not find them in the room. Where nobody is left who could
// hear of an act it is in force.
func (h *hall) await(ctx context.Context, id string) bool {
	h.mu.Lock()
	a := h.ledger.find(id)
	h.mu.Unlock()
	select {
	case <-a.force:
	case <-ctx.Done():
		return false
	case <-h.gone:
		h.mu.Lock()
		heard := a.heard
		h.mu.Unlock()
		if !heard {
			return true
		}
		select {
		case <-a.force:
		case <-ctx.Done():
			return false
		}
	}
	enough := time.NewTimer(drawnMost)
	defer enough.Stop()
	select {
	case <-a.drawn:
	case <-enough.C:
	case <-ctx.Done():
	}
	return true
}

// obeys is await for who asks from elsewhere. A hall that was opened behind the
// act never hears of it, so it looks into the store.
func (h *hall) obeys(ctx context.Context, id string) bool {
	if time.Since(h.since) < actMost && h.srv.inspector != nil {
		soon, cancel := context.WithTimeout(ctx, unheardMost)
		defer cancel()
		if h.await(soon, id) || h.srv.look(h) {
			return true
		}
	}
	return h.await(ctx, id)
}

// unheardMost is how long that waits until it looks.
const unheardMost = actMost / 4

// drawnMost is how long an act that is in force waits for the store, which is
// asked again in the background where it fails.
const drawnMost = actMost / 2
