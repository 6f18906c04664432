package redisroom

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redisx"
)

// How often it is checked that an idle room has nothing new that did not come
// through its channel, and how many are checked together.
const (
	checkEvery = 5 * time.Second
	checkBatch = 200
	// refreshEvery is how many checks it takes until Redis is told again that
	// a room is not to be forgotten.
	refreshEvery = 12
)

// check looks after rooms where nothing happens: whether what Redis knows of
// them is what came through their channels, and that Redis does not forget them
// while somebody is there.
func (b *Broker) check() {
	for round := 1; b.sleep(checkEvery); round++ {
		if !b.ready() {
			continue
		}
		b.mu.RLock()
		feeds := make([]*feed, 0, len(b.feeds))
		for _, f := range b.feeds {
			feeds = append(feeds, f)
		}
		b.mu.RUnlock()
		for len(feeds) > 0 {
			n := min(checkBatch, len(feeds))
			b.checkSome(feeds[:n], round%refreshEvery == 0)
			feeds = feeds[n:]
		}
	}
}

func (b *Broker) checkSome(feeds []*feed, refresh bool) {
	ctx, cancel := context.WithTimeout(b.ctx, fillTimeout)
	defer cancel()
	ttl := strconv.FormatInt(remember.Milliseconds(), 10)
	var asked []*feed
	var commands rueidis.Commands
	for _, f := range feeds {
		if !b.lane(f.keys).health.down() && f.idle() {
			asked = append(asked, f)
			commands = append(commands, redisx.Read(b.client, "HMGET", f.keys.all[0], "g", "s", "e"))
		}
	}
	if refresh {
		for _, f := range feeds {
			commands = append(commands, b.client.B().Arbitrary("PEXPIRE").Keys(f.keys.all[0]).Args(ttl, "GT").Build())
		}
	}
	if len(commands) == 0 {
		return
	}
	results := b.client.DoMulti(ctx, commands...)
	for i, f := range asked {
		values, err := results[i].ToArray()
		if err != nil || len(values) != 3 {
			continue // it is checked again
		}
		gen, _ := values[0].ToString()
		seq, _ := values[1].AsUint64()
		epoch, _ := values[2].ToString()
		if !f.same(gen, seq, epoch) {
			f.fill()
		}
	}
}

// idle says whether nothing came since the last time.
func (f *feed) idle() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	idle := !f.heard && f.state == live
	f.heard = false
	return idle
}

// same says whether the feed has everything up to there. The epoch is another
// one when the room was forgotten.
func (f *feed) same(gen string, seq uint64, epoch string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gen == gen && f.seq == seq && f.at.Epoch == epoch
}
