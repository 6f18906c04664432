package redisroom

import (
	"hash/maphash"
	"strings"
)

// keys are those of one room, all in one slot.
type keys struct {
	room    string
	channel string
	hash    uint64
	all     []string // as lua/log.lua wants them
}

var seed = maphash.MakeSeed()

// keysOf makes the keys of a room.
func (b *Broker) keysOf(room string) *keys {
	k := b.cfg.keys
	key := func(part string) string { return k.Key("r", room, part) }
	return &keys{
		room: room, channel: k.Key("r", room), hash: maphash.String(seed, room),
		all: []string{
			key("meta"), key("log"), key("tail"), key("ids"), key("ids2"), key("ops"), key("ops2"), key("edits"),
		},
	}
}

func hasPrefix(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// keepIf keeps those elements of list, in place, for which keep is true.
func keepIf[T any](list []T, keep func(T) bool) []T {
	n := 0
	for _, v := range list {
		if keep(v) {
			list[n] = v
			n++
		}
	}
	clear(list[n:])
	return list[:n]
}
