package redisroom_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
)

// pair is a primary and a replica that has what it has.
func pair(t testing.TB, args ...string) (primary, replica *redistest.Server) {
	t.Helper()
	primary = redistest.Start(t, args...)
	host, port, _ := strings.Cut(primary.Addr(), ":")
	replica = redistest.Start(t, "--replicaof", host+" "+port)
	for end := time.Now().Add(patience); !strings.Contains(replica.Do("INFO", "replication"), "master_link_status:up"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the replica does not follow")
		}
	}
	return primary, replica
}

func TestBrokerConformsWithReplicas(t *testing.T) {
	t.Parallel()
	primary, _ := pair(t)
	conformBroker(t, primary.Client(), primary.Client(), redisroom.WithReplicas(1))
}

// What is stored while a replica stands still is not acknowledged, in time; the
// same ID is acknowledged once the replica has it, as a duplicate. What need not
// wait does not.
func TestReplicaAway(t *testing.T) {
	t.Parallel()
	primary, replica := pair(t)
	const timeout = 2 * time.Second
	b := node(t, primary.Client(), redisroom.WithTimeout(timeout), redisroom.WithReplicas(1))
	ctx := t.Context()
	e := listen(t, b, "room")
	first := store(t, b, said("room", "first", "1"))
	replica.Pause()

	m := said("room", "waits", "2")
	m.ID = "2"
	edit := said("room", "", "3")
	edit.Kind, edit.Target = room.KindEdited, first.Offset
	var calls sync.WaitGroup
	var over atomic.Bool
	waits := func(what string, call func() error) {
		calls.Go(func() {
			began := time.Now()
			err := call()
			if d := time.Since(began); d < timeout/4 || d > 2*timeout {
				t.Errorf("%s took %v", what, d)
			}
			if !errors.Is(err, room.ErrUnavailable) {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
	if _, err := b.Publish(ctx, said("room of no replica", "x", ""), room.Retention{}); err != nil {
		t.Fatal(err)
	}
	waits("publish", func() error { _, err := b.Publish(ctx, m, keepAll); return err })
	e.until("what is stored but not acknowledged", event("waits"))
	waits("amend", func() error { _, err := b.Amend(ctx, edit, "", keepAll); return err })
	waits("forget", func() error { return b.Forget(ctx, "room of no replica") })
	done := make(chan struct{})
	go func() { calls.Wait(); over.Store(true); close(done) }()
	// All of the lanes are asked.
	longest, n := time.Duration(0), 0
	for ; !over.Load(); n++ {
		began := time.Now()
		name := fmt.Sprint("other", n%16)
		if _, err := b.Publish(ctx, said(name, "talk", ""), room.Retention{}); err != nil {
			t.Errorf("what is not stored: %v", err)
		}
		if _, err := b.Replay(ctx, "room", room.Range{Limit: 10}); err != nil {
			t.Errorf("replay: %v", err)
		}
		longest = max(longest, time.Since(began))
		time.Sleep(time.Millisecond)
	}
	<-done
	if n < 16 || longest > timeout/2 {
		t.Errorf("%d calls that need no replica, the longest took %v", n, longest)
	}
	if err := b.Health(); err != nil {
		t.Errorf("health: %v", err)
	}
	// A repetition that finds it there must not be acknowledged for that.
	if r, err := b.Publish(ctx, m, keepAll); !errors.Is(err, room.ErrUnavailable) {
		t.Errorf("repeated while the replica stands still: %+v, %v", r, err)
	}
	replica.Resume()
	r := store(t, b, m)
	if !r.Duplicate || r.Offset < 2 {
		t.Errorf("repeated when the replica is back: %+v", r)
	}
	inOrder(t, "ear", e.heard())
}

// A caller that waits for a shorter time than others is refused in its own, and
// does not make Redis look away.
func TestReplicaAwayForTheHasty(t *testing.T) {
	t.Parallel()
	primary, replica := pair(t)
	var log journal
	b := node(t, primary.Client(), redisroom.WithTimeout(3*time.Second), redisroom.WithReplicas(1),
		redisroom.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	store(t, b, said("room", "first", ""))
	replica.Pause()
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() { _, _ = b.Publish(t.Context(), said("room", "patient", ""), keepAll) })
		calls.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			began := time.Now()
			if _, err := b.Publish(ctx, said("room", "hasty", ""), keepAll); !errors.Is(err, room.ErrUnavailable) {
				t.Errorf("publish: %v", err)
			}
			if d := time.Since(began); d > 2*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
	calls.Wait()
	if text := log.String(); strings.Contains(text, "redis_down") || !strings.Contains(text, "redis_replicas_missing") {
		t.Errorf("the log is %q", text)
	}
}

// journal is what a broker has logged.
type journal struct {
	mu  sync.Mutex // protects buf
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// When Redis itself stands still that is found out too, and what comes then is
// refused at once.
func TestPauseWithReplicas(t *testing.T) {
	t.Parallel()
	primary, _ := pair(t)
	b := node(t, primary.Client(), redisroom.WithReplicas(1))
	store(t, b, said("room", "first", ""))
	primary.Pause()
	eventually(t, "refusals at once", func() error {
		began := time.Now()
		if _, err := b.Publish(t.Context(), said("room", "refused", ""), keepAll); !errors.Is(err, room.ErrUnavailable) {
			t.Fatalf("publish: %v", err)
		}
		if d := time.Since(began); d > 50*time.Millisecond {
			return fmt.Errorf("it took %v", d)
		}
		if b.Health() == nil {
			return errors.New("the broker says that it is well")
		}
		return nil
	})
	primary.Resume()
	eventually(t, "health", b.Health)
	store(t, b, said("room", "again", ""))
}

// talkers publish until they are stopped, and remember what was acknowledged.
type talkers struct {
	stop context.CancelFunc
	wg   sync.WaitGroup

	mu    sync.Mutex // protects acked
	acked []string
}

func talk(t *testing.T, b *redisroom.Broker, name string) *talkers {
	var ctx context.Context
	c := new(talkers)
	ctx, c.stop = context.WithCancel(t.Context())
	t.Cleanup(func() { c.stop(); c.wg.Wait() })
	for i := range 8 {
		c.wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				m := said(name, "talk", fmt.Sprint(i, ".", n))
				m.ID = string(m.Data)
				if _, err := b.Publish(ctx, m, keepAll); err == nil {
					c.mu.Lock()
					c.acked = append(c.acked, m.ID)
					c.mu.Unlock()
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	return c
}

func (c *talkers) number() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.acked)
}

// end stops them and returns how many were acknowledged and are not there.
func (c *talkers) end(t *testing.T, b *redisroom.Broker, name string) (missing, of int) {
	t.Helper()
	c.stop()
	c.wg.Wait()
	there := make(map[string]bool)
	for at, more := uint64(0), true; more; {
		var page room.Page
		eventually(t, "replay", func() (err error) {
			page, err = b.Replay(context.Background(), name, room.Range{After: at, Limit: 1000})
			return err
		})
		for _, m := range page.Messages {
			there[string(m.Data)] = true
			at = m.Offset
		}
		more = page.More && len(page.Messages) > 0
	}
	for _, id := range c.acked {
		if !there[id] {
			missing++
		}
	}
	return missing, len(c.acked)
}

// A replica that was behind when the primary died has all that was acknowledged
// to who waits for it, and not all that was to who does not.
func TestReplicaBehind(t *testing.T) {
	t.Parallel()
	primary, replica := pair(t)
	safe, fast := node(t, primary.Client(), redisroom.WithReplicas(1)), node(t, primary.Client())
	c := talk(t, safe, "safe")
	eventually(t, "talk", func() error {
		if n := c.number(); n < 200 {
			return fmt.Errorf("%d were acknowledged", n)
		}
		return nil
	})
	replica.Pause()
	// More than there is room for on the way to the replica, which gets what
	// is under way even from a server that is dead.
	var last room.Receipt
	for range 200 {
		last = store(t, fast, said("fast", "talk", strings.Repeat("x", 256<<10)))
	}
	primary.Kill()
	replica.Resume()
	replica.Do("REPLICAOF", "NO", "ONE")
	b := node(t, replica.Client())
	if missing, of := c.end(t, b, "safe"); missing > 0 {
		t.Errorf("%d of %d acknowledged messages are missing", missing, of)
	}
	if page, err := b.Replay(t.Context(), "fast", room.Range{Newest: true, Limit: 1}); err != nil || page.Last.Offset >= last.Offset {
		t.Errorf("what nobody waited for reaches to %+v, of %+v; %v: the test shows nothing", page.Last, last.Position, err)
	}
}

// The replica that Sentinels promote when the primary is killed has all that
// was acknowledged.
func TestSentinelFailoverWithReplicas(t *testing.T) {
	t.Parallel()
	sentinel := redistest.StartSentinel(t)
	b := node(t, sentinel.Client(), redisroom.WithReplicas(2))
	c := talk(t, b, "room")
	eventually(t, "talk", func() error {
		if n := c.number(); n < 300 {
			return fmt.Errorf("%d were acknowledged", n)
		}
		return nil
	})
	was := sentinel.Primary()
	was.Kill()
	sentinel.Promoted(was)
	if missing, of := c.end(t, node(t, sentinel.Client()), "room"); missing > 0 {
		t.Errorf("%d of %d acknowledged messages are missing", missing, of)
	}
	// Two are no longer there.
	if _, err := b.Publish(t.Context(), said("room", "talk", "x"), keepAll); !errors.Is(err, room.ErrUnavailable) {
		t.Errorf("publish with one replica of two: %v", err)
	}
}

// In a cluster each primary has replicas of its own, and redirections are
// followed together with the waiting.
func TestClusterWithReplicas(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t)
	slow := redisroom.WithTimeout(2 * time.Second)
	b := node(t, cluster.Client(), slow, redisroom.WithReplicas(1))
	const name = "room"
	slot := cluster.Slot("wardroom:{r:" + name + "}")
	e := listen(t, b, name)
	c := talk(t, b, "busy")
	n := 0
	some := func() {
		for range 5 {
			m := said(name, "talk", fmt.Sprint(n))
			m.ID = fmt.Sprint(n)
			n++
			store(t, b, m)
		}
	}
	some()
	from := cluster.Primary(slot)
	to := cluster.Servers[slices.IndexFunc(cluster.Servers[:3], func(s *redistest.Server) bool { return s != from })]
	cluster.Migrate(slot, to)
	some()
	busy := cluster.Slot("wardroom:{r:busy}")
	cluster.Migrate(busy, cluster.Servers[slices.IndexFunc(cluster.Servers[:3], func(s *redistest.Server) bool { return s != cluster.Primary(busy) })])
	cluster.Failover(slot)
	some()
	for i, m := range e.until("the last", func(m room.Message) bool { return string(m.Data) == strconv.Itoa(n-1) }) {
		if m.Offset != uint64(i+1) || string(m.Data) != strconv.Itoa(i) {
			t.Fatalf("number %d is %+v", i+1, m)
		}
	}
	if missing, of := c.end(t, b, "busy"); missing > 0 || of == 0 {
		t.Errorf("%d of %d acknowledged messages are missing", missing, of)
	}

	// A room in the middle of what another primary has.
	other := ""
	for i := 0; other == ""; i++ {
		name := fmt.Sprint("other", i)
		if at := cluster.Slot("wardroom:{r:" + name + "}"); cluster.Primary(at) != cluster.Primary(slot) && at%5461 > 1500 && at%5461 < 4000 {
			other = name
		}
	}
	replica := cluster.Replica(slot)
	replica.Pause()
	defer replica.Resume()
	if _, err := b.Publish(t.Context(), said(name, "waits", ""), keepAll); !errors.Is(err, room.ErrUnavailable) {
		t.Errorf("publish: %v", err)
	}
	began := time.Now()
	store(t, b, said(other, "talk", ""))
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("a message to another primary took %v", d)
	}
}

// What waiting for a replica costs.
func BenchmarkPublishWithReplicas(b *testing.B) {
	primary, _ := pair(b)
	for n := range 2 {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			broker := redisroom.NewBroker(primary.Client(), redisroom.WithTimeout(5*time.Second), redisroom.WithReplicas(n))
			defer broker.Close()
			m := said("room", "talk", strings.Repeat("x", 100))
			keep := room.Keep(1000, time.Hour)
			b.Run("one", func(b *testing.B) {
				for range b.N {
					if _, err := broker.Publish(b.Context(), m, keep); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("many", func(b *testing.B) {
				b.SetParallelism(64)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if _, err := broker.Publish(b.Context(), m, keep); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		})
	}
}
