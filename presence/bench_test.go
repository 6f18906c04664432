package presence_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/wardroom/wardroom/presence"
)

func newBench(b *testing.B, change ...func(*presence.Options)) *presence.Tracker {
	b.Helper()
	o := presence.Options{Notify: func(_ context.Context, e []presence.Event) (int, error) { return len(e), nil }}
	for _, f := range change {
		f(&o)
	}
	t, err := presence.NewTracker(presence.NewMemory(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { t.Close(context.Background()) })
	return t
}

func mustConnect(b *testing.B, t *presence.Tracker, i int) *presence.Conn {
	b.Helper()
	c, err := t.Connect(presence.Peer{User: fmt.Sprintf("user%06d", i), Connection: fmt.Sprintf("c%06d", i)})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func fill(b *testing.B, t *presence.Tracker, room string, users int) {
	b.Helper()
	for i := range users {
		if err := mustConnect(b, t, i).Join(b.Context(), room); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJoinLeave is a visit: written and announced twice.
func BenchmarkJoinLeave(b *testing.B) {
	for _, users := range []int{0, 1000, 10_000} {
		b.Run(fmt.Sprint(users), func(b *testing.B) {
			t := newBench(b, func(o *presence.Options) { o.LargeRoom = -1 })
			fill(b, t, "r", users)
			c := mustConnect(b, t, users/2*1000+7)
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Join(b.Context(), "r"); err != nil {
					b.Fatal(err)
				}
				if err := c.Leave(b.Context(), "r", presence.ReasonLeft); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStorm is joining a large room, all at once.
func BenchmarkStorm(b *testing.B) {
	t := newBench(b)
	fill(b, t, "r", 300)
	ctx := context.Background()
	i := 1000
	b.ReportAllocs()
	for b.Loop() {
		i++
		if err := mustConnect(b, t, i).Join(ctx, "r"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSet(b *testing.B) {
	t := newBench(b)
	c := mustConnect(b, t, 1)
	if err := c.Join(b.Context(), "r"); err != nil {
		b.Fatal(err)
	}
	states := [2]presence.Status{presence.Away, presence.Online}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		if err := c.Set(b.Context(), states[i%2], nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkActive(b *testing.B) {
	t := newBench(b, func(o *presence.Options) { o.AwayAfter = 1 << 40 })
	c := mustConnect(b, t, 1)
	b.ReportAllocs()
	for b.Loop() {
		c.Active()
	}
}

func BenchmarkList(b *testing.B) {
	t := newBench(b, func(o *presence.Options) { o.LargeRoom = -1 })
	fill(b, t, "r", 10_000)
	b.ReportAllocs()
	for b.Loop() {
		if p, err := t.List(b.Context(), "r", presence.Query{After: "user005000"}); err != nil || len(p.Members) != 100 {
			b.Fatal(len(p.Members), err)
		}
	}
}

// BenchmarkConnection is the memory of a connection, with the store's, that is
// in one room and present everywhere.
func BenchmarkConnection(b *testing.B) {
	const n = 10_000
	var before, after runtime.MemStats
	for b.Loop() {
		b.StopTimer()
		t := newBench(b, func(o *presence.Options) { o.LargeRoom = -1 })
		conns := make([]*presence.Conn, n)
		runtime.GC()
		runtime.ReadMemStats(&before)
		b.StartTimer()
		for i := range conns {
			conns[i] = mustConnect(b, t, i)
			for _, room := range []string{"", fmt.Sprint("r", i/100)} {
				if err := conns[i].Join(b.Context(), room); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.StopTimer()
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(conns)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/connection")
		t.Close(b.Context())
		b.StartTimer()
	}
}
