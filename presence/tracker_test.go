package presence_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/presence"
)

func TestUsersJoinNotConnections(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		one := a.joins("ada", "r")
		w.announces("r: ada joined")
		w.must(one.Join(w.ctx, "r"))
		two, three := a.joins("ada", "r"), b.joins("ada", "r")
		w.announces()
		b.lists("r", "ada online 3")
		w.must(one.Leave(w.ctx, "r", presence.ReasonLeft))
		w.must(three.Leave(w.ctx, "r", presence.ReasonLeft))
		w.must(three.Leave(w.ctx, "r", presence.ReasonLeft))
		w.must(three.Leave(w.ctx, "elsewhere", presence.ReasonLeft))
		w.announces()
		b.lists("r", "ada online 1")
		w.must(two.Close(w.ctx, presence.ReasonKicked))
		w.must(two.Close(w.ctx, presence.ReasonLeft))
		w.announces("r: ada kicked")
		b.lists("r")
	})
}

func TestEvent(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a")
		w.after(1500 * time.Microsecond)
		c := a.connect("ada", func(p *presence.Peer) {
			p.Connection, p.Name, p.Status, p.Meta = "c1", "Ada", presence.Away, []byte(`{"m":1}`)
		})
		w.must(c.Join(w.ctx, "r"))
		w.must(c.Leave(w.ctx, "r", presence.ReasonBanned))
		w.must(c.Join(w.ctx, ""))
		synctest.Wait()
		want := []presence.Event{
			{Kind: presence.Joined, Room: "r", Status: presence.Away, Meta: []byte(`{"m":1}`)},
			{Kind: presence.Updated, Room: "r", Status: presence.Away, Meta: []byte(`{"m":1}`)},
			{Kind: presence.Left, Room: "r", Status: presence.Offline, Reason: presence.ReasonBanned},
			{Kind: presence.Joined, Status: presence.Away, Meta: []byte(`{"m":1}`)},
			{Kind: presence.Updated, Status: presence.Away, Meta: []byte(`{"m":1}`)},
		}
		if len(w.events) != len(want) {
			t.Fatalf("events: %+v", w.events)
		}
		var revision uint64
		for i, got := range w.events {
			e := want[i]
			e.User, e.Name, e.Connection = "ada", "Ada", "c1"
			if got.Kind != e.Kind || got.Room != e.Room || got.User != e.User || got.Name != e.Name || got.Connection != e.Connection ||
				got.Status != e.Status || string(got.Meta) != string(e.Meta) || got.Reason != e.Reason {
				t.Errorf("event %d:\n got %+v\nwant %+v", i, got.Event, e)
			}
			if !got.At.Equal(w.start.Add(time.Millisecond)) {
				t.Errorf("event %d is of %v, want it in whole milliseconds", i, got.At)
			}
			if got.Revision < revision || got.Kind != presence.Updated && got.Revision == revision {
				t.Errorf("event %d has revision %d after %d", i, got.Revision, revision)
			}
			revision = got.Revision
		}
	})
}

func TestStatus(t *testing.T) {
	t.Parallel()
	on, gone, off := presence.Online, presence.Away, presence.Offline
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		one, two := a.joins("ada", "r", "s"), b.joins("ada", "r")
		w.take()
		steps := []struct {
			what string
			do   func() error
			want []string
		}{
			{"one of two away", func() error { return one.Set(w.ctx, gone, nil) }, []string{"s: ada away"}},
			{"both away", func() error { return two.Set(w.ctx, gone, nil) }, []string{"r: ada away"}},
			{"the same again", func() error { return two.Set(w.ctx, gone, nil) }, nil},
			{"meta", func() error { return two.Set(w.ctx, gone, []byte(`{"n":1}`)) }, []string{`r: ada away {"n":1}`}},
			{"the same meta", func() error { return two.Set(w.ctx, gone, []byte(`{"n":1}`)) }, nil},
			{"later meta of another", func() error { return one.SetIn(w.ctx, "r", gone, []byte(`{"n":2}`)) }, []string{`r: ada away {"n":2}`}},
			{"no meta is no change", func() error { return one.Set(w.ctx, on, nil) }, []string{`r: ada online {"n":2}`, "s: ada online"}},
			{"invisible in one room", func() error { return one.SetIn(w.ctx, "r", off, nil) }, []string{`r: ada away {"n":1}`}},
			{"invisible there altogether", func() error { return two.SetIn(w.ctx, "r", off, nil) }, []string{"r: ada offline"}},
			{"meta unseen", func() error { return two.SetIn(w.ctx, "r", off, []byte(`{"n":3}`)) }, nil},
			{"back", func() error { return two.Set(w.ctx, on, nil) }, []string{"r: ada joined", `r: ada online {"n":3}`}},
			{"the invisible one leaves", func() error { return one.Leave(w.ctx, "r", presence.ReasonLeft) }, nil},
			{"and comes back as it is elsewhere", func() error { return one.Join(w.ctx, "r") }, nil},
			{"the one with the meta leaves", func() error { return two.Leave(w.ctx, "r", presence.ReasonLeft) }, []string{"r: ada online"}},
			{"invisible everywhere", func() error { return one.Set(w.ctx, off, nil) }, []string{"r: ada offline", "s: ada offline"}},
			{"leaving unseen", func() error { return one.Leave(w.ctx, "r", presence.ReasonLeft) }, nil},
			{"joining unseen", func() error { return one.Join(w.ctx, "r") }, nil},
			{"a visible one joins", func() error { return two.Join(w.ctx, "r") }, []string{"r: ada joined", `r: ada online {"n":1}`}},
			{"and leaves: nobody learns of the invisible one", func() error { return two.Leave(w.ctx, "r", presence.ReasonLeft) }, []string{"r: ada left"}},
		}
		for _, s := range steps {
			w.after(time.Millisecond)
			w.must(s.do())
			got := w.take()
			if len(s.want) > 1 && s.want[0][0] != s.want[1][0] {
				// Two rooms announce in any order.
				if len(got) == 2 && got[0] == s.want[1] {
					got[0], got[1] = got[1], got[0]
				}
			}
			if strings.Join(got, "; ") != strings.Join(s.want, "; ") {
				t.Errorf("%s: announced %q, want %q", s.what, got, s.want)
			}
		}
	})
}

