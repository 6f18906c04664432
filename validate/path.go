package validate

import (
	"strconv"
	"strings"
)

const (
	// maxPathKey is the longest key that a path repeats, and maxPathLen the
	// length at which it stops growing, both in bytes.
	maxPathKey = 32
	maxPathLen = 256
)

// step is one open array or object on the way to an offset.
type step struct {
	object bool
	index  int
	key    []byte
	// named says that key was read and its value has not ended.
	named bool
}

// path names the value at data[at], everything before which is well formed.
// It reads the input a second time, which only a refused message pays for,
// so that a scan has nothing to keep.
func path(root string, data []byte, at int) string {
	var steps []step
	for i := 0; i < at; i++ {
		switch data[i] {
		case '{':
			steps = append(steps, step{object: true})
		case '[':
			steps = append(steps, step{})
		case '}', ']':
			steps = steps[:len(steps)-1]
		case ',':
			top := &steps[len(steps)-1]
			top.index++
			top.named = false
		case '"':
			end, _, _, _ := scanString(data, i+1)
			if n := len(steps); n > 0 && steps[n-1].object && !steps[n-1].named {
				steps[n-1].key, steps[n-1].named = data[i+1:end-1], true
			}
			i = end - 1
		}
	}

	var b strings.Builder
	b.WriteString(root)
	for _, s := range steps {
		if b.Len() > maxPathLen {
			b.WriteString("…")
			break
		}
		switch {
		case !s.object:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case s.named && plainKey(s.key):
			b.WriteString("." + string(s.key))
		case s.named:
			b.WriteString(".*")
		}
	}
	return b.String()
}

// plainKey reports whether a key may stand in a path: anything longer or
// stranger than a name is content, which an error does not repeat.
func plainKey(key []byte) bool {
	if len(key) == 0 || len(key) > maxPathKey {
		return false
	}
	for _, c := range key {
		if c != '$' && (c == '.' || c == ':' || !(asciiSet{plainLow, plainHigh}).has(c)) {
			return false
		}
	}
	return true
}
