package room_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wardroom/wardroom/room"
)

// Paging brings every message once, forwards as backwards, with any page size
// and however many were edited and redacted.
func TestHistoryPages(t *testing.T) {
	h := serve(t, room.WithRooms("hall", room.Settings{Permission: room.Public, History: room.Keep(1000, time.Hour)}))
	ada := h.in("ada", "hall")
	random := rand.New(rand.NewPCG(1, 2))
	want := make(map[uint64]string)
	for n := range 60 {
		r := ada.must("message", inRoom("hall"), saying(fmt.Sprint(n)), `"echo":false`)
		want[r.Offset] = fmt.Sprint(n)
		for random.IntN(3) == 0 { // changes among the messages, and behind the last
			all := slices.Sorted(mapKeys(want))
			target := all[random.IntN(len(all))]
			if want[target] == "" {
				continue
			}
			if random.IntN(2) == 0 {
				want[target] = fmt.Sprintf(`"%d!"`, n)
				ada.must("edit", inRoom("hall"), fmt.Sprintf(`"target":%d`, target), saying(want[target]))
			} else {
				want[target] = ""
				ada.must("redact", inRoom("hall"), fmt.Sprintf(`"target":%d`, target))
			}
		}
	}
	ada.unread = nil
	for range 20 {
		ada.must("redact", inRoom("hall"), fmt.Sprintf(`"target":%d`, ada.must("message", inRoom("hall"), saying(`"slip"`)).Offset))
	}
	ada.unread = nil
	check := func(how string, got []frame) {
		t.Helper()
		if !slices.IsSorted(offsets(got)) {
			t.Errorf("%s: offsets %v", how, offsets(got))
		}
		seen := make(map[uint64]bool)
		for _, m := range got {
			if seen[m.Offset] {
				t.Errorf("%s: %d comes twice", how, m.Offset)
			}
			seen[m.Offset] = true
			if text, ok := want[m.Offset]; ok && string(m.Data) != text {
				t.Errorf("%s: %d is %s, want %s", how, m.Offset, m.Data, text)
			}
		}
		for offset := range want {
			if !seen[offset] {
				t.Errorf("%s: %d is missing", how, offset)
			}
		}
	}
	for _, size := range []int{1, 2, 7, 50, 1000} {
		limit := fmt.Sprintf(`"limit":%d`, size)
		var back []frame
		r := ada.must("history", inRoom("hall"), limit)
		for {
			if len(r.Messages) == 0 || len(r.Messages) > size {
				t.Fatalf("pages of %d: one of %d", size, len(r.Messages))
			}
			back = append(r.Messages, back...)
			if !r.More {
				break
			}
			r = ada.must("history", inRoom("hall"), limit, fmt.Sprintf(`"before":%d`, back[0].Offset))
		}
		check(fmt.Sprintf("backwards by %d", size), back)
		var forth []frame
		for after := uint64(0); ; after = forth[len(forth)-1].Offset {
			r := ada.must("history", inRoom("hall"), limit, fmt.Sprintf(`"after":%d`, after))
			if len(r.Messages) == 0 || len(r.Messages) > size {
				t.Fatalf("pages of %d: one of %d", size, len(r.Messages))
			}
			forth = append(forth, r.Messages...)
			if !r.More {
				break
			}
		}
		check(fmt.Sprintf("forwards by %d", size), forth)
		if r := ada.must("join", inRoom("hall"), fmt.Sprintf(`"last":%d`, size)); len(r.Messages) != min(size, len(back)) {
			t.Errorf("join with the last %d: %d messages", size, len(r.Messages))
		} else if tail := back[len(back)-len(r.Messages):]; !slices.Equal(offsets(r.Messages), offsets(tail)) {
			t.Errorf("join with the last %d: %v, want %v", size, offsets(r.Messages), offsets(tail))
		}
	}
}

