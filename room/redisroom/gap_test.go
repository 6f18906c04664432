package redisroom

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/internal/redisx"
	"github.com/wardroom/wardroom/room"
)

// aside is a node that can be made deaf, another that speaks, and what the first
// has heard.
type aside struct {
	server *redistest.Server
	deaf   atomic.Bool
	missed chan string
	b      *Broker
	other  *Broker
	heard  chan room.Message
}

func newAside(t *testing.T, name string) *aside {
	t.Helper()
	return newAsideOf(t, name, func(c rueidis.Client) rueidis.Client { return c })
}

// newAsideOf is newAside whose first node has another client to Redis.
func newAsideOf(t *testing.T, name string, wrap func(rueidis.Client) rueidis.Client) *aside {
	t.Helper()
	a := &aside{server: redistest.Start(t), heard: make(chan room.Message, 1000), missed: make(chan string, 1000)}
	a.b = NewBroker(deafClient{wrap(a.server.Client()), &a.deaf, a.missed})
	t.Cleanup(a.b.Close)
	a.other = NewBroker(a.server.Client(), WithTimeout(20*time.Second))
	t.Cleanup(a.other.Close)
	for end := time.Now().Add(20 * time.Second); ; {
		_, cancel, err := a.b.Subscribe(t.Context(), name, func(m room.Message) { a.heard <- m })
		if err == nil {
			t.Cleanup(cancel)
			return a
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func (a *aside) say(t *testing.T, name, event, data string, keep room.Retention) {
	t.Helper()
	m := room.Message{Kind: room.KindMessage, Room: name, Event: event, Binary: true, Data: []byte(data), At: now()}
	if _, err := a.other.Publish(context.Background(), m, keep); err != nil {
		t.Fatal(err)
	}
}

// miss has the first node miss what is said.
func (a *aside) miss(t *testing.T, name, event, data string, keep room.Retention) {
	t.Helper()
	a.deaf.Store(true)
	a.say(t, name, event, data, keep)
	for end := time.After(20 * time.Second); ; {
		select {
		case channel := <-a.missed:
			if channel == a.b.keysOf(name).channel {
				return
			}
		case <-end:
			t.Fatalf("%q has not come", event)
		}
	}
}

// hears fails unless these come next.
func (a *aside) hears(t *testing.T, events ...string) {
	t.Helper()
	for i, want := range events {
		select {
		case m := <-a.heard:
			if m.Event != want || m.Kind != room.KindMessage {
				t.Fatalf("number %d is %q of kind %d, want %q", i+1, m.Event, m.Kind, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%q, number %d of %d, is never heard", want, i+1, len(events))
		}
	}
}

// What comes after a gap is not lost because Redis does not have it any more: it
// is there.
func TestAfterAGap(t *testing.T) {
	t.Parallel()
	a := newAside(t, "room")
	a.miss(t, "room", "missed", "", room.Retention{})
	a.deaf.Store(false)
	// What is never in the tail. It is what the gap is noticed by.
	a.say(t, "room", "large", strings.Repeat("x", maxTail+1), room.Retention{})
	a.say(t, "room", "small", "", room.Retention{})
	a.hears(t, "missed", "large", "small")
}

// A gap of large messages is filled, too: within one call's time they are not
// all to be had.
func TestLargeGap(t *testing.T) {
	t.Parallel()
	a := newAside(t, "room")
	a.deaf.Store(true)
	const some = 24
	large := strings.Repeat("x", 5<<20)
	var want []string
	for i := range some {
		a.say(t, "room", strconv.Itoa(i), large, room.Keep(100, time.Hour))
		want = append(want, strconv.Itoa(i))
	}
	a.deaf.Store(false)
	a.say(t, "room", "end", "", room.Keep(100, time.Hour))
	a.hears(t, append(want, "end")...)
}

// far is a client to which what is missing is a long way.
type far struct {
	rueidis.Client
	way time.Duration
}

func (c far) Do(ctx context.Context, command rueidis.Completed) rueidis.RedisResult {
	return c.DoMulti(ctx, command)[0]
}

func (c far) DoMulti(ctx context.Context, commands ...rueidis.Completed) []rueidis.RedisResult {
	fills := slices.ContainsFunc(commands, func(c rueidis.Completed) bool { return slices.Contains(c.Commands(), fillScript.sha) })
	list := c.Client.DoMulti(ctx, commands...)
	if !fills {
		return list
	}
	select {
	case <-time.After(c.way):
	case <-ctx.Done():
		for i := range list {
			list[i] = rueidis.NewErrorResult(ctx.Err())
		}
	}
	return list
}

// What takes longer to come than a call may take comes all the same, if not as
// long as that.
func TestGapFarAway(t *testing.T) {
	t.Parallel()
	a := newAsideOf(t, "room", func(c rueidis.Client) rueidis.Client { return far{c, 2 * redisx.DefaultTimeout} })
	a.miss(t, "room", "missed", "", room.Keep(10, time.Hour))
	a.deaf.Store(false)
	a.say(t, "room", "end", "", room.Keep(10, time.Hour))
	a.hears(t, "missed", "end")
}

// A deployment in another database of the same Redis has the same channels. It
// does not get in the way.
func TestForeignGeneration(t *testing.T) {
	t.Parallel()
	a := newAside(t, "room")
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{a.server.Addr()}, ForceSingleClient: true, DisableCache: true, SelectDB: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	foreign := NewBroker(client, WithTimeout(20*time.Second))
	defer foreign.Close()
	a.say(t, "room", "first", "", room.Retention{})
	a.hears(t, "first")
	const some = 20
	for i := range some {
		m := room.Message{Kind: room.KindMessage, Room: "room", Event: "foreign", At: now()}
		if _, err := foreign.Publish(t.Context(), m, room.Keep(10, time.Hour)); err != nil {
			t.Fatal(err)
		}
		a.say(t, "room", strconv.Itoa(i), "", room.Retention{})
		a.hears(t, strconv.Itoa(i))
	}
	stats := "evalsha"
	for end := time.Now().Add(20 * time.Second); strings.Contains(stats, "evalsha"); {
		if time.Now().After(end) {
			t.Fatalf("in silence Redis is asked all the time:\n%s", stats)
		}
		a.server.Do("CONFIG", "RESETSTAT")
		time.Sleep(100 * time.Millisecond)
		stats = a.server.Do("INFO", "commandstats")
	}
}

// What is old news when it comes, because the room is in another generation by
// now, is not asked for over and over.
func TestFramesOfAnOldGeneration(t *testing.T) {
	a := newAside(t, "room")
	a.say(t, "room", "first", "", room.Retention{})
	a.hears(t, "first")
	b := NewBroker(a.server.Client(), WithTimeout(20*time.Second))
	defer b.Close()
	f, err := b.open(b.keysOf("room"))
	if err != nil {
		t.Fatal(err)
	}
	defer b.release(f)
	if _, err := f.subscribe(t.Context(), &subscriber{deliver: func(room.Message) {}}); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	gen, seq := f.gen, f.seq
	f.mu.Unlock()
	a.server.Do("FLUSHALL")
	a.say(t, "room", "second", "", room.Retention{})
	settles := func(what string, gone string) {
		t.Helper()
		state := ""
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
			f.mu.Lock()
			state = fmt.Sprintf("state %d, generation %s, %d pending", f.state, f.gen, len(f.pending))
			over := f.state == live && f.gen != gone && len(f.pending) == 0
			f.mu.Unlock()
			if over {
				return
			}
		}
		t.Fatalf("%s: %s", what, state)
	}
	settles("after the loss", gen)
	var e entry
	e.seq, e.Kind = seq+1, room.KindMessage
	f.take([]frame{{gen, e}, {gen, e}})
	settles("after what is old", gen)
}

// A room where nothing is said does not keep what was said last.
func TestSilentRoomKeepsNothing(t *testing.T) {
	const rooms, size = 20, 1 << 20
	server := redistest.Start(t)
	b := NewBroker(server.Client(), WithTimeout(20*time.Second))
	defer b.Close()
	heard := make(chan room.Position, rooms)
	for i := range rooms {
		_, cancel, err := b.Subscribe(t.Context(), fmt.Sprint("room", i), func(m room.Message) { heard <- m.Position })
		if err != nil {
			t.Fatal(err)
		}
		defer cancel()
	}
	before := heap()
	var at [rooms]room.Position // as subscribers keep it
	for i := range rooms {
		m := room.Message{Kind: room.KindMessage, Room: fmt.Sprint("room", i), Data: make([]byte, size), At: now()}
		if _, err := b.Publish(t.Context(), m, room.Keep(10, time.Hour)); err != nil {
			t.Fatal(err)
		}
		at[i] = <-heard
	}
	const most = rooms * size / 4
	var more int64
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if more = heap() - before; more < most {
			break
		}
	}
	if more >= most {
		t.Errorf("%d rooms keep %d KiB of the %d that were said", rooms, more>>10, rooms*size>>10)
	}
	for i := range at {
		if at[i].Offset != 1 || len(at[i].Epoch) != epochSize {
			t.Errorf("room %d is at %+v", i, at[i])
		}
	}
}

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what was in a pool is dropped at the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Who came after what is lost has lost nothing.
func TestLossOfOthers(t *testing.T) {
	t.Parallel()
	a := newAside(t, "room")
	a.miss(t, "room", "too large to be had again", strings.Repeat("x", maxTail+1), room.Retention{})
	heard := make(chan room.Message, 10)
	for end := time.Now().Add(20 * time.Second); ; {
		_, cancel, err := a.b.Subscribe(t.Context(), "room", func(m room.Message) { heard <- m })
		if err == nil {
			defer cancel()
			break
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	a.deaf.Store(false)
	a.say(t, "room", "end", "", room.Retention{})
	for i, ear := range []chan room.Message{a.heard, heard} {
		var kinds []room.Kind
		for len(kinds) == 0 || kinds[len(kinds)-1] != room.KindMessage {
			select {
			case m := <-ear:
				kinds = append(kinds, m.Kind)
			case <-time.After(30 * time.Second):
				t.Fatalf("ear %d heard %v and no end", i, kinds)
			}
		}
		if want := []room.Kind{room.KindLost, room.KindMessage}[i:]; !slices.Equal(kinds, want) {
			t.Errorf("ear %d heard %v, want %v", i, kinds, want)
		}
	}
}

// What comes faster than subscribers take it waits in Redis, which has a limit
// for it, and not here.
func TestSlowSubscriber(t *testing.T) {
	const some, size = 64, 1 << 20
	server := redistest.Start(t, "--client-output-buffer-limit", "pubsub 0 0 0")
	b, other := NewBroker(server.Client(), WithTimeout(20*time.Second)), NewBroker(server.Client(), WithTimeout(20*time.Second))
	defer b.Close()
	defer other.Close()
	var heard atomic.Int64
	before := heap()
	begun, blocked := make(chan struct{}, some), make(chan struct{})
	_, cancel, err := b.Subscribe(t.Context(), "room", func(room.Message) {
		begun <- struct{}{}
		<-blocked
		heard.Add(1)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	for range some {
		m := room.Message{Kind: room.KindMessage, Room: "room", Data: make([]byte, size), At: now()}
		if _, err := other.Publish(t.Context(), m, room.Keep(some, time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	<-begun
	time.Sleep(time.Second) // for what comes to have come
	if more := heap() - before; more > maxArrived+16<<20 {
		t.Errorf("%d MiB are waiting", more>>20)
	}
	close(blocked)
	for end := time.Now().Add(30 * time.Second); heard.Load() < some; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d are heard", heard.Load(), some)
		}
	}
}
