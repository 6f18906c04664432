package room_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/room"
)

// wire is one node's way to a broker, which can be slow or cut.
type wire struct {
	room.Broker
	lag atomic.Int64 // before anything is heard
	cut atomic.Bool  // neither what servers say nor acts are heard or sent
	off atomic.Bool  // nothing is sent
	// acted is called when an act in a room has been sent; may be nil.
	acted func()
}

// said is what members say, or hear said of each other.
func said(m *room.Message) bool { return m.Kind <= room.KindPresence }

func (w *wire) Publish(ctx context.Context, m room.Message, keep room.Retention) (room.Receipt, error) {
	if w.off.Load() || w.cut.Load() && !said(&m) {
		return room.Receipt{}, room.ErrUnavailable
	}
	if err := ctx.Err(); err != nil {
		return room.Receipt{}, err
	}
	r, err := w.Broker.Publish(ctx, m, keep)
	if w.acted != nil && m.Room == "hall" && m.Act != "" {
		w.acted()
	}
	return r, err
}

func (w *wire) Subscribe(ctx context.Context, name string, deliver func(room.Message)) (room.Position, func(), error) {
	queue := make(chan room.Message, 1000)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case m := <-queue:
				if d := time.Duration(w.lag.Load()); d > 0 {
					time.Sleep(d)
				}
				if !w.cut.Load() || said(&m) {
					deliver(m)
				}
			}
		}
	}()
	at, cancel, err := w.Broker.Subscribe(ctx, name, func(m room.Message) { queue <- m })
	var once atomic.Bool
	end := func() {
		if !once.Swap(true) {
			cancel()
			close(stop)
			<-stopped
		}
	}
	if err != nil {
		cancel = func() {}
		end()
	}
	return at, end, err
}

// wired are nodes with a wire each. All have said hello.
func wired(t *testing.T, n int, opts ...room.Option) ([]*host, []*wire) {
	broker := room.NewMemoryBroker()
	shared := room.Options(
		room.WithStore(room.NewMemoryStore()), room.WithSessions(auth.NewMemorySessions()), room.WithPresence(presence.NewMemory()),
	)
	hosts, wires := make([]*host, n), make([]*wire, n)
	for i := range hosts {
		wires[i] = &wire{Broker: broker}
		hosts[i] = servePipes(t, append([]room.Option{
			house(), shared, room.WithNode(fmt.Sprintf("node%d", i)), room.WithBroker(wires[i]),
		}, opts...)...)
		hosts[i].connect("first").bye()
	}
	time.Sleep(time.Second)
	return hosts, wires
}

// acts are all that has to be in force on every node when the caller is told.
func acts(h *host) map[string]func(context.Context) error {
	hall, bob := h.srv.Room("hall"), h.srv.User("bob")
	return map[string]func(context.Context) error{
		"kick": func(ctx context.Context) error { return hall.Kick(ctx, "bob", "") },
		"ban":  func(ctx context.Context) error { return hall.Ban(ctx, "bob", time.Time{}, "") },
		"mute": func(ctx context.Context) error { return hall.Mute(ctx, "bob", time.Time{}, "") },
		"update": func(ctx context.Context) error {
			_, err := hall.Update(ctx, func(r *room.Record) { r.Permission = room.Private })
			return err
		},
		"delete":     hall.Delete,
		"revoke":     bob.Revoke,
		"disconnect": func(ctx context.Context) error { return bob.Disconnect(ctx, "") },
	}
}

// inForce reports whether what an act does to bob in the hall is done on his
// node.
func inForce(h *host, bob *visitor, act string) bool {
	switch act {
	case "mute":
		bob.refused("muted", "message", inRoom("hall"), saying("1"))
		return true
	case "revoke", "disconnect":
		if _, err := h.srv.Room("hall").Publish(context.Background(), "late", 1); err != nil {
			bob.t.Fatal(err)
		}
		for {
			switch f := bob.next(); f.Type {
			case "close":
				return f.status == map[string]int{"revoke": 4004, "disconnect": 4003}[act]
			case "message":
				return false
			}
		}
	}
	for _, r := range h.srv.Rooms() {
		if r.Room == "hall" {
			return false
		}
	}
	return true
}