func mapKeys[V any](m map[uint64]V) func(func(uint64) bool) {
	return func(yield func(uint64) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// Who may change what: one's own, and as a moderator redact what others said.
func TestAmendments(t *testing.T) {
	h := serve(t, house())
	owner := h.connect("olga")
	owner.must("create", inRoom("club:a"), `"permission":"public"`)
	ada, bob, mod := h.in("ada", "club:a"), h.in("bob", "club:a"), h.in("max~role.mod", "club:a")
	owner.must("join", inRoom("club:a"))
	say := func(v *visitor, text string) string {
		t.Helper()
		return fmt.Sprintf(`"target":%d`, v.must("message", inRoom("club:a"), saying(text)).Offset)
	}
	first := say(ada, `"one"`)
	bob.refused("forbidden", "edit", inRoom("club:a"), first, saying(`"hm"`))
	bob.refused("forbidden", "redact", inRoom("club:a"), first)
	mod.refused("forbidden", "edit", inRoom("club:a"), first, saying(`"hm"`))
	owner.refused("forbidden", "edit", inRoom("club:a"), first, saying(`"hm"`))
	change := ada.must("edit", inRoom("club:a"), first, saying(`"two"`))
	ada.refused("forbidden", "edit", inRoom("club:a"), fmt.Sprintf(`"target":%d`, change.Offset), saying(`"an edit is no message"`))
	mod.must("redact", inRoom("club:a"), first)
	ada.refused("forbidden", "edit", inRoom("club:a"), first, saying(`"gone is gone"`))
	mod.refused("forbidden", "redact", inRoom("club:a"), first)
	second := say(bob, `"x"`)
	owner.must("redact", inRoom("club:a"), second)
	ada.refused("too_deep", "edit", inRoom("club:a"), say(ada, "1"), saying(strings.Repeat("[", 11)+strings.Repeat("]", 11)))
	ada.must("join", inRoom("lounge"))
	ada.refused("forbidden", "edit", inRoom("lounge"), `"target":1`, saying(`1`))
	// Whoever has left changes nothing any more.
	third := say(bob, `"mine"`)
	bob.must("leave", inRoom("club:a"))
	bob.refused("not_member", "redact", inRoom("club:a"), third)
}

// Nothing that was redacted can be had in any way.
func TestRedactedIsGone(t *testing.T) {
	h := serve(t, house())
	ada := h.in("ada", "hall")
	const secret = "the-secret"
	first := ada.must("message", inRoom("hall"), saying(`"`+secret+`-1"`), `"id":"k"`)
	ada.must("edit", inRoom("hall"), `"target":1`, saying(`"`+secret+`-2"`))
	ada.must("edit", inRoom("hall"), `"target":1`, saying(`"`+secret+`-3"`))
	ada.sendBinary(`{"type":"message","room":"hall"}`, []byte(secret))
	ada.must("redact", inRoom("hall"), `"target":4`)
	ada.must("redact", inRoom("hall"), `"target":1`, `"reason":"`+secret+`"`)
	if r := ada.must("message", inRoom("hall"), saying(`"`+secret+`-1"`), `"id":"k"`); !r.Duplicate || r.Offset != 1 {
		t.Errorf("the same message again: %s", r.raw)
	}
	ada.forget()
	since := func(offset int) string { return fmt.Sprintf(`"since":{"epoch":%q,"offset":%d}`, first.Epoch, offset) }
	for _, request := range [][]string{
		{"history"},
		{"history", `"after":0`},
		{"history", `"before":9`},
		{"join", `"last":100`},
		{"join", since(0)},
		{"join", since(1)},
		{"join", since(3)},
		{"join", `"since":{"epoch":"x","offset":0}`},
	} {
		f := ada.request(request[0], append(request[1:], inRoom("hall"))...)
		if f.Error != nil || strings.Contains(f.text, secret) || strings.Contains(f.text, "dGhl") {
			t.Errorf("%v: %s", request, f)
		}
	}
}

// The same key by the same user in the same room is stored and sent once.
func TestIdempotency(t *testing.T) {
	h := serve(t, house(), room.WithRooms("hall:2", room.Settings{Permission: room.Public, History: room.Keep(100, time.Hour)}))
	ada, bob, ear := h.in("ada", "hall", "hall:2"), h.in("bob", "hall"), h.in("ear", "hall")
	say := func(v *visitor, name string, more ...string) result {
		t.Helper()
		return v.must("message", append(more, inRoom(name), `"id":"k1"`, `"echo":false`)...)
	}
	first := say(ada, "hall", saying("1"))
	for _, again := range []result{
		say(ada, "hall", saying("1")), say(ada, "hall", saying(`"other data"`)), say(h.in("ada", "hall"), "hall", saying("1")),
	} {
		if !again.Duplicate || again.Offset != first.Offset || again.Epoch != first.Epoch || again.At != first.At {
			t.Errorf("got %s, want that of %s", again.raw, first.raw)
		}
	}
	for what, r := range map[string]result{
		"another user": say(bob, "hall", saying("2")), "another room": say(ada, "hall:2", saying("3")),
		"another key": ada.must("message", inRoom("hall"), `"id":"k2"`, saying("4"), `"echo":false`),
		"case":        ada.must("message", inRoom("hall"), `"id":"K1"`, saying("5"), `"echo":false`),
		"no key":      ada.must("message", inRoom("hall"), saying("6"), `"echo":false`),
		"ephemeral":   say(ada, "hall", saying("7"), `"store":false`),
	} {
		if r.Duplicate {
			t.Errorf("%s: %s", what, r.raw)
		}
	}
	heard := make(map[string]int)
	for range 6 {
		heard[string(ear.expect("message").Data)]++
	}
	ear.silent()
	for _, data := range []string{"1", "2", "4", "5", "6", "7"} {
		if heard[data] != 1 {
			t.Errorf("heard %v", heard)
		}
	}
}

// Of many at once one is stored, and all are told where.
func TestIdempotencyRaces(t *testing.T) {
	h := serve(t, house())
	ear := h.in("ear", "hall")
	var sending sync.WaitGroup
	results := make([]result, 30)
	for i := range results {
		v := h.in("ada", "hall")
		sending.Go(func() {
			results[i] = v.must("message", inRoom("hall"), saying(fmt.Sprint(i)), `"id":"same"`, `"echo":false`)
		})
	}
	sending.Wait()
	firsts := 0
	for _, r := range results {
		if !r.Duplicate {
			firsts++
		}
		if r.Offset != 1 {
			t.Errorf("stored at %d", r.Offset)
		}
	}
	if firsts != 1 {
		t.Errorf("%d of them were first", firsts)
	}
	ear.expect("user_joined")
	ear.expect("message")
	ear.silent()
}

// What is too old is not kept, and who missed it is told so.
func TestRetentionByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := servePipes(t, room.WithRooms("hall", room.Settings{Permission: room.Public, History: room.Keep(100, 10*time.Minute)}))
		ada := h.in("ada", "hall")
		epoch := ada.must("message", inRoom("hall"), saying("1"), `"id":"k"`).Epoch
		ada.pass(6 * time.Minute)
		ada.must("message", inRoom("hall"), saying("2"))
		if r := ada.must("history", inRoom("hall")); !slices.Equal(texts(r.Messages), []string{"1", "2"}) {
			t.Errorf("history %s", r.raw)
		}
		ada.pass(6 * time.Minute)
		if r := ada.must("history", inRoom("hall")); !slices.Equal(texts(r.Messages), []string{"2"}) {
			t.Errorf("history %s", r.raw)
		}
		for offset, recovered := range []bool{false, true, true} {
			r := ada.must("join", inRoom("hall"), fmt.Sprintf(`"since":{"epoch":%q,"offset":%d}`, epoch, offset))
			if r.Recovered != recovered || r.Offset != 2 {
				t.Errorf("since %d: %s", offset, r.raw)
			}
		}
		ada.refused("forbidden", "edit", inRoom("hall"), `"target":1`, saying("3"))
		// The key is forgotten as well; offsets go on.
		if r := ada.must("message", inRoom("hall"), saying("1"), `"id":"k"`); r.Duplicate || r.Offset != 3 || r.Epoch != epoch {
			t.Errorf("after the dedup window: %s", r.raw)
		}
		ada.pass(11 * time.Minute)
		if r := ada.must("join", inRoom("hall"), fmt.Sprintf(`"since":{"epoch":%q,"offset":1}`, epoch)); r.Recovered || r.Offset != 3 || len(r.Messages) != 0 {
			t.Errorf("of an empty log: %s", r.raw)
		}
	})
}

