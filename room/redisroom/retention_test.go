package redisroom_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
)

// Which edits there are of a message is known for as long as they are in the
// log, also when that has become longer since.
func TestRedactionAfterALongerRetention(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := node(t, server.Client(), patient())
	short := room.Keep(100, time.Second)
	publish := func(m room.Message, keep room.Retention) {
		t.Helper()
		if _, err := b.Publish(t.Context(), m, keep); err != nil {
			t.Fatal(err)
		}
	}
	amend := func(m room.Message, keep room.Retention) {
		t.Helper()
		m.Target = 1
		if _, err := b.Amend(t.Context(), m, "ada", keep); err != nil {
			t.Fatal(err)
		}
	}
	m := said("room", "talk", "secret")
	m.At = m.At.Add(time.Hour) // so that a busy machine loses none of them
	publish(m, short)
	edit := m
	edit.Kind, edit.Data = room.KindEdited, []byte("still secret")
	amend(edit, short)
	publish(said("room", "talk", "public"), keepAll)
	time.Sleep(2500 * time.Millisecond) // the time of the short one
	redaction := edit
	redaction.Kind, redaction.Data = room.KindRedacted, nil
	amend(redaction, keepAll)
	page, err := b.Replay(t.Context(), "room", room.Range{Limit: 10})
	if err != nil || len(page.Messages) != 4 {
		t.Fatalf("the log has %+v, %v", page.Messages, err)
	}
	for _, m := range page.Messages {
		if strings.Contains(string(m.Data), "secret") {
			t.Errorf("%d still has %q", m.Offset, m.Data)
		}
	}
}

// What is left of a room that was deleted does not stay for as long as its log
// would have.
func TestForgottenRoom(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := node(t, server.Client(), patient())
	for range 2 { // a room of the same name is as good as any
		if _, err := b.Publish(t.Context(), said("room", "talk", ""), room.Keep(100, 30*24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := b.Forget(t.Context(), "room"); err != nil {
			t.Fatal(err)
		}
		for key := range strings.FieldsSeq(server.Do("EVAL", "return table.concat(redis.call('KEYS', '*'), ' ')", "0")) {
			if left, err := strconv.Atoi(server.Do("PTTL", key)); err != nil || left <= 0 || left > 10*60*1000 {
				t.Errorf("%s has %d ms left, %v", key, left, err)
			}
		}
	}
}

// A page of large messages is not as long as was asked for, and the next one goes
// on behind it.
func TestPagesOfLargeMessages(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	one, two := node(t, server.Client(), patient()), node(t, server.Client())
	const some, size = 12, 5 << 20
	for range some {
		m := said("room", "talk", strings.Repeat("x", size))
		m.Binary = true
		store(t, one, m)
	}
	for _, newest := range []bool{false, true} {
		ask, seen, pages := room.Range{Limit: some, Newest: newest}, 0, 0
		for more := true; more; pages++ {
			var page room.Page
			eventually(t, "replay", func() (err error) {
				page, err = two.Replay(t.Context(), "room", ask)
				return err
			})
			n := len(page.Messages)
			if n == 0 || n > 2 || page.First != 1 || page.Last.Offset != some {
				t.Fatalf("newest %v: a page of %d messages, First %d, Last %+v", newest, n, page.First, page.Last)
			}
			for i, m := range page.Messages {
				want := uint64(seen + i + 1)
				if newest {
					want = uint64(some - seen - n + i + 1)
				}
				if m.Offset != want || len(m.Data) != size {
					t.Fatalf("newest %v: %d bytes at %d, want %d", newest, len(m.Data), m.Offset, want)
				}
			}
			seen += n
			if more = page.More; more != (seen < some) {
				t.Fatalf("newest %v: after %d messages More is %v", newest, seen, more)
			}
			ask.After, ask.Before = page.Messages[n-1].Offset, 0
			if newest {
				ask.After, ask.Before = 0, page.Messages[0].Offset
			}
		}
	}
}
