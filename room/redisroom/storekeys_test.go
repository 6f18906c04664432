package redisroom

import (
	"strconv"
	"strings"
	"testing"
)

// All keys of one script are in one slot of a Cluster, which is that of the
// tag, whatever the names are.
func TestStoreKeysOfOneSlot(t *testing.T) {
	cfg := options([]Option{WithPrefix("p{x}:")})
	tag := func(key string) string {
		_, rest, _ := strings.Cut(key, "{")
		tag, _, ok := strings.Cut(rest, "}")
		if !ok || tag == "" || strings.Count(key, "{") != 1 || strings.Count(key, "}") != 1 {
			t.Errorf("%s has no tag, or more than one", key)
		}
		return tag
	}
	names := []string{"lobby", "a:b", "{x}", "}", "{", "{}", "a b\n", "%7B", "ä", ""}
	used := make(map[string]bool)
	for _, name := range names {
		for _, node := range names {
			keys := cfg.seatKeys(name, node)
			if want := tag(cfg.roomKey(name)); len(keys) != 8 || keys[0] != cfg.roomKey(name) || want != tag(cfg.shardKey(shardOf(name), "dead")) {
				t.Errorf("%q: %v", name, keys)
			} else {
				for _, key := range keys {
					if tag(key) != want {
						t.Errorf("%s is not in the slot of %s", key, want)
					}
				}
			}
			for _, key := range keys[:5] {
				used[key] = true
			}
		}
	}
	if len(used) != 5*len(names) {
		t.Errorf("%d names have %d keys, want 5 each", len(names), len(used))
	}
	for _, key := range cfg.nodeKeys() {
		if tag(key) != tag(cfg.nodeKeys()[0]) {
			t.Errorf("%s is not in the slot of the leases", key)
		}
	}
}

// The shards are all used, and a name always has the same one: what is stored
// must be found again by later versions.
func TestShards(t *testing.T) {
	used := make(map[int]int)
	for i := range 1 << 16 {
		used[shardOf(string([]byte{byte(i), byte(i >> 8)}))]++
	}
	for shard := range shards {
		if n := used[shard]; n < 64 || n > 1024 {
			t.Errorf("%d of %d names are in shard %d", n, 1<<16, shard)
		}
	}
	for name, want := range map[string]int{"": 197, "lobby": 211, "team:7": 111} {
		if got := shardOf(name); got != want {
			t.Errorf("%q is in shard %d, want %d", name, got, want)
		}
	}
}

func FuzzHeld(f *testing.F) {
	f.Add("lobby", "ada", "c1")
	f.Add("1:a", "3:", "")
	f.Fuzz(func(t *testing.T, name, user, connection string) {
		entry := lengthFirst(name, lengthFirst(user, connection)) // as the scripts write it
		gotName, gotUser, gotConnection, ok := splitHeld(entry)
		if !ok || gotName != name || gotUser != user || gotConnection != connection {
			t.Errorf("%q: %q, %q, %q, %v", entry, gotName, gotUser, gotConnection, ok)
		}
		splitHeld(name) // whatever it is
	})
}

func lengthFirst(first, second string) string { return strconv.Itoa(len(first)) + ":" + first + second }