// When an act returns it is in force on every node, however long they take to
// hear of it.
func TestActsAreInForce(t *testing.T) {
	for name := range acts(&host{srv: new(room.Server)}) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, wires := wired(t, 3)
				bob := n[1].in("bob", "hall")
				bob.pass(time.Second)
				wires[1].lag.Store(int64(300 * time.Millisecond))
				began := time.Now()
				if err := acts(n[0])[name](t.Context()); err != nil {
					t.Fatal(err)
				}
				took := time.Since(began)
				if !inForce(n[1], bob, name) {
					t.Error("it is not in force")
				}
				if took < 300*time.Millisecond || took >= time.Second {
					t.Errorf("it took %v", took)
				}
				wires[1].lag.Store(0)
			})
		})
	}
}

// A node on which somebody comes first just when an act has been sent never
// hears of it. It finds the act in the store and says so in time.
func TestFirstComesBehindAnAct(t *testing.T) {
	for _, name := range []string{"kick", "ban", "mute"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, wires := wired(t, 2)
				n[0].in("bob", "hall")
				cyd := n[1].connect("cyd")
				wires[0].acted = func() { cyd.must("join", inRoom("hall")) }
				began := time.Now()
				if err := acts(n[0])[name](t.Context()); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took >= time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// A node that does not answer costs a second, and is named.
func TestNodeDoesNotAnswer(t *testing.T) {
	for name := range acts(&host{srv: new(room.Server)}) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, wires := wired(t, 3)
				bob, cyd := n[1].in("bob", "hall"), n[2].in("bob", "hall")
				bob.pass(time.Second)
				wires[1].cut.Store(true)
				began := time.Now()
				err := acts(n[0])[name](t.Context())
				var missing *room.NodesError
				if !errors.As(err, &missing) || !slices.Equal(missing.Nodes, []string{"node1"}) {
					t.Fatalf("got %v", err)
				}
				if took := time.Since(began); took != time.Second {
					t.Errorf("it took %v", took)
				}
				synctest.Wait()
				if !inForce(n[2], cyd, name) {
					t.Error("it is not in force where it was heard")
				}
				if !strings.Contains(n[0].log.String(), `"msg":"unconfirmed"`) {
					t.Error("the log does not say so")
				}
			})
		})
	}
}

// What a client has decided holds, so the client is told ok, in time.
func TestClientIsToldOK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, wires := wired(t, 2)
		ada := n[0].connect("ada")
		ada.must("create", inRoom("club:x"), `"permission":"public"`)
		ada.must("join", inRoom("club:x"))
		bob := n[1].in("bob", "club:x")
		bob.pass(time.Second)
		ada.forget()
		wires[1].cut.Store(true)
		for _, typ := range []string{"kick", "mute", "unmute", "ban", "invite", "uninvite"} {
			began := time.Now()
			ada.must(typ, inRoom("club:x"), ofUser("bob"))
			if took := time.Since(began); took != time.Second {
				t.Errorf("%s took %v", typ, took)
			}
		}
		ada.must("update", inRoom("club:x"), `"max_members":5`)
		ada.must("delete", inRoom("club:x"))
		if n := strings.Count(n[0].log.String(), `"msg":"unconfirmed"`); n != 8 {
			t.Errorf("the log says so %d times", n)
		}
	})
}

// Nobody waits for a node that has gone, nor for long for one that has died.
func TestNodeIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, wires := wired(t, 3)
		bob := n[0].in("bob", "hall")
		kick := func() time.Duration {
			began := time.Now()
			_ = n[0].srv.Room("hall").Kick(t.Context(), "bob", "")
			return time.Since(began)
		}
		if err := n[1].srv.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if took := kick(); took != 0 {
			t.Errorf("for one that has gone it took %v", took)
		}
		wires[2].cut.Store(true) // as if it had died
		if took := kick(); took != time.Second {
			t.Errorf("for one that may live it took %v", took)
		}
		bob.pass(15 * time.Second)
		if took := kick(); took != 0 {
			t.Errorf("for one that has died it took %v", took)
		}
		wires[2].cut.Store(false)
		bob.pass(6 * time.Second)
		wires[2].lag.Store(int64(100 * time.Millisecond))
		if took := kick(); took != 100*time.Millisecond {
			t.Errorf("for one that is back it took %v", took)
		}
		wires[2].lag.Store(0)
	})
}

