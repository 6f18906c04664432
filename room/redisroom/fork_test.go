package redisroom_test

import (
	"context"
	"slices"
	"testing"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/room"
)

// fork is a gate for the line too.
type fork struct{ *gate }

func (f fork) Dedicate() (rueidis.DedicatedClient, func()) { return f.way().Dedicate() }

// A node that has followed a primary which came back after another had been
// promoted is told that what it heard there is lost, and hears all that came
// meanwhile in the state that holds.
func TestFork(t *testing.T) {
	t.Parallel()
	t.Run("with all it had", func(t *testing.T) { t.Parallel(); testFork(t, "--appendonly", "yes", "--appendfsync", "always") })
	t.Run("empty", func(t *testing.T) { t.Parallel(); testFork(t) })
}

func testFork(t *testing.T, args ...string) {
	primary, replica := pair(t, args...)
	way := fork{&gate{Client: primary.Client(), closed: replica.Client()}}
	one, two := node(t, way), node(t, replica.Client())
	ear := listen(t, one, "room")
	say := func(b room.Broker, event string, kept, passing int) {
		for range kept {
			store(t, b, said("room", event, ""))
		}
		for range passing {
			eventually(t, "say", func() error {
				_, err := b.Publish(context.Background(), said("room", event, ""), room.Retention{})
				return err
			})
		}
	}
	say(one, "before", 3, 2)
	primary.Do("WAIT", "1", "5000")
	replica.Do("REPLICAOF", "NO", "ONE")
	primary.Kill()
	primary.Restart()
	say(one, "lost", 2, 1)
	say(two, "after", 4, 3)
	say(one, "lost", 1, 1)
	ear.until("what is lost", func(room.Message) bool {
		return len(slices.DeleteFunc(ear.heard(), func(m room.Message) bool { return m.Kind != room.KindMessage })) >= 10
	})
	way.cut.Store(true)
	primary.Kill()
	say(two, "end", 1, 0)

	list := ear.until("the end", event("end"))
	var events []string
	kept := make(map[uint64]bool)
	at := 0 // of the last loss that is told
	for i, m := range list {
		if m.Kind == room.KindLost {
			at = i
		}
	}
	for i, m := range list {
		if m.Kind != room.KindMessage {
			continue
		}
		events = append(events, m.Event)
		if i > at && m.Offset != 0 {
			if kept[m.Offset] || m.Offset < 4 || m.Offset > 8 {
				t.Errorf("offset %d of %q, of 4 to 8 once each", m.Offset, m.Event)
			}
			kept[m.Offset] = true
		}
	}
	want := slices.Concat(slices.Repeat([]string{"before"}, 5), slices.Repeat([]string{"lost"}, 5), slices.Repeat([]string{"after"}, 7), []string{"end"})
	if !slices.Equal(events, want) {
		t.Errorf("heard %v, want %v", events, want)
	}
	if at == 0 || list[at-1].Event != "lost" || list[at+1].Event != "after" {
		t.Errorf("the loss is told at %d", at)
	}
}