func TestInvisible(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a")
		a.joins("bob", "r")
		c := a.connect("ada", func(p *presence.Peer) { p.Status, p.Meta = presence.Offline, []byte(`{"secret":1}`) })
		w.must(c.Join(w.ctx, "r"))
		w.must(c.Join(w.ctx, ""))
		w.announces("r: bob joined")
		a.lists("r", "bob online 1")
		if m := a.members("r", "bob"); len(m) != 1 {
			t.Fatalf("bob sees %+v", m)
		}
		m := a.members("r", "ada")
		if len(m) != 2 || m[0].User != "ada" || m[0].Status != presence.Offline || m[0].Connections != 1 || string(m[0].Meta) != `{"secret":1}` {
			t.Fatalf("ada sees %+v", m)
		}
		for _, room := range []string{"r", ""} {
			got, err := a.Get(w.ctx, room, "ada", false)
			if err != nil || got.Status != presence.Offline || got.Connections != 0 || got.Meta != nil || got.Name != "" || !got.Since.IsZero() || !got.Seen.IsZero() {
				t.Fatalf("others see %+v, %v", got, err)
			}
			if got, err = a.Get(w.ctx, room, "ada", true); err != nil || got.Status != presence.Offline || got.Connections != 1 || got.Name != "ADA" {
				t.Fatalf("ada sees %+v, %v", got, err)
			}
		}
		w.must(c.Close(w.ctx, presence.ReasonLeft))
		w.announces()
	})
}

func TestEverywhere(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		one, two := a.joins("ada", ""), b.joins("ada", "", "r")
		w.announces(": ada joined", "r: ada joined")
		get := func() presence.Member {
			t.Helper()
			m, err := a.Get(w.ctx, "", "ada", false)
			w.must(err)
			return m
		}
		if m := get(); m.User != "ada" || m.Status != presence.Online || m.Connections != 2 || !m.Seen.IsZero() {
			t.Fatalf("%+v", m)
		}
		w.must(two.Set(w.ctx, presence.Away, nil))
		w.must(one.Set(w.ctx, presence.Away, nil))
		w.announcesInAnyOrder(": ada away", "r: ada away")
		w.after(time.Minute)
		w.must(one.Close(w.ctx, presence.ReasonLeft))
		w.must(two.Close(w.ctx, presence.ReasonLeft))
		w.announcesInAnyOrder(": ada left", "r: ada left")
		if m := get(); m.User != "ada" || m.Status != presence.Offline || m.Connections != 0 || !m.Seen.Equal(w.start.Add(time.Minute)) {
			t.Fatalf("%+v", m)
		}
		w.after(time.Minute)
		c := b.joins("ada", "")
		if m := get(); !m.Seen.IsZero() {
			t.Fatalf("seen %v while there", m.Seen)
		}
		w.must(c.Set(w.ctx, presence.Offline, nil))
		w.after(time.Hour)
		w.must(c.Close(w.ctx, presence.ReasonLeft))
		if m := get(); !m.Seen.Equal(w.start.Add(2 * time.Minute)) {
			t.Fatalf("seen %v, which tells what the user did while invisible", m.Seen)
		}
		if p, err := a.List(w.ctx, "", presence.Query{}); err != nil || len(p.Members) != 0 {
			t.Fatalf("List of everywhere: %+v, %v", p, err)
		}
	})
}