// A broker that is away makes nobody forget who else there is.
func TestNodesAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, wires := wired(t, 2)
		bob := n[1].in("bob", "hall")
		for _, w := range wires {
			w.off.Store(true)
		}
		bob.pass(time.Minute)
		for _, w := range wires {
			w.off.Store(false)
		}
		wires[1].lag.Store(int64(200 * time.Millisecond))
		began := time.Now()
		if err := n[0].srv.Room("hall").Kick(t.Context(), "bob", ""); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 200*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		wires[1].lag.Store(0)
	})
}

// A server that has only just come waits until it knows who else there is.
func TestActsOfANewcomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broker, store := room.NewMemoryBroker(), room.NewMemoryStore()
		shared := room.Options(house(), room.WithBroker(broker), room.WithStore(store), room.WithSessions(auth.NewMemorySessions()))
		old, cut := servePipes(t, shared), &wire{Broker: broker}
		deaf := servePipes(t, shared, room.WithBroker(cut), room.WithNode("deaf"))
		bob := old.in("bob", "hall")
		deaf.connect("cyd")
		bob.pass(time.Second)
		late := servePipes(t, shared)
		cut.lag.Store(int64(100 * time.Millisecond))
		go func() {
			time.Sleep(150 * time.Millisecond)
			cut.cut.Store(true)
		}()
		var missing *room.NodesError
		if err := late.srv.Room("hall").Kick(t.Context(), "bob", ""); !errors.As(err, &missing) || !slices.Equal(missing.Nodes, []string{"deaf"}) {
			t.Errorf("got %v", err)
		}
		bob.expect("removed")
		cut.lag.Store(0)
	})
}

// Servers that came and died without a word are forgotten, also by one that
// never waits for anybody.
func TestDeadNodesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, wires := wired(t, 2)
		for i := range 100 {
			hello := room.Message{Kind: room.KindHello, Room: "*control", From: fmt.Sprint("process", i), Name: "node2"}
			if _, err := wires[1].Publish(t.Context(), hello, room.Retention{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
		}
		if known := room.Peers(n[0].srv); known > 5 {
			t.Errorf("%d are remembered", known)
		}
	})
}

// hastyStore is of callers who are gone as soon as something is stored, and so
// are hastySessions.
type hastyStore struct {
	*tether
	stored func()
}

func (s *hastyStore) Sanction(ctx context.Context, name, user string, kind room.Sanction, until time.Time) error {
	defer s.stored()
	return s.tether.Sanction(ctx, name, user, kind, until)
}

func (s *hastyStore) Expel(ctx context.Context, name, user string) error {
	defer s.stored()
	return s.tether.Expel(ctx, name, user)
}

func (s *hastyStore) Update(ctx context.Context, rec room.Record) (room.Record, error) {
	defer s.stored()
	return s.tether.Update(ctx, rec)
}

func (s *hastyStore) Delete(ctx context.Context, name string) error {
	defer s.stored()
	return s.tether.Delete(ctx, name)
}

type hastySessions struct {
	auth.SessionStore
	stored func()
}

func (s *hastySessions) Revoke(ctx context.Context, r auth.Revocation) error {
	defer s.stored()
	return s.SessionStore.Revoke(ctx, r)
}

// What is stored is in force on every node, also when who asked for it does not
// wait for that.
func TestCallerIsGone(t *testing.T) {
	for name := range acts(&host{srv: new(room.Server)}) {
		if name == "disconnect" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				n, _ := wired(t, 2, room.WithStore(&hastyStore{&tether{store: room.NewMemoryStore().(room.NodeStore)}, cancel}),
					room.WithSessions(&hastySessions{auth.NewMemorySessions(), cancel}))
				bob := n[1].in("bob", "hall")
				bob.pass(time.Second)
				_ = acts(n[0])[name](ctx)
				synctest.Wait()
				if !inForce(n[1], bob, name) {
					t.Error("it is not in force")
				}
			})
		})
	}
}
