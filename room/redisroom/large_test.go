package redisroom

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/roomtest"
)

// With every message taken for a large one the log is the same. It is not
// parallel to other tests, whose scripts these would be.
func TestBrokerConformsWithLargeMessages(t *testing.T) {
	was := logText
	all := map[**script]string{
		&publishScript: publishText, &amendScript: amendText, &positionScript: positionText,
		&fillScript: fillText, &replayScript: replayText, &forgetScript: forgetText,
	}
	swap := func(text string) {
		logText = text
		for s, text := range all {
			*s = newRoomScript(text)
		}
	}
	t.Cleanup(func() { swap(was) })
	small := strings.Replace(was, "local large = 4096", "local large = 0", 1)
	if small == was {
		t.Fatal("log.lua does not say from where on a message is large")
	}
	swap(small)
	one := redistest.Start(t).Client()
	var n atomic.Int64
	roomtest.TestBroker(t, func(t *testing.T) room.Broker {
		b := NewBroker(one, WithTimeout(5*time.Second), WithPrefix(fmt.Sprintf("t%d:", n.Add(1))))
		t.Cleanup(b.Close)
		return b
	}, roomtest.BrokerOptions{RealTime: true, Delivery: 20 * time.Second})
}

var looks = regexp.MustCompile(`cmdstat_lindex:calls=(\d+)`)

// A large message is not read again with each that comes after it.
func TestLargeFirstMessage(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := NewBroker(server.Client(), WithTimeout(20*time.Second))
	defer b.Close()
	keep := room.Keep(3, time.Hour)
	say := func(size int) {
		t.Helper()
		m := room.Message{Kind: room.KindMessage, Room: "room", Data: make([]byte, size), Binary: true, At: now()}
		if _, err := b.Publish(context.Background(), m, keep); err != nil {
			t.Fatal(err)
		}
	}
	looked := func() int {
		m := looks.FindStringSubmatch(server.Do("INFO", "commandstats"))
		if m == nil {
			return 0
		}
		calls, err := strconv.Atoi(m[1])
		if err != nil {
			t.Fatal(err)
		}
		return calls
	}
	keep.Messages = 100
	say(1 << 20)
	for range 50 {
		say(1)
	}
	if n := looked(); n > 1 {
		t.Errorf("the first message was read %d times for 50 others", n)
	}
	// Nor by who reads the log.
	before := looked()
	for range 10 {
		page, err := b.Replay(t.Context(), "room", room.Range{Limit: 10, Newest: true})
		if err != nil || page.First != 1 || len(page.Messages) != 10 {
			t.Fatalf("%+v, %v", page, err)
		}
	}
	if n := looked() - before; n > 0 {
		t.Errorf("the first message was read %d times for 10 pages", n)
	}
	// When it has gone the next one is looked at.
	keep.Messages = 10
	say(1)
	page, err := b.Replay(t.Context(), "room", room.Range{Limit: 100})
	if err != nil || page.First != 43 || len(page.Messages) != 10 {
		t.Fatalf("%+v, %v", page, err)
	}
	if n := looked() - before; n == 0 {
		t.Error("nobody has looked at the message that is the first now")
	}
}
