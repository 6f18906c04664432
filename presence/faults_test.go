package presence_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/presence"
)

func TestStoreFails(t *testing.T) {
	t.Parallel()
	for name, state := range map[string]linkState{"not done": away, "done and the answer lost": deaf} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				a, b := w.node("a"), w.node("b")
				bob := a.joins("bob", "r")
				w.take()
				a.link.set(state)
				start := time.Now()
				c := a.connect("ada")
				if err := c.Join(w.ctx, "r"); !errors.Is(err, errAway) {
					t.Fatalf("Join: %v", err)
				}
				if err := bob.Leave(w.ctx, "r", presence.ReasonLeft); !errors.Is(err, errAway) {
					t.Fatalf("Leave: %v", err)
				}
				if d := time.Since(start); d != 0 {
					t.Errorf("the errors took %v", d)
				}
				if !errors.Is(a.Err(), errAway) {
					t.Errorf("Err: %v", a.Err())
				}
				w.after(20 * time.Second)
				w.announces()
				a.link.set(up)
				w.after(5 * time.Second)
				w.announces("r: ada joined", "r: bob left")
				b.lists("r", "ada online 1")
				if a.Err() != nil {
					t.Errorf("Err: %v", a.Err())
				}
			})
		})
	}
}

// TestAnswerLostBehindOthers has other nodes change the user between a batch
// and its repetition.
func TestAnswerLostBehindOthers(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		a.link.set(deaf)
		one := a.connect("ada")
		one.Join(w.ctx, "r")
		two := b.joins("ada", "r")
		w.must(two.Set(w.ctx, presence.Away, nil))
		w.announces() // a has not heard yet that it was the first
		a.link.set(up)
		w.after(5 * time.Second)
		w.announces("r: ada joined")
		a.link.set(deaf)
		w.must(two.Leave(w.ctx, "r", presence.ReasonLeft))
		w.announces()
		one.Leave(w.ctx, "r", presence.ReasonLeft)
		w.must(two.Join(w.ctx, "r"))
		a.link.set(up)
		w.after(5 * time.Second)
		// b's event came first, though it happened later: the revision tells.
		synctest.Wait()
		w.mu.Lock()
		events := slices.Clone(w.events)
		w.mu.Unlock()
		slices.SortFunc(events, func(x, y announcement) int { return int(int64(x.Revision) - int64(y.Revision)) })
		if len(events) != 3 || events[0].Kind != presence.Left || events[1].Kind != presence.Joined || events[2].Kind != presence.Updated {
			t.Fatalf("by revision: %+v", events)
		}
	})
}

// TestComeBeforeGo has a user change connections while so much is to be written
// that it takes several batches.
func TestComeBeforeGo(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a")
		c := a.joins("ada", "r")
		w.take()
		a.link.set(away)
		c.Leave(w.ctx, "r", presence.ReasonLeft)
		w.after(time.Second) // on its way, and to be repeated
		c.Join(w.ctx, "r")
		c.Leave(w.ctx, "r", presence.ReasonLeft)
		a.link.set(up)
		w.after(10 * time.Second)
		w.announces("r: ada left")

		old := a.joins("ada", "r")
		w.take()
		a.link.Store = slow{w.memory, time.Second}
		first := a.connect("first")
		go first.Join(w.ctx, "r")
		w.after(time.Millisecond)
		go old.Leave(w.ctx, "r", presence.ReasonLeft)
		w.after(time.Millisecond)
		for i := range 300 {
			go a.connect(fmt.Sprint("u", i)).Join(w.ctx, "r")
		}
		w.after(time.Millisecond)
		go a.connect("ada").Join(w.ctx, "r")
		w.after(10 * time.Second)
		for _, e := range w.take() {
			if strings.Contains(e, "ada") {
				t.Errorf("announced %q", e)
			}
		}
	})
}

// TestForgottenAnswer has a node write again in a room that it was not in any
// more, when the store has forgotten that it ever was.
func TestForgottenAnswer(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		var log bytes.Buffer
		a := w.node("a", func(o *presence.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		w.node("b")
		w.after(31 * time.Second) // just after a beat
		c := a.joins("ada", "r")
		w.take()
		a.link.Store = slow{w.memory, time.Second}
		go c.Leave(w.ctx, "r", presence.ReasonLeft)
		w.after(time.Millisecond)
		go c.Join(w.ctx, "r")
		w.after(time.Millisecond)
		a.link.set(away)
		w.after(75 * time.Second)
		w.announces("r: ada left")
		a.link.set(up)
		w.after(20 * time.Second)
		w.announces("r: ada joined")
		if strings.Contains(log.String(), "lost data") || strings.Contains(log.String(), "lapsed") {
			t.Errorf("log: %s", log.String())
		}
	})
}