func TestSilent(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a")
		c := a.joins("ada", "r")
		w.take()
		w.must(c.Leave(w.ctx, "r", presence.ReasonSilent))
		w.announces()
		a.lists("r")
	})
}

func TestRejoin(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a")
		c := a.joins("ada", "r")
		w.must(c.Leave(w.ctx, "r", presence.ReasonLeft))
		w.must(c.Join(w.ctx, "r"))
		w.announces("r: ada joined", "r: ada left", "r: ada joined")
		// The same while the store is away: it is as if nothing had been.
		a.link.set(away)
		c.Leave(w.ctx, "r", presence.ReasonLeft)
		w.after(time.Second)
		c.Join(w.ctx, "r")
		a.link.set(up)
		w.after(10 * time.Second)
		got := w.take()
		if len(got) != 0 && strings.Join(got, "; ") != "r: ada left; r: ada joined" {
			t.Fatalf("announced %q", got)
		}
		a.lists("r", "ada online 1")
		w.must(c.Leave(w.ctx, "r", presence.ReasonLeft))
		w.announces("r: ada left")
	})
}

func TestRemove(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		one, two := a.joins("ada", "r"), b.joins("ada", "r")
		gone := b.joins("ada", "r", "s")
		a.joins("bob", "r")
		w.must(gone.Close(w.ctx, presence.ReasonDisconnected))
		w.take()
		w.must(a.Remove(w.ctx, "r", "ada", presence.ReasonKicked))
		w.announces("r: ada kicked")
		b.lists("r", "bob online 1")
		b.lists("s", "ada online 1")
		// What the other node does before it hears of it brings nobody back.
		w.must(two.Set(w.ctx, presence.Away, nil))
		w.announces()
		if err := two.SetIn(w.ctx, "r", presence.Online, nil); !errors.Is(err, presence.ErrNotJoined) {
			t.Errorf("SetIn, when the user was removed elsewhere: %v", err)
		}
		w.must(two.Leave(w.ctx, "r", presence.ReasonKicked))
		w.after(time.Minute)
		w.announces("s: ada disconnected")
		b.lists("r", "bob online 1")
		w.must(one.Join(w.ctx, "r"))
		w.must(two.Join(w.ctx, "r"))
		w.announces("r: ada joined")
		b.lists("r", "ada online 2", "bob online 1")
		w.must(b.Remove(w.ctx, "r", "zoe", presence.ReasonBanned))
		w.announces()
		if err := a.Remove(w.ctx, "r", "", presence.ReasonBanned); err == nil {
			t.Fatal("Remove of no user")
		}
	})
}

func TestArguments(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a", func(o *presence.Options) { o.MaxMeta = 10 })
		for _, p := range []presence.Peer{{}, {User: "u"}, {Connection: "c"}, {User: "u", Connection: "c", Status: "busy"}, {User: "u", Connection: "c", Meta: make([]byte, 11)}} {
			if _, err := a.Connect(p); err == nil {
				t.Errorf("Connect(%+v) is fine", p)
			}
		}
		c := a.joins("ada", "r")
		w.take()
		meta := []byte(`{"a":1234}`)
		w.must(c.Set(w.ctx, presence.Online, meta))
		meta[0] = 'x'
		w.announces(`r: ada online {"a":1234}`)
		if err := c.Set(w.ctx, presence.Online, make([]byte, 11)); !errors.Is(err, presence.ErrMetaTooLarge) {
			t.Errorf("large meta: %v", err)
		}
		if err := c.SetIn(w.ctx, "r", "", nil); !errors.Is(err, presence.ErrInvalidStatus) {
			t.Errorf("no status: %v", err)
		}
		if err := c.SetIn(w.ctx, "s", presence.Away, nil); !errors.Is(err, presence.ErrNotJoined) {
			t.Errorf("another room: %v", err)
		}
		w.must(c.Close(w.ctx, presence.ReasonDisconnected))
		if err := errors.Join(c.Close(w.ctx, presence.ReasonLeft)); err != nil {
			t.Errorf("second Close: %v", err)
		}
		for name, err := range map[string]error{
			"Join": c.Join(w.ctx, "r"), "Leave": c.Leave(w.ctx, "r", presence.ReasonLeft),
			"Set": c.Set(w.ctx, presence.Away, nil), "SetIn": c.SetIn(w.ctx, "r", presence.Away, nil),
		} {
			if !errors.Is(err, presence.ErrClosed) {
				t.Errorf("%s after Close: %v", name, err)
			}
		}
		w.announces()
	})
}

