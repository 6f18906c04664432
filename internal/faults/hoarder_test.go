package faults

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

const (
	// perUser is how many connections a user may have on all nodes.
	perUser = 6
	// greed is how many a hoarder wants.
	greed = perUser + 4
)

// hoarder is a user who wants more connections than one may have, on all nodes.
// They come and go, until they are to be counted.
type hoarder struct {
	crowd *crowd
	user  string

	mu sync.Mutex // protects what follows
	// round is how often all hung up to be counted. counting says that who has
	// come since stays.
	round    int
	counting bool
	open     int
	refused  map[int]bool // who is out, having been told that there are too many
}

// hoard adds a hoarder to the crowd.
func (c *crowd) hoard(ctx context.Context, user string, seed uint64) {
	h := &hoarder{crowd: c, user: user, refused: make(map[int]bool)}
	c.hoarder = h
	for i := range greed {
		rng := rand.New(rand.NewPCG(seed, uint64(1_000_000+i)))
		c.wg.Go(func() {
			for ctx.Err() == nil {
				h.connect(ctx, i, rng)
			}
		})
	}
}

// connect has one connection for a while, or pauses.
func (h *hoarder) connect(ctx context.Context, me int, rng *rand.Rand) {
	h.mu.Lock()
	round := h.round
	h.mu.Unlock()
	n := h.crowd.nodes[h.crowd.pick(rng)]
	l, err := dial(ctx, n.addr, newToken(h.user), func(*frame) {})
	if err != nil {
		var r *refusal
		if errors.As(err, &r) && r.status == http.StatusTooManyRequests {
			h.mu.Lock()
			h.refused[me] = round == h.round
			h.mu.Unlock()
		}
		pause(ctx, 100*time.Millisecond+time.Duration(rng.IntN(200))*time.Millisecond)
		return
	}
	h.mu.Lock()
	h.open++
	delete(h.refused, me)
	h.mu.Unlock()
	l.start()
	for long := time.Now().Add(time.Second + time.Duration(rng.IntN(3000))*time.Millisecond); ctx.Err() == nil; {
		h.mu.Lock()
		stays := h.counting && round == h.round || !h.counting && time.Now().Before(long)
		h.mu.Unlock()
		if !stays {
			break
		}
		if l.over() {
			if !n.dead.Load() {
				h.crowd.o.violate(dropped, "%s on %s: %v", h.user, n.name, l.ended)
			}
			break
		}
		pause(ctx, 50*time.Millisecond)
	}
	h.mu.Lock()
	h.open--
	h.mu.Unlock()
	l.bye(rng.IntN(2) == 0)
}

// state is how many are in, and how many were told that no more can be.
func (h *hoarder) state() (open, refused int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, since := range h.refused {
		if since {
			refused++
		}
	}
	return h.open, refused
}

// count has all hang up and come again: as many as may are in, within the time
// after which the connections of who cannot say that they are gone are not
// counted any more, and the others are told that they are too many.
func (h *hoarder) count(most time.Duration) {
	h.mu.Lock()
	h.round++
	h.counting = true
	clear(h.refused)
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.counting = false
	}()
	began := time.Now()
	exact := func() bool {
		open, refused := h.state()
		return open == perUser && refused == greed-perUser
	}
	if !h.crowd.o.within(began, most, exact) {
		open, refused := h.state()
		h.crowd.o.violate(miscounted, "%d of %d are in and %d refused %v after %s hung up", open, perUser, refused, time.Since(began), h.user)
		return
	}
	h.crowd.o.took("connections on all nodes at the cap after", time.Since(began))
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if open, _ := h.state(); open > perUser {
			h.crowd.o.violate(miscounted, "%d connections of %s, who may have %d", open, h.user, perUser)
			return
		}
	}
}
