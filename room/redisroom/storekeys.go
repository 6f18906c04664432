package redisroom

import (
	"hash/fnv"
	"strconv"
	"strings"
)

// shards is how many parts the rooms are spread over. All rooms of a shard, and
// its indices, are in one slot, so that one script keeps both in step. It cannot
// be changed while there are rooms.
const shards = 256

// shardOf is a room's shard.
func shardOf(name string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return int(h.Sum32() % shards)
}

func (c *config) shardKey(shard int, parts ...string) string {
	return c.keys.Key("rs", strconv.Itoa(shard), parts...)
}

// roomKey is the key of a room's record.
func (c *config) roomKey(name string) string { return c.shardKey(shardOf(name), "record", name) }

// roomKeys are the keys of a room in the order in which the scripts know them.
func (c *config) roomKeys(name string) []string {
	keys := make([]string, 0, 8)
	shard := shardOf(name)
	for _, kind := range [...]string{"record", "members", "users", "seats", "sanctions"} {
		keys = append(keys, c.shardKey(shard, kind, name))
	}
	return append(keys, c.shardKey(shard, "empty"))
}

// seatKeys are roomKeys with those of a node.
func (c *config) seatKeys(name, node string) []string {
	shard := shardOf(name)
	return append(c.roomKeys(name), c.shardKey(shard, "held", node), c.shardKey(shard, "dead"))
}

// nodeKeys are the keys of the leases.
func (c *config) nodeKeys() []string {
	keys := make([]string, 0, 3)
	for _, kind := range [...]string{"leases", "heirs", "lapsed"} {
		keys = append(keys, c.keys.Key("rn", "", kind))
	}
	return keys
}

// ownerKey is the key of the index of what a user owns.
func (c *config) ownerKey(user string) string { return c.keys.Key("ro", user) }

// splitHeld takes an entry of held apart; see lua/room.lua.
func splitHeld(entry string) (name, user, connection string, ok bool) {
	name, rest, ok := cutLength(entry)
	if !ok {
		return "", "", "", false
	}
	user, connection, ok = cutLength(rest)
	return name, user, connection, ok
}

// joinHeld is the opposite of splitHeld.
func joinHeld(name, user, connection string) string {
	return withLength(name, withLength(user, connection))
}

func withLength(first, second string) string {
	return strconv.Itoa(len(first)) + ":" + first + second
}

// cutLength takes "LENGTH:FIRST SECOND", without the space, apart.
func cutLength(s string) (first, second string, ok bool) {
	length, rest, ok := strings.Cut(s, ":")
	n, err := strconv.Atoi(length)
	if !ok || err != nil || n < 0 || n > len(rest) {
		return "", "", false
	}
	return rest[:n], rest[n:], true
}
