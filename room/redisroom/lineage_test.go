package redisroom_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
)

// metaOf is the key of what Redis knows of a room with the default prefix.
func metaOf(name string) string { return "wardroom:{r:" + name + "}:meta" }

// since asks for what came after a position.
func since(t *testing.T, b room.Broker, name string, at room.Position) (page room.Page) {
	t.Helper()
	eventually(t, "replay", func() (err error) {
		page, err = b.Replay(context.Background(), name, room.Range{Since: at, Limit: 1000})
		return err
	})
	return page
}

// goesOn fails unless the log follows a position with the messages behind it.
func goesOn(t *testing.T, b room.Broker, name string, at room.Position) room.Page {
	t.Helper()
	page := since(t, b, name, at)
	if !page.Follows {
		t.Fatalf("the log at %+v does not follow %+v", page.Last, at)
	}
	next := at.Offset
	for _, m := range page.Messages {
		if next++; m.Offset != next || m.Epoch != page.Last.Epoch {
			t.Errorf("after %+v comes %+v in the log at %+v, want offset %d", at, m.Position, page.Last, next)
		}
	}
	if next != page.Last.Offset {
		t.Errorf("what comes after %+v ends at %d of %d", at, next, page.Last.Offset)
	}
	return page
}

// breaks fails when the log follows a position, or when it then has not all
// there is.
func breaks(t *testing.T, b room.Broker, name string, at room.Position) {
	t.Helper()
	page := since(t, b, name, at)
	if page.Follows {
		t.Errorf("the log at %+v follows %+v", page.Last, at)
	}
	if len(page.Messages) > 0 && page.Messages[0].Offset != page.First {
		t.Errorf("of what does not follow %+v the first is %+v, of %d kept", at, page.Messages[0].Position, page.First)
	}
}

func storeMany(t *testing.T, b room.Broker, name string, n int) (last room.Position) {
	t.Helper()
	for range n {
		last = store(t, b, said(name, "talk", "")).Position
	}
	return last
}

func back(at room.Position, n uint64) room.Position {
	return room.Position{Epoch: at.Epoch, Offset: at.Offset - n}
}

// A server that comes back with everything goes on from every position there
// was, in one new epoch, whatever asks first.
func TestLogGoesOnAfterRestart(t *testing.T) {
	t.Parallel()
	for first, ask := range map[string]func(*testing.T, *redisroom.Broker) string{
		"publish":   func(t *testing.T, b *redisroom.Broker) string { return store(t, b, said("room", "next", "")).Epoch },
		"subscribe": func(t *testing.T, b *redisroom.Broker) string { return listen(t, b, "room").at.Epoch },
		"replay": func(t *testing.T, b *redisroom.Broker) (epoch string) {
			eventually(t, "replay", func() error {
				page, err := b.Replay(t.Context(), "room", room.Range{Limit: 1})
				epoch = page.Last.Epoch
				return err
			})
			return epoch
		},
		"amend": func(t *testing.T, b *redisroom.Broker) (epoch string) {
			eventually(t, "amend", func() error {
				r, err := b.Amend(t.Context(), room.Message{Kind: room.KindRedacted, Room: "room", Target: 2, At: said("", "", "").At}, "", keepAll)
				epoch = r.Epoch
				return err
			})
			return epoch
		},
		"a node that listens": func(t *testing.T, b *redisroom.Broker) string { return "" },
	} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
			one, two := node(t, server.Client()), node(t, server.Client())
			at := storeMany(t, one, "room", 5)
			var e *ear
			if first == "a node that listens" {
				e = listen(t, one, "room")
			}
			server.Kill()
			server.Restart()
			epoch := ask(t, two)
			if e != nil {
				p := e.continued(at.Epoch)
				if list := e.heard(); len(list) > 0 || p.Offset != 5 {
					t.Errorf("the subscriber is told of %+v and heard %+v", p, list)
				}
				epoch = p.Epoch
			}
			if epoch == at.Epoch {
				t.Errorf("the epoch is still %s", epoch)
			}
			for n := range uint64(6) {
				if page := goesOn(t, two, "room", back(at, n)); page.Last.Epoch != epoch {
					t.Errorf("the log is at %+v, want the epoch %s", page.Last, epoch)
				}
			}
			breaks(t, two, "room", room.Position{Epoch: at.Epoch, Offset: 6})
			breaks(t, two, "room", room.Position{Epoch: at.Epoch, Offset: 1 << 60})
			breaks(t, two, "room", room.Position{Epoch: "MADEUP", Offset: 3})
			breaks(t, two, "room", room.Position{Epoch: epoch, Offset: 99})
			if e := listen(t, one, "room"); e.at.Epoch != epoch {
				t.Errorf("who subscribes is at %+v, want the epoch %s", e.at, epoch)
			}
			if m := store(t, one, said("room", "next", "")); m.Epoch != epoch {
				t.Errorf("the next message is at %+v, want the epoch %s", m.Position, epoch)
			}
			goesOn(t, one, "room", back(at, 2))
		})
	}
}

