package room_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/room"
)

// component is what a server says of one of its components.
func component(h *host, name string) room.Component {
	h.t.Helper()
	for _, c := range h.srv.Health().Components {
		if c.Name == name {
			return c
		}
	}
	h.t.Fatalf("there is no %s", name)
	return room.Component{}
}

// unwell fails unless exactly one component is not well, since a time.
func unwell(h *host, name string, since time.Time) {
	h.t.Helper()
	for _, c := range h.srv.Health().Components {
		if c.OK != (c.Name != name) || c.OK != (c.Err == nil) {
			h.t.Errorf("%+v", c)
		}
		if c.Name == name && (c.Since.Before(since) || c.Since.Sub(since) > 10*time.Second || c.Failures == 0) {
			h.t.Errorf("%+v, it began %v", c, since)
		}
	}
}

// told fails unless the log has exactly so many events of a component.
func told(h *host, name string, failing, over int) {
	h.t.Helper()
	var bad, good int
	for line := range strings.Lines(h.log.String()) {
		if strings.Contains(line, `"msg":"health"`) && strings.Contains(line, `"component":"`+name+`"`) {
			if strings.Contains(line, `"ok":true`) {
				good++
			} else {
				bad++
			}
		}
	}
	if bad != failing || good != over {
		h.t.Errorf("%s: told %d times that it fails and %d times that it is well, want %d and %d", name, bad, good, failing, over)
	}
}

// frail runs a test with each way to fail, and sees that the server is well
// before and, by itself, after it.
func frail(t *testing.T, name string, part func(*parts) *frailty, test func(t *testing.T, h *host, ada *visitor), opts ...room.Option) {
	for _, mode := range []int32{fails, hangs, panics} {
		t.Run(map[int32]string{fails: "fails", hangs: "hangs", panics: "panics"}[mode], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := new(parts)
				h := servePipes(t, append([]room.Option{house(), p.option()}, opts...)...)
				ada := h.in("ada", "hall", "lounge")
				ada.pass(time.Second)
				if !h.srv.Health().OK() {
					t.Errorf("not well before: %+v", h.srv.Health())
				}
				part(p).become(mode)
				began := time.Now()
				test(t, h, ada)
				unwell(h, name, began)
				told(h, name, 1, 0)
				part(p).become(well)
				ada.pass(10 * time.Second) // nobody has to ask
				if !h.srv.Health().OK() {
					t.Errorf("not well after: %+v", h.srv.Health())
				}
				if since := component(h, name).Since; time.Since(since) > 10*time.Second {
					t.Errorf("well since %v", since)
				}
				told(h, name, 1, 1)
				bob := h.in("bob", "hall")
				bob.must("message", inRoom("hall"), saying("1"))
				ada.forget()
				ada.must("message", inRoom("hall"), saying("2"))
			})
		})
	}
}

// within fails when something has taken longer than a call may.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	began := time.Now()
	f()
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("%s took %v", what, took)
	}
}

// Without the store nobody joins or creates, and who is in is in.
func TestStoreIsAway(t *testing.T) {
	frail(t, "store", func(p *parts) *frailty { return &p.store }, func(t *testing.T, h *host, ada *visitor) {
		bob := h.connect("bob")
		for range 3 {
			within(t, "join", func() { bob.refused("unavailable", "join", inRoom("hall")) })
			within(t, "create", func() { bob.refused("unavailable", "create", inRoom("club:x")) })
		}
		bob.bye()
		within(t, "message", func() { ada.must("message", inRoom("hall"), saying("1")) })
		ada.must("members", inRoom("hall"))
		ada.pass(5 * time.Minute)
		ada.must("message", inRoom("hall"), saying("1"))
		within(t, "leave", func() { ada.must("leave", inRoom("lounge")) })
	})
}

// Without sessions new connections get 503, and those there are live on.
func TestSessionsAreAway(t *testing.T) {
	frail(t, "sessions", func(p *parts) *frailty { return &p.sessions }, func(t *testing.T, h *host, ada *visitor) {
		for range 3 {
			within(t, "handshake", func() {
				_, status, header, body := h.handshake(upgrade("Authorization: Bearer bob")...)
				if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" || !strings.Contains(body, `"unavailable"`) {
					t.Errorf("%d %s", status, body)
				}
			})
		}
		if n := h.srv.Stats().Connections; n != 1 {
			t.Errorf("%d connections", n)
		}
		ada.refused("unavailable", "auth", `"token":"ada"`)
		ada.pass(5 * time.Minute)
		ada.must("message", inRoom("hall"), saying("1"))
		if err := h.srv.User("ada").Revoke(t.Context()); err == nil {
			t.Error("a revocation that is not stored is no error")
		}
	})
}

// Without presence everything goes on, but for the lists of who is there.
func TestPresenceIsAway(t *testing.T) {
	frail(t, "presence", func(p *parts) *frailty { return &p.presence }, func(t *testing.T, h *host, ada *visitor) {
		bob := h.connect("bob")
		if r := bob.must("join", inRoom("hall")); len(r.Members) != 0 {
			t.Errorf("members %s", r.raw)
		}
		within(t, "message", func() { bob.must("message", inRoom("hall"), saying("1")) })
		within(t, "message", func() { ada.must("message", inRoom("hall"), saying("1")) })
		ada.refused("unavailable", "members", inRoom("hall"))
		bob.must("leave", inRoom("hall"))
		bob.bye()
		ada.pass(5 * time.Minute)
		ada.must("message", inRoom("hall"), saying("1"))
	})
}

