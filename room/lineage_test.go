package room_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/room"
)

// heritage is the past of a store.
type heritage struct{ promotions, away atomic.Int64 }

func (h *heritage) Lineage(context.Context) (string, error) {
	if h.away.Load() > 0 {
		return "", room.ErrUnavailable
	}
	return strconv.FormatInt(h.promotions.Load(), 10), nil
}

// duo is presence with a replica, which does not get everything.
type duo struct {
	heritage
	mu               sync.Mutex // protects what follows
	primary, replica presence.Store
	cut, away        bool
}

var errDuo = errors.New("presence is away")

func newDuo() *duo { return &duo{primary: presence.NewMemory(), replica: presence.NewMemory()} }

func (s *duo) set(cut, away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut, s.away = cut, away
}

func (s *duo) promote() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.primary, s.cut = s.replica, true
}

// onBoth does something in the primary, and in the replica as long as that gets it.
func onBoth[T any](s *duo, f func(presence.Store) (T, error)) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		var none T
		return none, errDuo
	}
	if !s.cut {
		_, _ = f(s.replica)
	}
	return f(s.primary)
}

func (s *duo) Beat(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
	return onBoth(s, func(p presence.Store) (presence.Lease, error) { return p.Beat(ctx, node, ttl) })
}

func (s *duo) Orphans(ctx context.Context, node string, limit int) ([]presence.Orphan, error) {
	return onBoth(s, func(p presence.Store) ([]presence.Orphan, error) { return p.Orphans(ctx, node, limit) })
}

func (s *duo) Update(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
	return onBoth(s, func(p presence.Store) (presence.Outcome, error) { return p.Update(ctx, b) })
}

func (s *duo) Get(ctx context.Context, scope presence.Scope, user string) (presence.Record, error) {
	return onBoth(s, func(p presence.Store) (presence.Record, error) { return p.Get(ctx, scope, user) })
}

func (s *duo) List(ctx context.Context, scope presence.Scope, after string, limit int) (list []presence.Record, more bool, err error) {
	_, err = onBoth(s, func(p presence.Store) (struct{}, error) {
		var err error
		list, more, err = p.List(ctx, scope, after, limit)
		return struct{}{}, err
	})
	return list, more, err
}

// seen is who a client is told is in a room.
func (c *client) seen(name string) string {
	var list []string
	for _, m := range c.must("members", inRoom(name)).Members {
		list = append(list, fmt.Sprint(m.User, " ", m.Status, " ", m.Connections))
	}
	return strings.Join(list, ", ")
}

// pedigreed is a room.NodeStore with a past.
type pedigreed struct {
	*tether
	heritage
}

// Whatever says that something may be lost, though nothing of it has failed and
// nobody says a word: who is in a room, for clients and for the store, is right
// 5 seconds later.
func TestLossIsMended(t *testing.T) {
	for name, tell := range map[string]func(h *host, p *duo, store *pedigreed, b *lossy){
		"presence has another past": func(_ *host, p *duo, _ *pedigreed, _ *lossy) { p.promotions.Add(1) },
		"the store has another past": func(_ *host, _ *duo, store *pedigreed, _ *lossy) {
			store.away.Store(1)
			time.Sleep(5 * time.Second)
			store.promotions.Add(1)
			store.away.Store(0)
		},
		"messages are lost elsewhere": func(_ *host, _ *duo, _ *pedigreed, b *lossy) {
			b.lose("lounge", room.Position{Epoch: "another"})
		},
		"presence is back": func(h *host, p *duo, _ *pedigreed, _ *lossy) {
			p.set(true, true)
			_, _ = h.srv.Room("hall").Presence(h.t.Context(), "ada")
			time.Sleep(5 * time.Second)
			p.set(true, false)
		},
		"the store is back": func(h *host, _ *duo, store *pedigreed, _ *lossy) {
			store.cut.Store(true)
			room.Reclaim(h.srv)
			time.Sleep(5 * time.Second)
			store.cut.Store(false)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seats, broker, people := room.NewMemoryStore().(room.NodeStore), &lossy{Broker: room.NewMemoryBroker(), delivers: make(map[string]func(room.Message))}, newDuo()
				stores := [2]*pedigreed{{tether: &tether{store: seats}}, {tether: &tether{store: seats}}}
				var hosts [2]*host
				for i := range hosts {
					hosts[i] = servePipes(t, house(), room.WithBroker(broker), room.WithPresence(people), room.WithStore(stores[i]), limits(func(l *room.Limits) {
						// The patrol comes by every 15 to 20 seconds.
						l.PresenceBeat, l.PresenceTimeout = time.Minute, 3*time.Minute
					}))
				}
				ada, bob := hosts[0].in("ada", "hall"), hosts[0].in("bob", "hall", "lounge")
				dan := hosts[0].in("dan", "tiny")
				cyd := hosts[1].in("cyd", "hall")
				all := []*visitor{bob, cyd, dan}
				meanwhile(time.Second, append(all, ada)...)

				people.set(true, false)
				stores[0].forgets.Store(true)
				ada.bye()
				dan.must("leave", inRoom("tiny"))
				bob.must("presence", `"status":"away"`)
				eve := hosts[0].in("eve", "hall")
				all = append(all, eve)
				meanwhile(time.Second, all...)
				stores[0].forgets.Store(false)
				people.promote()
				if got, want := cyd.seen("hall"), "ada online 1, bob online 1, cyd online 1"; got != want {
					t.Fatalf("after the failover %s, want %s", got, want)
				}
				tell(hosts[0], people, stores[0], broker)
				meanwhile(5*time.Second, all...)
				if got, want := cyd.seen("hall"), "bob away 1, cyd online 1, eve online 1"; got != want {
					t.Errorf("5 s later %s, want %s", got, want)
				}
				f := &fleet{store: seats}
				f.inside(t, "hall", "bob", "cyd", "eve")
				f.inside(t, "tiny")
				cyd.must("join", inRoom("tiny"))
				if got := cyd.seen("tiny"); got != "cyd online 1" {
					t.Errorf("in the room that was left are %s", got)
				}
			})
		})
	}
}
