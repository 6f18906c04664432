package room_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/room"
)

// slowSessions take some time before and after what they do.
type slowSessions struct {
	auth.SessionStore
	most time.Duration
}

func slowly[T any](most time.Duration, f func() (T, error)) (T, error) {
	time.Sleep(rand.N(most))
	defer func() { time.Sleep(rand.N(most)) }()
	return f()
}

func (s *slowSessions) Create(ctx context.Context, session auth.Session) (auth.Session, error) {
	return slowly(s.most, func() (auth.Session, error) { return s.SessionStore.Create(ctx, session) })
}

func (s *slowSessions) Get(ctx context.Context, id string) (auth.Session, error) {
	return slowly(s.most, func() (auth.Session, error) { return s.SessionStore.Get(ctx, id) })
}

func (s *slowSessions) Renew(ctx context.Context, id string, identity auth.Identity) (auth.Session, error) {
	return slowly(s.most, func() (auth.Session, error) { return s.SessionStore.Renew(ctx, id, identity) })
}

func (s *slowSessions) Revoke(ctx context.Context, r auth.Revocation) error {
	_, err := slowly(s.most, func() (any, error) { return nil, s.SessionStore.Revoke(ctx, r) })
	return err
}

// lagging has everything that nodes hear take some time, as long as the test
// lasts.
func lagging(t *testing.T, wires []*wire, most time.Duration) {
	for _, w := range wires {
		w.lag.Store(int64(rand.N(most)))
	}
	t.Cleanup(func() {
		for _, w := range wires {
			w.lag.Store(0)
		}
	})
}

// However connections that begin, join and renew are mixed with revocations, a
// second after the last one nobody is there whose token was revoked.
func TestRevocationsInDisorder(t *testing.T) {
	const rounds, clients, tokens, most = 300, 8, 6, 100 * time.Millisecond
	for range rounds {
		synctest.Test(t, func(t *testing.T) {
			people := &register{people: map[string]auth.Identity{"first": {ID: "first"}}}
			n, wires := wired(t, 3, room.WithAuthenticator(people), room.WithSessions(&slowSessions{auth.NewMemorySessions(), most / 2}))
			lagging(t, wires, most/2)
			var all [tokens]string
			for i := range all {
				all[i] = people.token(auth.Identity{ID: "ada", TokenID: fmt.Sprint("token", i), ExpiresAt: time.Now().Add(time.Hour)})
			}
			var running sync.WaitGroup
			for range clients {
				running.Go(func() {
					time.Sleep(rand.N(most))
					c, status, _, _ := n[rand.IntN(len(n))].handshake(upgrade("Authorization: Bearer " + all[rand.IntN(tokens)])...)
					if status != 101 {
						return
					}
					_ = c.tryWrite(opText, []byte(`{"type":"join","ref":1,"room":"hall"}`))
					time.Sleep(rand.N(most))
					_ = c.tryWrite(opText, fmt.Appendf(nil, `{"type":"auth","ref":2,"token":%q}`, all[rand.IntN(tokens)]))
					for {
						if f, err := c.read(); err != nil || f.Type == "close" {
							return
						}
					}
				})
			}
			for i := range all {
				running.Go(func() {
					time.Sleep(rand.N(2 * most))
					if err := n[rand.IntN(len(n))].srv.User("ada").RevokeToken(t.Context(), fmt.Sprint("token", i)); err != nil {
						t.Error(err)
					}
				})
			}
			time.Sleep(4*most + time.Second)
			for _, h := range n {
				if left := h.srv.Stats().Connections; left > 0 {
					t.Errorf("%d connections are left", left)
					_ = h.srv.Shutdown(t.Context()) // so that they end
				}
			}
			running.Wait()
		})
	}
}

// However joins and leaves are mixed with bans, a second after the last one
// nobody is in who is banned, on no node and not in the store.
func TestBansInDisorder(t *testing.T) {
	const rounds, users, tabs, most = 300, 4, 3, 100 * time.Millisecond
	for range rounds {
		synctest.Test(t, func(t *testing.T) {
			store := &tether{store: room.NewMemoryStore().(room.NodeStore), lag: most / 4}
			n, wires := wired(t, 3, room.WithStore(store))
			lagging(t, wires, most/2)
			var running sync.WaitGroup
			for i := range users * tabs {
				running.Go(func() {
					v := n[rand.IntN(len(n))].connect(fmt.Sprint("user", i%users))
					for range rand.IntN(4) {
						v.request([]string{"join", "leave"}[rand.IntN(2)], inRoom("hall"))
						time.Sleep(rand.N(most / 4))
					}
					v.request("join", inRoom("hall"))
					v.pass(2 * time.Second)
				})
			}
			for i := range users {
				running.Go(func() {
					time.Sleep(rand.N(2 * most))
					if err := n[rand.IntN(len(n))].srv.Room("hall").Ban(t.Context(), fmt.Sprint("user", i), time.Time{}, ""); err != nil {
						t.Error(err)
					}
				})
			}
			time.Sleep(4*most + time.Second)
			for _, h := range n {
				if rooms := h.srv.Rooms(); len(rooms) > 0 {
					t.Errorf("%+v", rooms)
				}
			}
			if list, _, err := store.Members(t.Context(), "hall", "", 10); err != nil || len(list) > 0 {
				t.Errorf("in the store are %+v, %v", list, err)
			}
			running.Wait()
		})
	}
}