// What was acknowledged outlives everyone's leaving.
func TestHistoryOutlivesMembers(t *testing.T) {
	h := serve(t, house())
	ada := h.in("ada", "hall")
	said := ada.must("message", inRoom("hall"), saying(`"note"`))
	ada.bye()
	eventually(t, "nobody is there", func() bool { return h.srv.Stats() == (room.Stats{}) })
	if r := h.connect("bob").must("join", inRoom("hall"), `"last":5`); r.Epoch != said.Epoch || !slices.Equal(texts(r.Messages), []string{`"note"`}) {
		t.Errorf("joined %s", r.raw)
	}
}

// forgetful is a broker that keeps for a time what it is to forget.
type forgetful struct {
	room.Broker
	fails atomic.Bool
}

func (b *forgetful) Forget(ctx context.Context, name string) error {
	if b.fails.Load() {
		return room.ErrUnavailable
	}
	return b.Broker.Forget(ctx, name)
}

// What was said in a room that is gone is not for whoever makes the next one of
// its name, though the end of the first was cut short.
func TestNothingIsInherited(t *testing.T) {
	for name, create := range map[string]func(h *host, bob *visitor){
		"by a client": func(_ *host, bob *visitor) { bob.must("create", inRoom("club:x")) },
		"by the server": func(h *host, _ *visitor) {
			_, _ = h.srv.Room("club:x").Create(context.Background(), room.Record{Owner: "bob"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			broker := &forgetful{Broker: room.NewMemoryBroker()}
			h := serve(t, house(), room.WithBroker(broker))
			ada, bob := h.connect("ada"), h.connect("bob")
			ada.must("create", inRoom("club:x"))
			ada.must("join", inRoom("club:x"))
			ada.must("message", inRoom("club:x"), saying(`"a secret"`))
			broker.fails.Store(true)
			ada.refused("unavailable", "delete", inRoom("club:x"))
			bob.refused("unavailable", "create", inRoom("club:x"))
			broker.fails.Store(false)
			create(h, bob)
			bob.must("join", inRoom("club:x"))
			if r := bob.must("history", inRoom("club:x")); len(r.Messages) > 0 {
				t.Errorf("bob reads %s", r.raw)
			}
			// What is said in the new one stays, whoever else wants to make it.
			bob.must("message", inRoom("club:x"), saying(`"mine"`))
			ada.refused("already_exists", "create", inRoom("club:x"))
			if r := bob.must("history", inRoom("club:x")); len(r.Messages) != 1 {
				t.Errorf("bob reads %s", r.raw)
			}
		})
	}
}
