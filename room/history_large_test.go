package room_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

// What a client may ask for in one reply is bounded in bytes, or a few messages
// of the largest size and a few requests would fill a server's memory. Paging
// and joining bring everything all the same.
func TestHistoryOfLargeMessages(t *testing.T) {
	h := serve(t, room.WithRooms("hall", room.Settings{Permission: room.Public, History: room.Keep(1000, time.Hour)}))
	ada := h.in("ada", "hall")
	const count, size = 12, 400 << 10
	large := `["` + strings.Repeat(strings.Repeat("x", 1000)+`","`, size/1003) + `"]`
	var all []uint64
	var epoch string
	for range count {
		r := ada.must("message", inRoom("hall"), saying(large), `"echo":false`)
		all, epoch = append(all, r.Offset), r.Epoch
	}
	page := func(r result) []uint64 {
		t.Helper()
		if n := len(r.Messages); n == 0 || len(r.raw) > 2<<20 {
			t.Fatalf("a reply with %d messages and %d bytes", n, len(r.raw))
		}
		return offsets(r.Messages)
	}
	var back, forth []uint64
	for r := ada.must("history", inRoom("hall")); ; r = ada.must("history", inRoom("hall"), fmt.Sprintf(`"before":%d`, back[0])) {
		back = append(page(r), back...)
		if !r.More {
			break
		}
	}
	for r := ada.must("history", inRoom("hall"), `"after":0`); ; r = ada.must("history", inRoom("hall"), fmt.Sprintf(`"after":%d`, forth[len(forth)-1])) {
		forth = append(forth, page(r)...)
		if !r.More {
			break
		}
	}
	if !slices.Equal(back, all) || !slices.Equal(forth, all) {
		t.Errorf("backwards %v, forwards %v", back, forth)
	}
	if got := page(ada.must("join", inRoom("hall"), `"last":100`)); !slices.Equal(got, all[count-len(got):]) {
		t.Errorf("the last: %v", got)
	}
	since := func(offset uint64) result {
		return ada.must("join", inRoom("hall"), fmt.Sprintf(`"since":{"epoch":%q,"offset":%d}`, epoch, offset))
	}
	if r := since(4); !r.Recovered || !slices.Equal(offsets(r.Messages), all[4:]) {
		t.Errorf("since 4: recovered %v, %v", r.Recovered, offsets(r.Messages))
	}
	// 12 times 400 KiB are more than the 4 MiB that such a reply may have.
	r := since(0)
	if got := offsets(r.Messages); r.Recovered || len(got) == 0 || len(got) == count || !slices.Equal(got, all[count-len(got):]) {
		t.Errorf("since 0: recovered %v, %v", r.Recovered, got)
	}
}
