package room_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

// descriptors counts the open files of this process, where the system tells.
func descriptors() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}

// heap is how much memory is in use after a collection.
func heap() int {
	runtime.GC()
	runtime.GC() // what pools held
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// Ten thousand connections that come, join, leave and go in every way leave
// nothing behind.
func TestChurnLeavesNothing(t *testing.T) {
	cycles, workers := 10_000, 8
	if race {
		cycles = 2_000
	}
	store, broker := room.NewMemoryStore(), room.NewMemoryBroker()
	h := serve(t, house(), room.WithStore(store), room.WithBroker(broker),
		room.WithLogger(slog.New(slog.DiscardHandler)),
		room.WithRooms("open:*", room.Settings{Permission: room.Public, Standing: true, History: room.Keep(10, time.Hour)}))
	h.fleeting = true
	h.accepted.forget()

	var next atomic.Int64
	churn := func(cycles int) {
		end := next.Load() + int64(cycles)
		var working sync.WaitGroup
		for range workers {
			working.Go(func() {
				for {
					n := int(next.Add(1))
					if n > int(end) || t.Failed() {
						return
					}
					comeAndGo(h, n)
				}
			})
		}
		working.Wait()
		next.Store(end)
	}
	same := func(base map[string]int) {
		t.Helper()
		var now map[string]int
		for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			if now = room.Tables(h.srv, store, broker); maps.Equal(now, base) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("the tables began as %v and are %v", base, now)
			}
		}
	}

	// The server has things of its own once it is in use, and one goroutine more
	// from when the first connection has rested, as one may on a busy machine.
	ada := h.connect("ada")
	if runtime.GOOS == "linux" {
		stacks := make([]byte, 1<<20)
		eventually(t, "a connection rests", func() bool {
			return bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("transport.(*Park).run"))
		})
	}
	ada.hangUp()
	eventually(t, "nobody is there", func() bool { return h.srv.Stats() == (room.Stats{}) })
	base := room.Tables(h.srv, store, broker)
	churn(100) // what is made once, such as pools
	same(base)
	time.Sleep(100 * time.Millisecond) // longer than the grace of a session
	goroutines, files, memory := runtime.NumGoroutine(), descriptors(), heap()

	began := time.Now()
	churn(cycles)
	t.Logf("%d cycles in %v", cycles, time.Since(began).Round(time.Millisecond))

	same(base)
	eventually(t, "goroutines are as before", func() bool { return runtime.NumGoroutine() <= goroutines })
	eventually(t, "descriptors are as before", func() bool { return descriptors() <= files })
	// Last, what no table shows. Presence keeps the answer to a leave for a
	// while, in case it is asked again; a connection would be kilobytes.
	var grown int
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		if grown = heap() - memory; grown <= 256*cycles+256<<10 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the heap has grown by %d KiB", grown>>10)
		}
	}
}

// comeAndGo is one cycle.
func comeAndGo(h *host, n int) {
	v := h.connect(fmt.Sprintf("user%d", n%50))
	defer v.hangUp()
	open, shared := inRoom(fmt.Sprintf("open:%d", n%700)), inRoom("lounge")
	v.must("join", open)
	switch n % 5 {
	case 0:
		v.must("leave", open)
		v.write(opClose, []byte{0x03, 0xE8})
	case 1:
		v.must("join", shared)
		v.must("message", shared, saying(`"hello"`), `"echo":false`)
		v.must("leave", shared)
		v.must("leave", open)
	case 2:
		v.must("join", open) // again
		v.write(opClose, nil)
	case 3:
		v.send(`{"type":"join","room":"hall"}`) // and gone before the answer
	case 4:
		_ = v.tryWrite(opText, []byte(`{"type":"leave","room":"open:`)) // what is no JSON
		_, _ = v.conn.Write([]byte{0x81})                               // half a frame
	}
}
