package room_test

import (
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

// What an idle member costs, with its session, presence and seat: a few KiB of
// heap, this test's end of the connection included, and no goroutine.
func TestIdleMembersAllocateLittle(t *testing.T) {
	if race {
		t.Skip("the race detector makes everything larger")
	}
	const members, most = 1000, 5500
	h := serve(t, house(), room.WithLogger(slog.New(slog.DiscardHandler)),
		room.WithRooms("open:*", room.Settings{Permission: room.Public, Standing: true}))
	conns := make([]net.Conn, 0, members+10)
	t.Cleanup(func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
	settled := func() {
		t.Helper()
		h.accepted.forget()
		for end := time.Now().Add(patience); runtime.NumGoroutine() > 50; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d goroutines with %d idle members", runtime.NumGoroutine(), len(conns))
			}
		}
	}
	for i := range 10 { // the server has things of its own once it is in use
		conns = append(conns, h.in(fmt.Sprint("early", i), fmt.Sprint("open:", i)).conn)
	}
	settled()
	before := heap()
	for i := range members {
		conns = append(conns, h.in(fmt.Sprint("user", i), fmt.Sprint("open:", i%10)).conn)
	}
	settled()
	each := (heap() - before) / members
	t.Logf("%d bytes for each", each)
	if each > most {
		t.Errorf("an idle member takes %d bytes of heap, more than %d", each, most)
	}
}
