package validate

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// keySpan is one key of an open object: its unescaped bytes, in the input or,
// where it had escapes, in keyStack.unescaped.
type keySpan struct {
	start, end int
	unescaped  bool
	// mark is a digest of the key: a quick one while an object's keys are
	// compared one by one, the hash once they are in a table.
	mark uint64
}

// keySet finds an object's keys again. It is empty until there are enough of
// them that looking at each would be slow.
type keySet struct {
	// slots is where the object's hash table begins in keyStack.slots and
	// size its length, a power of two; 0 while there is none.
	slots, size int
}

// fewKeys is how many keys are compared one by one.
const fewKeys = 16

// keyStack holds the keys of all open objects, innermost last. Keys are only
// ever added to the innermost, so keys and slots grow and shrink at their ends.
type keyStack struct {
	seed      maphash.Seed
	keys      []keySpan
	unescaped []byte
	slots     []int32 // 1 + index in keys, 0 when free
}

func newKeyStack() keyStack {
	// The seed is secret and random: nobody can write keys that collide.
	return keyStack{seed: maphash.MakeSeed(), keys: make([]keySpan, 0, 32)}
}

func (s *keyStack) reset(usual int) {
	if cap(s.keys) > usual {
		s.keys = make([]keySpan, 0, 32)
	}
	if cap(s.unescaped) > 16*usual {
		s.unescaped = nil
	}
	if cap(s.slots) > 4*usual {
		s.slots = nil
	}
	s.keys, s.unescaped, s.slots = s.keys[:0], s.unescaped[:0], s.slots[:0]
}

// span describes the key data[start:end], quotes excluded.
func (s *keyStack) span(data []byte, start, end int, escaped bool) keySpan {
	k := keySpan{start: start, end: end, unescaped: escaped}
	if escaped {
		k.start = len(s.unescaped)
		s.unescaped = unescape(s.unescaped, data[start:end])
		k.end = len(s.unescaped)
	}
	return k
}

func (s *keyStack) bytes(data []byte, k keySpan) []byte {
	if k.unescaped {
		return s.unescaped[k.start:k.end]
	}
	return data[k.start:k.end]
}

func (s *keyStack) hash(data []byte, k keySpan) uint64 {
	return maphash.Bytes(s.seed, s.bytes(data, k))
}

// quickMark tells keys apart by their length and the bytes at their ends. It
// is no hash: keys that share it are easy to write, and cost as many
// comparisons of whole keys as there may be few ones.
func quickMark(key []byte) uint64 {
	n := len(key)
	mark := uint64(n) << 56
	switch {
	case n >= 8:
		mark ^= binary.LittleEndian.Uint64(key) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(key[n-8:]), 29)
	case n >= 4:
		mark ^= uint64(binary.LittleEndian.Uint32(key)) | uint64(binary.LittleEndian.Uint32(key[n-4:]))<<32
	case n > 0:
		mark ^= uint64(key[0]) | uint64(key[n/2])<<8 | uint64(key[n-1])<<16
	}
	return mark
}

// add adds a key to the innermost object, or reports false when it is there
// already.
func (s *keyStack) add(top *frame, data []byte, k keySpan) bool {
	if top.size == 0 {
		k.mark = quickMark(s.bytes(data, k))
		others := s.keys[top.keys:]
		for i := range others {
			if others[i].mark == k.mark && bytes.Equal(s.bytes(data, others[i]), s.bytes(data, k)) {
				return false
			}
		}
		s.keys = append(s.keys, k)
		if len(s.keys)-top.keys > fewKeys {
			for i := top.keys; i < len(s.keys); i++ {
				s.keys[i].mark = s.hash(data, s.keys[i])
			}
			top.slots = len(s.slots)
			s.index(top, 8*fewKeys)
		}
		return true
	}
	k.mark = s.hash(data, k)
	if 2*(len(s.keys)-top.keys) >= top.size {
		s.index(top, 2*top.size)
	}
	table := s.slots[top.slots : top.slots+top.size]
	at := int(k.mark) & (top.size - 1)
	for ; table[at] != 0; at = (at + 1) & (top.size - 1) {
		other := &s.keys[table[at]-1]
		if other.mark == k.mark && bytes.Equal(s.bytes(data, *other), s.bytes(data, k)) {
			return false
		}
	}
	s.keys = append(s.keys, k)
	table[at] = int32(len(s.keys))
	return true
}

// index builds the innermost object's hash table anew with size slots.
func (s *keyStack) index(top *frame, size int) {
	top.size = size
	s.slots = s.slots[:top.slots]
	for range size {
		s.slots = append(s.slots, 0)
	}
	table := s.slots[top.slots:]
	for i := top.keys; i < len(s.keys); i++ {
		at := int(s.keys[i].mark) & (size - 1)
		for table[at] != 0 {
			at = (at + 1) & (size - 1)
		}
		table[at] = int32(i + 1)
	}
}

// drop forgets the keys of the innermost object. What was unescaped stays
// until the end: it is never longer than the input.
func (s *keyStack) drop(top *frame) {
	s.keys = s.keys[:top.keys]
	if top.size > 0 {
		s.slots = s.slots[:top.slots]
	}
}
