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

	p := root
	for _, s := range steps {
		switch {
		case !s.object:
			p = PathIndex(p, s.index)
		case s.named:
			// A key with escapes is not plain, whatever they stand for.
			p = PathKey(p, string(s.key))
		}
		if strings.HasSuffix(p, cut) {
			break
		}
	}
	return p
}

// PathKey returns path with a key of the object there, "data.items". A key
// that is more than a plain short name (up to 32 of A-Z a-z 0-9 _ - $) is
// written as "*": it may be content, which no error repeats. A path of more
// than 256 bytes grows no further and ends in "…". For a host's own [Schema].
func PathKey(path, key string) string {
	if !plainKey(key) {
		key = "*"
	}
	return longer(path, "."+key)
}

// PathIndex returns path with an index of the array there, "data.items[3]",
// under the same rule of length as [PathKey].
func PathIndex(path string, index int) string {
	return longer(path, "["+strconv.Itoa(index)+"]")
}

const cut = "…"

func longer(path, more string) string {
	switch {
	case len(path) <= maxPathLen:
		return path + more
	case strings.HasSuffix(path, cut):
		return path
	}
	return path + cut
}

// plainKey reports whether a key may stand in a path: anything longer or
// stranger than a name is content, which an error does not repeat.
func plainKey(key string) bool {
	if len(key) == 0 || len(key) > maxPathKey {
		return false
	}
	for i := range len(key) {
		c := key[i]
		if c != '$' && (c == '.' || c == ':' || !(asciiSet{plainLow, plainHigh}).has(c)) {
			return false
		}
	}
	return true
}
