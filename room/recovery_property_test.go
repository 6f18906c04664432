package room_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

// follower is a client that loses its connection now and then, and what it has
// seen of the room by then.
type follower struct {
	h    *host
	name string
	rnd  *rand.Rand

	v     *visitor
	epoch string
	last  uint64            // offset of the newest message seen
	seen  map[uint64]string // by offset
	gaps  int               // how often it was told recovered:false
	found int               // how many messages recoveries brought
}

// take notes a message or a change of one, live or from a recovery. Each must
// directly follow the one before.
func (f *follower) take(m frame) error {
	if m.Offset != f.last+1 {
		return fmt.Errorf("%s: offset %d after %d: %s", f.name, m.Offset, f.last, m)
	}
	if m.Epoch != f.epoch {
		return fmt.Errorf("%s: epoch %s in %s", f.name, m.Epoch, f.epoch)
	}
	f.last = m.Offset
	f.seen[m.Offset] = m.Type + string(m.Data)
	return nil
}

// connect comes back to where the follower was.
func (f *follower) connect() error {
	f.v = f.h.connect(f.name)
	r := f.v.must("join", inRoom("feed"), fmt.Sprintf(`"since":{"epoch":%q,"offset":%d}`, f.epoch, f.last))
	if !r.Recovered {
		// It is told that something is missing, and given what there is.
		f.gaps++
		f.epoch, f.last = r.Epoch, r.Offset
		if n := len(r.Messages); n > 0 {
			f.last = r.Messages[0].Offset - 1
		}
	}
	for _, m := range r.Messages {
		f.found++
		if err := f.take(m); err != nil {
			return err
		}
	}
	if f.last != r.Offset {
		return fmt.Errorf("%s: the reply ends at %d, its messages at %d", f.name, r.Offset, f.last)
	}
	return nil
}

// follow reads until done says so and everything has come.
func (f *follower) follow(done func() (last uint64, ok bool)) error {
	f.seen = make(map[uint64]string)
	if err := f.connect(); err != nil {
		return err
	}
	for {
		if last, ok := done(); ok && f.last == last {
			return nil
		}
		switch p := f.rnd.IntN(100); {
		case p < 4: // the line breaks, perhaps for long enough to be trimmed
			f.v.hangUp()
			if f.rnd.IntN(2) == 0 {
				time.Sleep(time.Duration(f.rnd.IntN(30)) * time.Millisecond)
			}
			if err := f.connect(); err != nil {
				return err
			}
		case p < 6: // slow
			time.Sleep(time.Duration(f.rnd.IntN(10)) * time.Millisecond)
		case p < 8: // reads all there is
			f.v.request("ping")
			for len(f.v.unread) > 0 {
				if err := f.hear(f.v.next()); err != nil {
					return err
				}
			}
		default:
			if len(f.v.unread) == 0 {
				f.v.request("ping") // there may be nothing more to come
			}
			for len(f.v.unread) > 0 && f.rnd.IntN(8) > 0 {
				if err := f.hear(f.v.next()); err != nil {
					return err
				}
			}
		}
	}
}

func (f *follower) hear(m frame) error {
	switch m.Type {
	case "message", "message_edited", "message_redacted":
		return f.take(m)
	case "user_joined", "user_left", "presence_update":
		return nil
	}
	return fmt.Errorf("%s: unexpected %s", f.name, m)
}

// Whatever breaks and whoever is slow: what a client has seen is the log, in
// order, nothing missing and nothing twice; or it was told recovered:false.
func TestRecoveryProperty(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	h := serve(t, room.WithRooms("feed", room.Settings{Permission: room.Public, History: room.Keep(15, time.Hour)}))

	const publishers, followers, each = 3, 8, 300
	var mu sync.Mutex // protects what follows
	log := make(map[uint64]string)
	running, last := publishers, uint64(0)
	note := func(offset uint64, what string) {
		mu.Lock()
		defer mu.Unlock()
		log[offset] = what
		last = max(last, offset)
	}

	var wg sync.WaitGroup
	for i := range publishers {
		rnd := rand.New(rand.NewPCG(seed, uint64(i)))
		p := h.in(fmt.Sprintf("author%d", i), "feed")
		wg.Go(func() {
			defer func() { mu.Lock(); running--; mu.Unlock() }()
			own := uint64(0)
			for n := range each {
				data := fmt.Sprintf(`"%d-%d"`, i, n)
				if own > 0 && rnd.IntN(10) == 0 {
					if f := p.request("edit", inRoom("feed"), fmt.Sprintf(`"target":%d`, own), saying(data)); f.Error == nil {
						note(offsetOf(t, f), "message_edited"+data)
					} // else it was trimmed already
				} else {
					own = p.must("message", inRoom("feed"), saying(data), `"echo":false`).Offset
					note(own, "message"+data)
				}
				p.unread = nil
				if rnd.IntN(4) == 0 {
					time.Sleep(time.Duration(rnd.IntN(3)) * time.Millisecond)
				}
			}
		})
	}
	all := make([]*follower, followers)
	for i := range all {
		f := &follower{h: h, name: fmt.Sprintf("reader%d", i), rnd: rand.New(rand.NewPCG(seed, 100+uint64(i)))}
		all[i] = f
		wg.Go(func() {
			if err := f.follow(func() (uint64, bool) { mu.Lock(); defer mu.Unlock(); return last, running == 0 }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()

	gaps, found := 0, 0
	for _, f := range all {
		gaps, found = gaps+f.gaps, found+f.found
		for offset, what := range f.seen {
			// What was said may have been edited by the time it was recovered.
			if want := log[offset]; what != want && !edited(log, what, want) {
				t.Errorf("%s saw %s at %d, the log has %s", f.name, what, offset, want)
			}
		}
	}
	t.Logf("%d messages, %d recovered, %d gaps told", len(log), found, gaps)
	if found == 0 {
		t.Error("no follower ever recovered anything: the test tests nothing")
	}
}

// edited reports whether a message of the log could read like this after an
// edit of it.
func edited(log map[uint64]string, got, want string) bool {
	if len(got) < 7 || len(want) < 7 || got[:7] != "message" || want[:8] != `message"` {
		return false
	}
	for _, what := range log {
		if what == "message_edited"+got[len("message"):] {
			return true
		}
	}
	return false
}

func offsetOf(t testing.TB, f frame) uint64 {
	var r result
	if err := json.Unmarshal(f.Data, &r); err != nil {
		t.Errorf("%s: %v", f, err)
	}
	return r.Offset
}
