package room_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/wardroom/wardroom/room"
)

// babble publishes numbered messages to a room from several users until stop
// is called.
func babble(h *host, name string, speakers int) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	for i := range speakers {
		v := h.in(fmt.Sprintf("speaker%d", i), name)
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
					// The reply paces it.
					v.must("message", inRoom(name), saying(fmt.Sprintf(`"%d of speaker%d"`, n, i)), `"echo":false`)
					v.unread = nil
				}
			}
		})
	}
	return func() { close(done); wg.Wait() }
}

// The reply to a join comes before anything live, and what follows goes on
// exactly where the replay ended.
func TestJoinUnderFire(t *testing.T) {
	h := serve(t, room.WithRooms("hall", room.Settings{Permission: room.Public, History: room.Keep(100_000, 0)}), limits(func(l *room.Limits) { l.Replay = 100_000 }))
	stop := babble(h, "hall", 3)
	defer stop()
	bob := h.connect("bob")
	epoch, offset := "", uint64(0)
	for i := range 40 {
		members := []string{inRoom("hall")}
		if epoch != "" {
			members = append(members, fmt.Sprintf(`"since":{"epoch":%q,"offset":%d}`, epoch, offset))
		}
		r := bob.must("join", members...)
		if epoch == "" {
			epoch, offset = r.Epoch, r.Offset
		} else if !r.Recovered || r.Epoch != epoch {
			t.Fatalf("join %d since %d: not recovered, at %d", i, offset, r.Offset)
		}
		// Who was in the room went on hearing it until then.
		heard := offset
		for _, f := range bob.unread {
			if heard++; i%3 != 1 || f.Offset != heard {
				t.Fatalf("join %d: %s came before the reply", i, f)
			}
		}
		bob.unread = nil
		for _, m := range r.Messages {
			if offset++; m.Offset != offset {
				t.Fatalf("join %d: replayed %d, want %d", i, m.Offset, offset)
			}
		}
		if heard > offset {
			t.Fatalf("join %d: heard up to %d and replayed up to %d", i, heard, offset)
		}
		if r.Offset != offset {
			t.Fatalf("join %d: replayed up to %d, stands at %d", i, offset, r.Offset)
		}
		for range 5 {
			f := bob.next()
			if offset++; f.Type != "message" || f.Offset != offset || f.Epoch != epoch {
				t.Fatalf("join %d: live %s, want %d", i, f, offset)
			}
		}
		switch i % 3 {
		case 0: // join again from within
			continue
		case 1:
			bob.must("leave", inRoom("hall"))
		case 2:
			bob.hangUp()
			bob = h.connect("bob")
			continue
		}
		for _, f := range bob.unread { // came before the leave was done
			if offset++; f.Offset != offset {
				t.Fatalf("join %d: at the end %s, want %d", i, f, offset)
			}
		}
		bob.unread = nil
	}
}

// Nothing of a room comes behind the reply to its leave.
func TestNothingAfterLeave(t *testing.T) {
	h := serve(t, house())
	defer babble(h, "lounge", 3)()
	bob := h.connect("bob")
	for range 100 {
		bob.must("join", inRoom("lounge"))
		bob.expect("message")
		bob.must("leave", inRoom("lounge"))
		bob.unread = nil
		bob.silent()
	}
}

// All members of a room see one order, of what is stored and what is not.
func TestOneOrder(t *testing.T) {
	h := serve(t, house())
	const speakers, each, listeners = 6, 100, 4
	var list []*visitor
	for i := range listeners {
		list = append(list, h.in(fmt.Sprintf("listener%d", i), "hall"))
	}
	var wg sync.WaitGroup
	for i := range speakers {
		v := h.in(fmt.Sprintf("speaker%d", i), "hall")
		wg.Go(func() {
			for n := range each {
				v.sendf(`{"type":"message","room":"hall","data":"%d.%d","store":%t,"echo":false}`, i, n, n%3 != 0)
			}
			v.forget()
		})
	}
	var orders [listeners][]string
	for i, v := range list {
		wg.Go(func() {
			for len(orders[i]) < speakers*each {
				if f := v.next(); f.Type == "message" {
					orders[i] = append(orders[i], fmt.Sprintf("%d %s", f.Offset, f.Data))
				}
			}
		})
	}
	wg.Wait()
	for i := range orders {
		if !slices.Equal(orders[i], orders[0]) {
			t.Errorf("listener %d sees another order than listener 0", i)
		}
	}
	// Each speaker's messages keep their order, and offsets count by one.
	var last [speakers]int
	stored := uint64(0)
	for _, o := range orders[0] {
		var offset uint64
		var i, n int
		if _, err := fmt.Sscanf(o, `%d "%d.%d"`, &offset, &i, &n); err != nil {
			t.Fatal(err)
		}
		if n != last[i] {
			t.Fatalf("speaker %d: %d came where %d was due", i, n, last[i])
		}
		last[i]++
		if n%3 == 0 {
			if offset != 0 {
				t.Fatalf("%s is ephemeral and has an offset", o)
			}
		} else if stored++; offset != stored {
			t.Fatalf("%s has not the offset %d", o, stored)
		}
	}
}

