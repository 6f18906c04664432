package validate

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// Objects of every size that matters to the table, with and without one key
// that is there already, escaped or not, in a nested object or around one.
func TestDuplicateKeys(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	limits := anything()
	for _, size := range []int{1, 2, 3, 15, 16, 17, 18, 31, 63, 64, 65, 66, 127, 128, 129, 130, 500, 1_500} {
		for range 5 {
			keys := make([]string, size)
			for i := range keys {
				keys[i] = testKey(i)
			}
			random.Shuffle(size, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			if e := limits.JSON(objectOf(random, keys)); e != nil {
				t.Fatalf("%d different keys: %v", size, e)
			}
			keys = append(keys, keys[random.IntN(size)])
			if e := limits.JSON(objectOf(random, keys)); e == nil || e.Code != CodeDuplicateKey {
				t.Fatalf("%d keys and one again: %v", size, e)
			}
		}
	}
}

// testKey makes keys of all lengths, many of which agree in length and at
// both ends, so that their quick marks are the same.
func testKey(i int) string {
	switch i % 3 {
	case 0:
		return fmt.Sprintf("k%d", i)
	case 1:
		return fmt.Sprintf("beginning%09dtheending", i)
	default:
		return fmt.Sprintf("é%d", i)
	}
}

// objectOf writes an object that has keys in this order. Some are escaped,
// and some values are objects with keys of their own.
func objectOf(random *rand.Rand, keys []string) []byte {
	var b strings.Builder
	b.WriteByte('{')
	for i, key := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		for _, r := range key {
			if random.IntN(8) == 0 {
				fmt.Fprintf(&b, `\u%04x`, r)
			} else {
				b.WriteRune(r)
			}
		}
		b.WriteString(`":`)
		switch random.IntN(10) {
		case 0:
			b.WriteString(`{"k0":1,"\u0061":{"k3":[]}}`)
		case 1:
			b.WriteString(object(20))
		default:
			b.WriteString("1")
		}
	}
	b.WriteByte('}')
	return []byte(b.String())
}

// The keys of testKey are only worth their name while they collide.
func TestQuickMarkCollides(t *testing.T) {
	if quickMark([]byte(testKey(1))) != quickMark([]byte(testKey(4))) {
		t.Error("testKey makes no keys with the same quick mark")
	}
	marks := map[uint64]string{}
	for _, key := range []string{"", "a", "b", "aa", "ab", "abc", "acc", "abcd", "abcde", "xbcde", "abcdefg", "abcdefgh", "hgfedcba", "abcdefghi"} {
		if other, ok := marks[quickMark([]byte(key))]; ok {
			t.Errorf("%q and %q have the same quick mark", key, other)
		}
		marks[quickMark([]byte(key))] = key
	}
}