// Without the broker what is kept is refused and not sent, what is not kept is
// sent, and nobody is disconnected.
func TestBrokerIsAway(t *testing.T) {
	frail(t, "broker", func(p *parts) *frailty { return &p.broker }, func(t *testing.T, h *host, ada *visitor) {
		bob := h.connect("bob")
		for range 3 {
			within(t, "message", func() { ada.refused("unavailable", "message", inRoom("hall"), saying("1")) })
			within(t, "join", func() { bob.refused("unavailable", "join", inRoom("vestibule")) })
		}
		within(t, "message", func() { ada.must("message", inRoom("lounge"), saying("1")) })
		ada.expect("message")
		if err := h.srv.Room("hall").Kick(t.Context(), "cyd", ""); err == nil {
			t.Error("a kick that nobody hears of is no error")
		}
		bob.bye()
		for range 100 { // which says nothing of the broker
			ada.pass(300 * time.Millisecond)
			ada.must("message", inRoom("lounge"), saying("1"))
			ada.expect("message")
		}
		ada.silent()
	}, room.WithRooms("vestibule", room.Settings{Permission: room.Public}))
}

// Without the shared limiter each node counts for itself: nobody is disconnected
// or kept waiting, and nobody may do as they like.
func TestLimiterIsAway(t *testing.T) {
	l := calm()
	l.Messages.User = limit.Rate{Events: 5, Per: time.Hour}
	frail(t, "limiter", func(p *parts) *frailty { return &p.limiter }, func(t *testing.T, h *host, ada *visitor) {
		began := time.Now()
		for range 5 {
			ada.must("message", inRoom("hall"), saying("1"))
		}
		ada.refused("rate_limited", "message", inRoom("hall"), saying("1"))
		if took := time.Since(began); took > 500*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		h.connect("bob").bye()
		ada.pass(time.Minute)
		h.connect("bob").bye()
	}, room.WithLimits(l))
}

// A server starts before what it shares with others is there, answers 503, and
// is whole once that has come.
func TestStartsWithNothingThere(t *testing.T) {
	for _, mode := range []int32{fails, hangs} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := new(parts)
				p.become(mode)
				h := servePipes(t, house(), p.option())
				for range 3 {
					_, status, header, body := h.handshake(upgrade("Authorization: Bearer ada")...)
					if status != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
						t.Errorf("%d %s", status, body)
					}
				}
				time.Sleep(time.Minute)
				for _, name := range []string{"broker", "sessions", "presence"} {
					if c := component(h, name); c.OK || c.Err == nil {
						t.Errorf("%+v", c)
					}
				}
				p.become(well)
				time.Sleep(10 * time.Second)
				if !h.srv.Health().OK() {
					t.Errorf("%+v", h.srv.Health())
				}
				ada, bob := h.in("ada", "hall"), h.in("bob", "hall")
				ada.must("message", inRoom("hall"), saying("1"))
				bob.expect("message")
				if err := h.srv.User("bob").Revoke(t.Context()); err != nil {
					t.Error(err)
				}
				bob.expectClose(4004)
			})
		})
	}
}

// A store that does not heed its context is found out.
func TestOverrunsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(parts)
		h := servePipes(t, house(), p.option())
		ada := h.connect("ada")
		p.store.become(drags)
		ada.must("join", inRoom("hall"))
		if c := component(h, "store"); c.Overruns != 3 || !c.OK {
			t.Errorf("%+v", c)
		}
		p.store.become(well)
	})
}

// A component that fails now and then is not told of every time.
func TestHealthDoesNotFlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(parts)
		h := servePipes(t, house(), p.option())
		ada := h.in("ada", "hall")
		for range 100 {
			p.store.become(fails)
			ada.refused("unavailable", "join", inRoom("lounge"))
			p.store.become(well)
			ada.must("settings", inRoom("lounge"))
		}
		told(h, "store", 1, 0)
		ada.pass(5 * time.Second)
		told(h, "store", 1, 1)
		if n := component(h, "store").Failures; n != 100 {
			t.Errorf("%d failures", n)
		}
	})
}

// knowing is a broker that may know that it fails.
type knowing struct {
	room.Broker
	wrong atomic.Pointer[error]
}

func (b *knowing) Health() error {
	if err := b.wrong.Load(); err != nil {
		return *err
	}
	return nil
}

// What a broker knows of itself is told though no call fails, at once to who
// asks and in 2 s to the log, and for as long as it says so.
func TestBrokerKnows(t *testing.T) {
	for _, asked := range []bool{true, false} {
		t.Run(fmt.Sprint("asked ", asked), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &knowing{Broker: room.NewMemoryBroker()}
				h := servePipes(t, house(), room.WithBroker(b))
				ada := h.in("ada", "hall")
				ada.pass(10 * time.Second)
				if !h.srv.Health().OK() {
					t.Errorf("not well before: %+v", h.srv.Health())
				}
				deaf := errors.New("deaf")
				b.wrong.Store(&deaf)
				began := time.Now()
				if !asked {
					ada.pass(3 * time.Second)
					told(h, "broker", 1, 0)
				}
				for range 30 { // which goes well, and says nothing
					ada.must("message", inRoom("hall"), saying("1"))
					ada.pass(300 * time.Millisecond)
					if !asked {
						continue
					}
					if c := component(h, "broker"); c.OK || !errors.Is(c.Err, deaf) || c.Failures != 0 || c.Since.Sub(began) > 3*time.Second {
						t.Errorf("%+v", c)
					}
				}
				told(h, "broker", 1, 0)
				b.wrong.Store(nil)
				ada.pass(5 * time.Second)
				if !h.srv.Health().OK() {
					t.Errorf("not well after: %+v", h.srv.Health())
				}
				told(h, "broker", 1, 1)
			})
		})
	}
}
