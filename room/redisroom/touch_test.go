package redisroom

import (
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redistest"
	"github.com/wardroom/wardroom/room"
)

// What is found to have been done is written to nevertheless, every time: WAIT
// waits for what its own connection has written, and for nothing else.
func TestRepeatedCallsWrite(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	b := NewBroker(server.Client(), WithTimeout(5*time.Second))
	defer b.Close()
	keep := room.Keep(10, time.Hour)
	m := room.Message{Kind: room.KindMessage, Room: "room", ID: "1", From: "ada", Data: []byte("1"), At: now()}
	if _, err := b.Publish(t.Context(), m, keep); err != nil {
		t.Fatal(err)
	}
	k := b.keysOf("room")
	edit := m
	edit.Kind, edit.Target = room.KindEdited, 1
	op := b.nextOp()
	start := append(b.args(nil, 13), k.channel, b.publish)
	rest := append(retention(keep), millis(m.At), string(appendBody(nil, &m, opID{})))
	with := func(before []string, id string, after ...string) []string {
		args := append(append([]string(nil), start...), before...)
		args = append(append(args, string(op[:]), id), rest...)
		return append(args, after...)
	}
	for name, c := range map[string]*call{
		"publish": {script: publishScript, keys: k.all, args: with([]string{strconv.Itoa(maxTail)}, digest("ada", "1"))},
		"amend":   {script: amendScript, keys: k.all, args: with(nil, "ada", "1", "0", "2", strconv.Itoa(int(room.KindMessage)), strconv.Itoa(int(room.KindEdited)))},
	} {
		if err := b.client.Do(t.Context(), b.command(c, true)).Error(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		server.Do("CONFIG", "RESETSTAT")
		// So many that few of them look for another history, which writes too.
		const times = 200
		commands := make(rueidis.Commands, times)
		for i := range commands {
			commands[i] = b.command(c, false)
		}
		for _, r := range b.client.DoMulti(t.Context(), commands...) {
			if err := r.Error(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		found := regexp.MustCompile(`cmdstat_hset:calls=(\d+)`).FindStringSubmatch(server.Do("INFO", "commandstats"))
		if found == nil {
			t.Fatalf("%s: nothing was written", name)
		}
		if n, _ := strconv.Atoi(found[1]); n < times {
			t.Errorf("%s: repeated %d times it wrote %d times", name, times, n)
		}
	}
}
