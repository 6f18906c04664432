package room_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/roomtest"
)

func TestMemoryBroker(t *testing.T) {
	roomtest.TestBroker(t, func(*testing.T) room.Broker { return room.NewMemoryBroker() })
}

func spoken(name, from, id string) room.Message {
	return room.Message{Kind: room.KindMessage, Room: name, Event: "message", From: from, ID: id, Data: []byte("1"), At: time.UnixMilli(time.Now().UnixMilli())}
}

func say(t *testing.T, b room.Broker, m room.Message, keep room.Retention) room.Receipt {
	t.Helper()
	r, err := b.Publish(t.Context(), m, keep)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The memory broker delivers before Publish returns: whoever published can
// flush what it caused.
func TestMemoryBrokerDeliversAtOnce(t *testing.T) {
	b := room.NewMemoryBroker()
	got := 0
	_, cancel, err := b.Subscribe(t.Context(), "room", func(room.Message) { got++ })
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	for i := range 10 {
		if say(t, b, spoken("room", "ada", ""), room.Retention{}); got != i+1 {
			t.Fatalf("%d messages were delivered when %d had been published", got, i+1)
		}
	}
}

// IDs are remembered for ten minutes, and the newest 10,000 of a room.
func TestMemoryBrokerDedupWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := room.NewMemoryBroker()
		keep := room.Keep(1, time.Hour)
		first := say(t, b, spoken("room", "ada", "id"), keep)
		time.Sleep(10*time.Minute - time.Millisecond)
		if r := say(t, b, spoken("room", "ada", "id"), keep); !r.Duplicate || r.Position != first.Position {
			t.Errorf("just within the window: %+v, want the duplicate of %+v", r, first)
		}
		time.Sleep(time.Millisecond)
		again := say(t, b, spoken("room", "ada", "id"), keep)
		if again.Duplicate || again.Offset != 2 {
			t.Errorf("just after the window: %+v, want a new message", again)
		}
		if r := say(t, b, spoken("room", "ada", "id"), keep); !r.Duplicate || r.Position != again.Position {
			t.Errorf("then: %+v, want the duplicate of the second, %+v", r, again)
		}

		for i := range 9_999 {
			say(t, b, spoken("room", "bob", fmt.Sprint(i)), keep)
		}
		if r := say(t, b, spoken("room", "ada", "id"), keep); !r.Duplicate {
			t.Errorf("after 9,999 newer ones: %+v, want a duplicate", r)
		}
		say(t, b, spoken("room", "bob", "one more"), keep)
		if r := say(t, b, spoken("room", "ada", "id"), keep); r.Duplicate {
			t.Errorf("after 10,000 newer ones: %+v, want a new message", r)
		}
	})
}

// What a room keeps is bounded by what it is to keep, not by what was said.
func TestMemoryBrokerTrims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := room.NewMemoryBroker()
		data := make([]byte, 1<<10)
		use := func() uint64 {
			runtime.GC()
			var stats runtime.MemStats
			runtime.ReadMemStats(&stats)
			return stats.HeapAlloc
		}
		before := use()
		for i := range 100_000 {
			m := spoken("room", "ada", "")
			m.Data = append([]byte(nil), data...)
			if i%10 == 0 {
				m.ID = fmt.Sprint(i)
			}
			say(t, b, m, room.Keep(100, 10*time.Second))
			time.Sleep(10 * time.Millisecond)
		}
		// 100 messages of 1 KiB, and 6,000 IDs of ten minutes.
		if after := use(); after > before+4<<20 {
			t.Errorf("after 100 MB of messages the heap is %d KiB larger", (after-before)>>10)
		}
		page, err := b.Replay(t.Context(), "room", room.Range{Limit: 1000})
		if err != nil || len(page.Messages) != 100 {
			t.Fatalf("%d messages are kept, want 100 (%v)", len(page.Messages), err)
		}
		time.Sleep(9*time.Second + 500*time.Millisecond)
		page, err = b.Replay(t.Context(), "room", room.Range{Limit: 1000})
		if err != nil || len(page.Messages) != 50 || page.First != 99_951 || page.Last.Offset != 100_000 {
			t.Errorf("half of them having aged: %d messages from %d to %d, want 50 from 99,951 to 100,000 (%v)",
				len(page.Messages), page.First, page.Last.Offset, err)
		}
		runtime.KeepAlive(b)
	})
}