// What a server has lost is not gone on from, by no epoch before; what it still
// has is, also when it is lost from the second time.
func TestLogGoesOnFromWhatIsLeft(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := node(t, server.Client())
	rollBack := func() {
		server.Kill()
		server.Restart()
	}
	first := storeMany(t, b, "room", 5)
	server.Do("SAVE")
	rollBack() // with everything
	second := storeMany(t, b, "room", 2)
	server.Do("SAVE")
	lost := storeMany(t, b, "room", 2)
	rollBack()
	third := storeMany(t, b, "room", 4)
	if third.Offset != 11 || third.Epoch == second.Epoch || second.Epoch == first.Epoch {
		t.Fatalf("after %+v and %+v comes %+v", first, second, third)
	}
	goesOn(t, b, "room", first)
	goesOn(t, b, "room", room.Position{Epoch: first.Epoch})
	breaks(t, b, "room", room.Position{Epoch: first.Epoch, Offset: 6})
	goesOn(t, b, "room", second)
	goesOn(t, b, "room", back(second, 6))
	breaks(t, b, "room", back(lost, 1))
	breaks(t, b, "room", lost)
	goesOn(t, b, "room", third)

	// The third epoch was never saved.
	rollBack()
	breaks(t, b, "room", third)
	breaks(t, b, "room", room.Position{Epoch: third.Epoch, Offset: 7})
	breaks(t, b, "room", lost)
	goesOn(t, b, "room", second)
	goesOn(t, b, "room", first)

	server.Do("FLUSHALL")
	at := storeMany(t, b, "room", 3)
	for _, p := range []room.Position{first, second, third, {Epoch: first.Epoch}, {Epoch: second.Epoch, Offset: 1}} {
		breaks(t, b, "room", p)
	}
	goesOn(t, b, "room", back(at, 3))
}

// A replica that is promoted goes on from what it had got.
func TestLogGoesOnAfterPromotion(t *testing.T) {
	t.Parallel()
	for _, behind := range []uint64{0, 3} {
		t.Run(fmt.Sprint(behind, " behind"), func(t *testing.T) {
			t.Parallel()
			primary, replica := pair(t)
			was, b := node(t, primary.Client()), node(t, replica.Client())
			at := storeMany(t, was, "room", 5)
			eventually(t, "the replica has it", func() error {
				if n := replica.Do("LLEN", "wardroom:{r:room}:log"); n != "5" {
					return errors.New(n)
				}
				return nil
			})
			replica.Do("REPLICAOF", "NO", "ONE")
			time.Sleep(20 * time.Millisecond) // no failover is that fast
			if behind > 0 {
				at = storeMany(t, was, "room", int(behind))
			}
			primary.Kill()
			for n := range at.Offset + 1 {
				if p := back(at, n); n < behind {
					breaks(t, b, "room", p)
				} else {
					goesOn(t, b, "room", p)
				}
			}
			next := storeMany(t, b, "room", 4)
			for n := range at.Offset + 1 {
				if p := back(at, n); n < behind {
					breaks(t, b, "room", p)
				} else {
					goesOn(t, b, "room", p)
				}
			}
			goesOn(t, b, "room", back(next, 1))
		})
	}
}

// Nothing goes on from before a Forget, however many epochs began before it or
// after.
func TestForgottenLogDoesNotGoOn(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"noticed", "unnoticed"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
			one, two := node(t, server.Client()), node(t, server.Client())
			e := listen(t, one, "room")
			first := storeMany(t, two, "room", 5)
			e.until("what is to be forgotten", func(m room.Message) bool { return m.Position == first })
			server.Kill()
			server.Restart()
			second := first
			if when == "noticed" {
				second = storeMany(t, two, "room", 1)
				goesOn(t, two, "room", first)
				e.until("what is to be forgotten", func(m room.Message) bool { return m.Position == second })
			}
			eventually(t, "forget", func() error { return two.Forget(context.Background(), "room") })
			before := []room.Position{first, second, {Epoch: first.Epoch}, {Epoch: second.Epoch}, {Epoch: first.Epoch, Offset: 1}}
			none := func() {
				t.Helper()
				for _, p := range before {
					breaks(t, two, "room", p)
				}
			}
			none()
			forgotten := since(t, two, "room", room.Position{}).Last
			goesOn(t, two, "room", forgotten)
			server.Kill()
			server.Restart()
			none()
			goesOn(t, two, "room", forgotten)
			third := storeMany(t, two, "room", 7)
			none()
			goesOn(t, two, "room", forgotten)
			goesOn(t, two, "room", back(third, 5))

			// The subscriber hears where the log is by now.
			list := e.until("the last", func(m room.Message) bool { return m.Position == third })
			for i, m := range list {
				if m.Kind == room.KindLost {
					t.Errorf("number %d of what the subscriber heard is %+v", i, m)
				}
			}
			for i, m := range list[len(list)-7:] {
				if m.Offset != uint64(i+1) {
					t.Errorf("number %d after the Forget is %+v", i+1, m)
				}
			}
		})
	}
}