func TestOptions(t *testing.T) {
	t.Parallel()
	notify := func(_ context.Context, e []presence.Event) (int, error) { return len(e), nil }
	for name, o := range map[string]presence.Options{
		"no Notify":        {},
		"negative beat":    {Notify: notify, Beat: -1},
		"negative away":    {Notify: notify, AwayAfter: -1},
		"beat and timeout": {Notify: notify, Beat: time.Minute, Timeout: time.Minute},
		"beat and default": {Notify: notify, Beat: 2 * time.Minute},
		"meta":             {Notify: notify, MaxMeta: -1},
		"parallel":         {Notify: notify, Parallel: -1},
	} {
		if _, err := presence.NewTracker(presence.NewMemory(), o); err == nil {
			t.Errorf("%s is fine", name)
		}
	}
	if _, err := presence.NewTracker(nil, presence.Options{Notify: notify}); err == nil {
		t.Error("no Store is fine")
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		stays, back := a.joins("ada", "r"), a.joins("bob", "r")
		left := a.joins("eve", "r")
		w.take()
		w.must(back.Close(w.ctx, presence.ReasonDisconnected))
		go left.Close(w.ctx, presence.ReasonLeft)
		synctest.Wait()
		w.must(a.Close(w.ctx))
		w.must(a.Close(w.ctx))
		w.announces("r: eve left")
		if err := stays.Join(w.ctx, "s"); !errors.Is(err, presence.ErrClosed) {
			t.Errorf("Join: %v", err)
		}
		if err := stays.Close(w.ctx, presence.ReasonLeft); !errors.Is(err, presence.ErrClosed) {
			t.Errorf("Conn.Close: %v", err)
		}
		if err := a.Remove(w.ctx, "r", "ada", presence.ReasonLeft); !errors.Is(err, presence.ErrClosed) {
			t.Errorf("Remove: %v", err)
		}
		if _, err := a.Connect(presence.Peer{User: "u", Connection: "c"}); !errors.Is(err, presence.ErrClosed) {
			t.Errorf("Connect: %v", err)
		}
		stays.Active()
		// Who comes back on another node within the grace has never been away.
		w.after(5 * time.Second)
		b.joins("ada", "r")
		w.announces()
		b.lists("r", "ada online 2", "bob online 1")
		w.after(40 * time.Second) // the grace, and the other node's next look
		w.announces("r: bob timeout")
		b.lists("r", "ada online 1")
	})
}

// TestCloseLeavesGrace has another node look for the dead just after a node has
// closed.
func TestCloseLeavesGrace(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.node("a"), w.node("b")
		a.joins("ada", "r")
		a.joins("bob", "r")
		w.take()
		w.after(59 * time.Second)
		w.must(a.Close(w.ctx))
		w.after(9 * time.Second) // b has looked at 60 s
		w.announces()
		b.joins("ada", "r")
		w.after(30 * time.Second)
		w.announces("r: bob timeout")
	})
}

func TestCloseGivesUp(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a")
		c := a.joins("ada", "r")
		a.link.set(away)
		if err := c.Leave(w.ctx, "r", presence.ReasonLeft); !errors.Is(err, errAway) {
			t.Fatalf("Leave: %v", err)
		}
		ctx, cancel := context.WithTimeout(w.ctx, 3*time.Second)
		defer cancel()
		start := time.Now()
		if err := a.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Close: %v", err)
		}
		if d := time.Since(start); d != 3*time.Second {
			t.Fatalf("Close took %v", d)
		}
	})
}

func TestCloseTriesAgain(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.node("a")
		c := a.joins("ada", "r")
		w.take()
		a.link.set(away)
		c.Leave(w.ctx, "r", presence.ReasonLeft)
		time.AfterFunc(2*time.Second, func() { a.link.set(up) })
		w.must(a.Close(w.ctx))
		w.announces("r: ada left")
	})
}

// TestLog shows that trouble is told once, when it begins and when it is over.
func TestLog(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		var b strings.Builder
		a := w.node("a", func(o *presence.Options) {
			o.Logger = slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		for _, r := range []string{"r", "s", "t"} {
			a.joins("ada", r)
		}
		if a.Err() != nil || b.Len() > 0 {
			t.Fatalf("err %v, log %s", a.Err(), b.String())
		}
		a.link.set(away)
		for _, r := range []string{"r", "s", "t"} {
			if err := a.connect("bob").Join(w.ctx, r); !errors.Is(err, errAway) {
				t.Fatal(err)
			}
		}
		w.after(30 * time.Second)
		if !errors.Is(a.Err(), errAway) {
			t.Fatalf("Err: %v", a.Err())
		}
		a.link.set(up)
		w.after(30 * time.Second)
		if a.Err() != nil {
			t.Fatalf("Err: %v", a.Err())
		}
		if log := b.String(); strings.Count(log, "\n") != 2 || strings.Count(log, "presence failing") != 1 || strings.Count(log, "presence recovered") != 1 {
			t.Fatalf("log:\n%s", log)
		}
	})
}
