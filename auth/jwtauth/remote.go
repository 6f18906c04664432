package jwtauth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/auth"
)

const (
	firstRetry  = time.Second // after a fetch that failed; doubled each time
	lastRetry   = time.Minute
	refetchGap  = time.Minute // between fetches for the sake of unknown keys
	maxAbsent   = 1024        // kids that are remembered as not there
	lastAbsence = 16 * time.Minute
	jitterShare = 10 // refreshes and retries vary by a tenth
)

// remote keeps the key set of a URL. One goroutine, run, does all the fetching, so there is never more than one fetch
// under way; the others read the last good set and at most wait for the fetch to end.
type remote struct {
	fetcher
	accepted []string
	refresh  time.Duration
	now      func() time.Time
	log      *slog.Logger

	// keys is the last good set; nil before there was one. Only run stores it.
	keys        atomic.Pointer[keySet]
	fingerprint [sha256.Size]byte // of keys; run's own

	wake chan struct{} // has room for one: run should fetch now

	mu       sync.Mutex         // protects what follows; never held while fetching or waiting
	flight   chan struct{}      // closed when the fetch that is wanted or under way ends; nil when there is none
	lastCall time.Time          // of the last fetch for the sake of an unknown key
	absent   map[string]absence // kids that were not in a fetched set
	closed   bool               // run has ended, nobody will fetch
}

// absence is for how long a key that was not found is not looked for again: a minute at first, because an issuer may
// sign with a key a little before it shows it, and twice as long each time.
type absence struct {
	until time.Time
	span  time.Duration
}

func newRemote(issuer, target string, accepted []string, cfg *config) *remote {
	return &remote{
		fetcher:  newFetcher(target, cfg.client, cfg.timeout),
		accepted: accepted,
		refresh:  cfg.refresh,
		now:      cfg.now,
		log:      cfg.logger.With("issuer", issuer),
		wake:     make(chan struct{}, 1),
		flight:   make(chan struct{}), // the first fetch is wanted from the start
		absent:   make(map[string]absence),
	}
}

// run fetches until ctx ends.
func (r *remote) run(ctx context.Context) {
	defer r.close()
	failures := 0
	for {
		if r.update(ctx) {
			failures = 0
		} else {
			failures++
		}
		r.land()
		wait := time.NewTimer(r.pause(failures))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
			r.takeOff()
		case <-r.wake:
			wait.Stop()
		}
	}
}

// pause returns how long to wait after so many failures in a row.
func (r *remote) pause(failures int) time.Duration {
	d := r.refresh
	if failures > 0 {
		d = min(lastRetry, firstRetry<<min(failures-1, 10))
	}
	return d - d/jitterShare + rand.N(2*d/jitterShare)
}

// update fetches the set once and reports whether it was good.
func (r *remote) update(ctx context.Context) bool {
	text, err := r.fetch(ctx)
	var doc document
	if err == nil {
		doc, err = parseJWKS(text, r.accepted)
	}
	if err != nil {
		if ctx.Err() == nil {
			r.log.Warn("jwks fetch failed", "cause", err, "serving", r.keys.Load() != nil)
		}
		return false
	}
	// An unchanged set stays the same pointer, so that verified tokens stay in the cache.
	if r.keys.Load() == nil || doc.fingerprint != r.fingerprint {
		r.fingerprint = doc.fingerprint
		r.keys.Store(doc.keys)
		r.log.Info("jwks changed", "keys", len(doc.keys.byID)+len(doc.keys.anonymous), "dropped", doc.dropped)
	}
	return true
}

// takeOff notes that a fetch is under way, for those who look for a key meanwhile.
func (r *remote) takeOff() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flight == nil {
		r.flight = make(chan struct{})
	}
}

// land lets those go on who wait for the fetch.
func (r *remote) land() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flight != nil {
		close(r.flight)
		r.flight = nil
	}
	// A wish that came during the fetch was granted by it.
	select {
	case <-r.wake:
	default:
	}
}

// close lets everybody go on for good.
func (r *remote) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.flight != nil {
		close(r.flight)
		r.flight = nil
	}
}

// candidates finds the keys that may have signed a token. It waits for the first fetch, and for a fetch of its own when
// the set does not know the key and one is due.
func (r *remote) candidates(ctx context.Context, id, alg string) (*keySet, []*verifier, error) {
	set := r.keys.Load()
	if set == nil {
		if err := r.wait(ctx, r.underWay()); err != nil {
			return nil, nil, err
		}
		if set = r.keys.Load(); set == nil {
			return nil, nil, fmt.Errorf("%w: the issuer's keys could not be fetched yet", auth.ErrUnavailable)
		}
	}
	list, known := set.candidates(id, alg)
	if known || id == "" {
		return set, list, nil
	}
	if flight := r.ask(id); flight != nil {
		if err := r.wait(ctx, flight); err != nil {
			return nil, nil, err
		}
		set = r.keys.Load()
		if list, known = set.candidates(id, alg); !known {
			r.missed(id)
		}
	}
	return set, list, nil
}

func (r *remote) wait(ctx context.Context, flight <-chan struct{}) error {
	if flight == nil {
		return nil
	}
	select {
	case <-flight:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: waiting for the issuer's keys: %w", auth.ErrUnavailable, context.Cause(ctx))
	}
}

func (r *remote) underWay() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flight
}

// ask returns the fetch to wait for on behalf of a key that the set does not know, or nil when none is due: the key was
// looked for lately, or another unknown one was.
func (r *remote) ask(id string) <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if r.closed || now.Before(r.absent[id].until) {
		return nil
	}
	if r.flight != nil {
		return r.flight
	}
	if !r.lastCall.IsZero() && now.Sub(r.lastCall) < refetchGap {
		return nil
	}
	r.lastCall = now
	r.flight = make(chan struct{})
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return r.flight
}

// missed remembers that a fetch did not bring the key.
func (r *remote) missed(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	span := min(lastAbsence, max(refetchGap, 2*r.absent[id].span))
	if len(r.absent) >= maxAbsent {
		maps.DeleteFunc(r.absent, func(_ string, a absence) bool { return !now.Before(a.until) })
	}
	// When it is full of kids that somebody makes up, the gap between fetches still holds.
	if len(r.absent) < maxAbsent {
		r.absent[id] = absence{until: now.Add(span), span: span}
	}
}