// The others hear that somebody came before they hear what they say, however
// quickly that is said.
func TestJoinedBeforeFirstMessage(t *testing.T) {
	h := serve(t, house())
	ada := h.in("ada", "lounge")
	const people = 50
	var wg sync.WaitGroup
	for i := range people {
		v := h.connect(fmt.Sprintf("user%d", i))
		wg.Go(func() {
			// Join and message in one segment.
			b := masked(nil, opText, []byte(`{"type":"join","room":"lounge"}`))
			b = masked(b, opText, []byte(`{"type":"message","room":"lounge","data":"hi"}`))
			b = masked(b, opText, []byte(`{"type":"leave","ref":9,"room":"lounge"}`))
			if _, err := v.conn.Write(b); err != nil {
				t.Error(err)
				return
			}
			v.reply(9)
		})
	}
	state := make(map[string]int)
	for range 3 * people {
		f := ada.next()
		who, want := f.User+f.From, 0
		switch f.Type {
		case "user_joined":
			want = 0
		case "message":
			want = 1
		case "user_left":
			want = 2
		}
		if state[who] != want {
			t.Fatalf("%s came at step %d of %s", f, state[who], who)
		}
		state[who]++
	}
	wg.Wait()
	ada.silent()
}

// All that was said before a room is deleted is delivered, then that it is
// deleted, then nothing.
func TestDeletedIsTheLastWord(t *testing.T) {
	h := serve(t, house())
	owner := h.connect("ada")
	for round := range 20 {
		owner.must("create", inRoom("club:a"), `"permission":"public"`)
		members := []*visitor{h.in("bob", "club:a"), h.in("cyd", "club:a"), h.in("dan", "club:a")}
		for _, v := range members {
			v.forget()
		}
		owner.must("join", inRoom("club:a"))
		for n := range 30 {
			owner.sendf(`{"type":"message","room":"club:a","data":%d,"echo":false}`, n)
		}
		owner.must("delete", inRoom("club:a"))
		for _, v := range members {
			seen := 0
			for {
				f := v.next()
				if f.Type == "room_deleted" {
					break
				}
				if f.Type == "message" {
					if string(f.Data) != fmt.Sprint(seen) {
						t.Fatalf("round %d: got %s, want message %d", round, f, seen)
					}
					seen++
				}
			}
			if seen != 30 {
				t.Fatalf("round %d: %d of 30 messages before room_deleted", round, seen)
			}
			v.silent()
			v.hangUp()
		}
		owner.forget()
	}
}

// A burst of requests in one segment is answered in order, once each.
func TestRepliesKeepOrder(t *testing.T) {
	h := serve(t, house())
	v := h.in("ada", "hall")
	var b []byte
	const n = 500
	for i := range n {
		switch i % 4 {
		case 0:
			b = masked(b, opText, []byte(envelope(int64(100+i), "ping")))
		case 1:
			b = masked(b, opText, []byte(envelope(int64(100+i), "message", inRoom("hall"), saying("1"))))
		case 2:
			b = masked(b, opText, []byte(envelope(int64(100+i), "message", inRoom("nowhere"), saying("1"))))
		case 3:
			b = masked(b, opText, []byte(`{"type":"ping"}`))
		}
	}
	go func() { _, _ = v.conn.Write(b) }()
	for i := range n {
		if i%4 != 3 {
			v.reply(int64(100 + i))
		}
	}
	if _, err := h.srv.Room("hall").Publish(context.Background(), "done", nil); err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		f := v.next()
		if f.Event == "done" {
			if want := n / 4; i != want {
				t.Errorf("%d echoes, want %d", i, want)
			}
			break
		}
		if f.Type != "message" || !strings.Contains(f.text, `"data":1`) {
			t.Fatalf("unexpected %s", f)
		}
	}
}