func TestNoStoreAtStart(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		first := true
		n := &node{world: w, name: "a", link: &link{Store: w.memory, state: away}}
		var err error
		n.Tracker, err = presence.NewTracker(n.link, presence.Options{Notify: n.notify})
		w.must(err)
		defer n.Close(w.ctx)
		for range 2 {
			start := time.Now()
			c := n.connect("ada")
			if err := c.Join(w.ctx, "r"); !errors.Is(err, errAway) {
				t.Fatalf("Join, first %t: %v", first, err)
			}
			if d := time.Since(start); d != 0 {
				t.Errorf("the error took %v", d)
			}
			first = false
			w.after(time.Second)
		}
		if _, err := n.List(w.ctx, "r", presence.Query{}); !errors.Is(err, errAway) {
			t.Fatalf("List: %v", err)
		}
		if _, err := n.Get(w.ctx, "r", "ada", true); !errors.Is(err, errAway) {
			t.Fatalf("Get: %v", err)
		}
		n.link.set(up)
		w.after(5 * time.Second)
		w.announces("r: ada joined")
		n.lists("r", "ada online 2")
	})
}

// slow is a store that answers late, or when the context ends.
type slow struct {
	presence.Store
	d time.Duration
}

func (s slow) Update(ctx context.Context, b presence.Batch) (presence.Outcome, error) {
	select {
	case <-time.After(s.d):
		return s.Store.Update(ctx, b)
	case <-ctx.Done():
		return presence.Outcome{}, ctx.Err()
	}
}

func TestSlowStore(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a")
		a.link.Store = slow{w.memory, time.Second}
		ctx, cancel := context.WithTimeout(w.ctx, 100*time.Millisecond)
		defer cancel()
		c := a.connect("ada")
		if err := c.Join(ctx, "r"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Join: %v", err)
		}
		a.lists("r", "ada online 1") // it is noted
		// What comes while a batch is on its way goes in one batch behind it.
		a.link.counts()
		var wg sync.WaitGroup
		start := time.Now()
		for i := range 50 {
			wg.Go(func() { w.must(a.connect(fmt.Sprint("u", i)).Join(w.ctx, "r")) })
		}
		wg.Wait()
		if d := time.Since(start); d != 1900*time.Millisecond {
			t.Errorf("50 joins took %v, want what is left of the first batch and one more", d)
		}
		if n := a.link.counts()["Update"]; n != 1 {
			t.Errorf("%d updates for 50 joins", n)
		}
		if n := w.announced(); n != 51 {
			t.Errorf("%d announcements", n)
		}
		a.link.Store = slow{w.memory, time.Hour}
		if err := c.Leave(w.ctx, "r", presence.ReasonLeft); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Leave with a store that hangs: %v", err)
		}
	})
}

func TestNotifyFails(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		errBroker := errors.New("broker is away")
		var broken bool
		var mu sync.Mutex
		setBroken := func(b bool) { mu.Lock(); broken = b; mu.Unlock() }
		a := w.node("a", func(o *presence.Options) {
			notify := o.Notify
			o.Notify = func(ctx context.Context, events []presence.Event) (int, error) {
				mu.Lock()
				defer mu.Unlock()
				if !broken {
					return notify(ctx, events)
				}
				if events[0].Room == "half" && len(events) > 1 {
					notify(ctx, events[:1])
					events[1].User = "nobody" // the slice is Notify's
					return 1, nil
				}
				return 0, errBroker
			}
		})
		setBroken(true)
		c := a.connect("ada", func(p *presence.Peer) { p.Status = presence.Away })
		if err := c.Join(w.ctx, "r"); !errors.Is(err, errBroker) {
			t.Fatalf("Join: %v", err)
		}
		if err := c.Join(w.ctx, "half"); err == nil || errors.Is(err, errBroker) {
			t.Fatalf("Join: %v", err)
		}
		w.announces("half: ada joined")
		c.Leave(w.ctx, "r", presence.ReasonLeft)
		w.after(time.Minute)
		setBroken(false)
		w.after(5 * time.Second)
		w.announcesInAnyOrder("r: ada joined", "r: ada away", "r: ada left", "half: ada away")
		if a.Err() != nil {
			t.Errorf("Err: %v", a.Err())
		}
	})
}