// Who listens to a room that is forgotten hears of its new epoch.
func TestForgottenInSilence(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := node(t, server.Client())
	e := listen(t, b, "room")
	storeMany(t, b, "room", 3)
	if err := b.Forget(t.Context(), "room"); err != nil {
		t.Fatal(err)
	}
	last := since(t, b, "room", room.Position{}).Last
	if at := e.continued(e.at.Epoch); at != last {
		t.Errorf("the subscriber is told of %+v, the log is at %+v", at, last)
	}
}

// anew has Redis look like another server, which may have lost something.
func anew(server *redistest.Server, name string) {
	server.Do("HSET", metaOf(name), "r", "another", "c", "0")
}

// The latest 16 epochs are known.
func TestLineageIsBounded(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := node(t, server.Client())
	var all []room.Position
	for range 20 {
		all = append(all, storeMany(t, b, "room", 2))
		anew(server, "room")
	}
	goesOn(t, b, "room", all[19])
	for i, at := range all {
		if i < 4 {
			breaks(t, b, "room", at)
			continue
		}
		goesOn(t, b, "room", at)
		goesOn(t, b, "room", back(at, 1))
		if i < 19 {
			breaks(t, b, "room", room.Position{Epoch: at.Epoch, Offset: at.Offset + 1})
		}
	}
	if n := len(server.Do("HGET", metaOf("room"), "p")); n > 16*30 {
		t.Errorf("the epochs take %d bytes", n)
	}
}

// What versions wrote that knew of no former epochs is read well.
func TestLineageOfOtherVersions(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := node(t, server.Client())
	at := storeMany(t, b, "room", 9)
	for what, test := range map[string]struct {
		p              string
		follow, breaks []room.Position
	}{
		"none": {"", []room.Position{at}, []room.Position{{Epoch: "OLD", Offset: 1}}},
		"two": {
			"EPOCH,B 9,A 5,",
			[]room.Position{{Epoch: "B", Offset: 9}, {Epoch: "A", Offset: 5}, at},
			[]room.Position{{Epoch: "A", Offset: 6}, {Epoch: "C", Offset: 1}, {Epoch: "9", Offset: 1}, {Epoch: "B 9,A", Offset: 1}, {Epoch: ",", Offset: 1}},
		},
		"less in the middle": {
			"EPOCH,C 8,B 4,A 6,",
			[]room.Position{{Epoch: "C", Offset: 8}, {Epoch: "B", Offset: 4}, {Epoch: "A", Offset: 4}},
			[]room.Position{{Epoch: "B", Offset: 5}, {Epoch: "A", Offset: 5}},
		},
		"of another epoch":             {"B,A 5,", []room.Position{at}, []room.Position{{Epoch: "A", Offset: 1}, {Epoch: "B", Offset: 1}}},
		"of one that begins like this": {"EPOCHS,A 5,", []room.Position{at}, []room.Position{{Epoch: "A", Offset: 1}}},
	} {
		if test.p == "" {
			server.Do("HDEL", metaOf("room"), "p")
		} else {
			server.Do("HSET", metaOf("room"), "p", strings.ReplaceAll(test.p, "EPOCH", at.Epoch))
		}
		t.Log(what)
		for _, p := range test.follow {
			goesOn(t, b, "room", p)
		}
		for _, p := range test.breaks {
			breaks(t, b, "room", p)
		}
	}

	// The next epoch does not take over what is not of this one.
	server.Do("HSET", metaOf("room"), "p", "B,A 5,")
	anew(server, "room")
	goesOn(t, b, "room", at)
	breaks(t, b, "room", room.Position{Epoch: "A", Offset: 1})
	breaks(t, b, "room", room.Position{Epoch: "B", Offset: 1})
}

// What has been trimmed is said to be followed, and is not there.
func TestLogGoesOnWithoutTheBeginning(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := node(t, server.Client())
	at := storeMany(t, b, "room", 9)
	m := said("room", "talk", "")
	if _, err := b.Publish(t.Context(), m, room.Keep(4, time.Hour)); err != nil {
		t.Fatal(err)
	}
	anew(server, "room")
	page := since(t, b, "room", back(at, 5))
	if !page.Follows || page.First != 7 || len(page.Messages) != 4 || page.Messages[0].Offset != 7 {
		t.Errorf("after 4 comes %+v", page)
	}
	// And none of it is kept any more.
	server.Do("DEL", "wardroom:{r:room}:log")
	if page := since(t, b, "room", back(at, 5)); !page.Follows || page.First != 0 || len(page.Messages) != 0 || page.Last.Offset != 10 {
		t.Errorf("when nothing is kept: %+v", page)
	}
	if page := since(t, b, "nobody's", at); page.Follows || page.Last != (room.Position{}) {
		t.Errorf("of an unknown room: %+v", page)
	}
	if n := server.Do("EXISTS", metaOf("nobody's")); n != "0" {
		t.Error("asking made a room")
	}
}