// Rooms that came and went leave nothing behind.
func TestMemoryBrokerForgetsRooms(t *testing.T) {
	const rooms = 10_000
	t.Run("visited", func(t *testing.T) {
		b := room.NewMemoryBroker()
		for i := range rooms {
			name := fmt.Sprint("room:", i)
			_, cancel, err := b.Subscribe(t.Context(), name, func(room.Message) {})
			if err != nil {
				t.Fatal(err)
			}
			say(t, b, spoken(name, "ada", "id"), room.Retention{})
			cancel()
		}
		if n := held(b, "logs"); n > 0 {
			t.Errorf("%d of %d rooms are left", n, rooms)
		}
	})
	t.Run("asked for", func(t *testing.T) {
		b := room.NewMemoryBroker()
		for i := range rooms {
			name := fmt.Sprint("room:", i)
			if _, err := b.Replay(t.Context(), name, room.Range{Limit: 1}); err != nil {
				t.Fatal(err)
			}
			m := room.Message{Kind: room.KindRedacted, Room: name, Target: 1, At: time.Now()}
			if _, err := b.Amend(t.Context(), m, "", room.Keep(1, time.Hour)); !errors.Is(err, room.ErrNoMessage) {
				t.Fatal(err)
			}
			if err := b.Forget(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		if n := held(b, "logs"); n > 0 {
			t.Errorf("%d of %d rooms are left", n, rooms)
		}
	})
	t.Run("forgotten", func(t *testing.T) {
		b := room.NewMemoryBroker()
		for i := range rooms {
			name := fmt.Sprint("room:", i)
			say(t, b, spoken(name, "ada", "id"), room.Keep(10, time.Hour))
			if err := b.Forget(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		if n := held(b, "logs"); n > 0 {
			t.Errorf("%d of %d rooms are left", n, rooms)
		}
	})
	t.Run("aged", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := room.NewMemoryBroker()
			for i := range rooms {
				say(t, b, spoken(fmt.Sprint("old:", i), "ada", "id"), room.Keep(10, time.Minute))
			}
			if n := held(b, "logs"); n != rooms {
				t.Fatalf("%d rooms with a message are known, want all %d", n, rooms)
			}
			time.Sleep(11 * time.Minute)
			for visits := 0; held(b, "logs") > rooms/100; visits++ {
				_, cancel, err := b.Subscribe(t.Context(), fmt.Sprint("new:", visits), func(room.Message) {})
				if err != nil {
					t.Fatal(err)
				}
				cancel()
				if visits > rooms {
					t.Fatalf("after %d visits to others %d rooms with nothing in them are left", visits, held(b, "logs"))
				}
			}
		})
	})
}

// A room that is being forgotten for being empty, and one that is used again at
// the same time, are one room: nobody publishes into, or listens at, a log that
// is no longer the room's.
func TestMemoryBrokerRevives(t *testing.T) {
	b := room.NewMemoryBroker()
	const goroutines, rounds = 8, 2000
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range rounds {
				name := fmt.Sprint("room", rand.IntN(3))
				got := 0
				mine := fmt.Sprint(rand.Uint64())
				_, cancel, err := b.Subscribe(t.Context(), name, func(m room.Message) {
					if m.Event == mine {
						got++
					}
				})
				if err != nil {
					t.Error(err)
					return
				}
				m := spoken(name, "ada", "")
				m.Event = mine
				if _, err := b.Publish(t.Context(), m, room.Retention{}); err != nil || got != 1 {
					t.Errorf("a subscriber was given its own message %d times (%v)", got, err)
					cancel()
					return
				}
				cancel()
			}
		})
	}
	wg.Wait()
	if n := held(b, "logs"); n > 0 {
		t.Errorf("%d rooms are left", n)
	}
}