func TestNotifyPanics(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		var log bytes.Buffer
		first := true
		a := w.node("a", func(o *presence.Options) {
			notify := o.Notify
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
			o.Notify = func(ctx context.Context, events []presence.Event) (int, error) {
				if first {
					first = false
					panic("host's mistake")
				}
				return notify(ctx, events)
			}
		})
		c := a.joins("ada", "r")
		w.must(c.Leave(w.ctx, "r", presence.ReasonLeft))
		w.announces("r: ada left")
		if !strings.Contains(log.String(), "presence events lost") || !strings.Contains(log.String(), "host's mistake") {
			t.Errorf("log: %s", log.String())
		}
	})
}

// TestNotifyReads has Notify call what it may.
func TestNotifyReads(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		var a *node
		sizes := map[string]int{}
		a = w.node("a", func(o *presence.Options) {
			notify := o.Notify
			o.Notify = func(ctx context.Context, events []presence.Event) (int, error) {
				p, err := a.List(ctx, events[0].Room, presence.Query{})
				if err != nil {
					return 0, err
				}
				sizes[events[0].User] = len(p.Members)
				return notify(ctx, events)
			}
		})
		a.joins("ada", "r")
		a.joins("bob", "r")
		if sizes["ada"] != 1 || sizes["bob"] != 2 {
			t.Errorf("%v", sizes)
		}
	})
}

// TestOneRoomFails shows that trouble in one room is none in others, and that
// rooms are written concurrently but not all at once.
func TestOneRoomFails(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		var mu sync.Mutex
		running, most := 0, 0
		a := w.node("a", func(o *presence.Options) {
			o.Parallel = 4
			notify := o.Notify
			o.Notify = func(ctx context.Context, events []presence.Event) (int, error) {
				if events[0].Room == "bad" {
					return 0, errAway
				}
				mu.Lock()
				running++
				most = max(most, running)
				mu.Unlock()
				time.Sleep(time.Millisecond)
				mu.Lock()
				running--
				mu.Unlock()
				return notify(ctx, events)
			}
		})
		a.connect("ada").Join(w.ctx, "bad")
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() { a.joins("ada", fmt.Sprint("r", i)) })
		}
		wg.Wait()
		if n := w.announced(); n != 40 || most != 4 {
			t.Errorf("%d announcements, %d at once, want 40 and 4", n, most)
		}
	})
}

// lapsing is a store that takes a lease away once it is told to, and gives no
// other.
type lapsing struct {
	presence.Store
	mu    sync.Mutex
	after int // beats
}

func (s *lapsing) Beat(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after--
	switch {
	case s.after > 0:
		return s.Store.Beat(ctx, node, ttl)
	case s.after == 0:
		return presence.Lease{}, presence.ErrLapsed
	default:
		return presence.Lease{}, errAway
	}
}

// TestLeaseLostWhileQueued has a change wait for a worker while the lease goes.
// Its caller hears of it when its turn comes.
func TestLeaseLostWhileQueued(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, err := presence.NewTracker(&lapsing{Store: w.memory, after: 2}, presence.Options{
			Parallel: 1,
			Notify: func(_ context.Context, events []presence.Event) (int, error) {
				time.Sleep(3 * time.Second)
				return len(events), nil
			},
		})
		w.must(err)
		defer func() {
			ctx, cancel := context.WithCancel(w.ctx)
			cancel()
			a.Close(ctx)
		}()
		c, err := a.Connect(presence.Peer{User: "ada", Connection: "c"})
		w.must(err)
		w.after(28 * time.Second)
		go c.Join(w.ctx, "r") // keeps the worker until 31 s
		w.after(time.Second)
		if err := c.Join(w.ctx, "s"); !errors.Is(err, errAway) {
			t.Errorf("Join: %v", err)
		}
		if d := time.Since(w.start); d != 31*time.Second {
			t.Errorf("Join returned after %v, want it at 31 s", d)
		}
	})
}
