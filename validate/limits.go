package validate

import "strconv"

// Unlimited lifts one limit of [Limits].
const Unlimited = -1

// MaxDepth is the deepest nesting that any Limits accept, also where Depth is
// [Unlimited]. It is that of encoding/json, whose decoders would refuse more.
const MaxDepth = 10_000

// MaxSafeInteger is the largest integer that every JSON implementation
// carries exactly, 2^53−1 (RFC 8259, section 6; RFC 7493, section 2.2).
const MaxSafeInteger = 1<<53 - 1

// Limits says how large and of what shape a payload may be. A zero field
// means its default, so that the zero Limits are [DefaultLimits]; a negative
// one ([Unlimited]) means no limit. Limits are plain values, safe to copy and
// to use concurrently.
type Limits struct {
	// TextChars bounds a payload that is a JSON string, in characters:
	// Unicode code points after unescaping. Default 1,000.
	TextChars int
	// JSONBytes bounds the encoded JSON value, in bytes. Default 512 KiB.
	JSONBytes int
	// BinaryBytes bounds a binary payload. Default 5 MiB.
	BinaryBytes int
	// Depth bounds how many arrays and objects may be open at once; a scalar
	// has depth 0. Default 10, never more than [MaxDepth].
	Depth int
	// Elements bounds each array. Default 1,000.
	Elements int
	// Keys bounds each object. Default 100.
	Keys int

	// AllowUnsafeNumbers lets through what a JavaScript client reads as
	// another number than was sent: integers beyond ±[MaxSafeInteger]
	// (written without fraction and exponent), and numbers so large that a
	// double turns them into infinity.
	AllowUnsafeNumbers bool
	// ObjectOnly refuses every payload that is not a JSON object.
	ObjectOnly bool
	// NoPrototypeKeys refuses the keys __proto__, constructor and prototype
	// at any depth, however they are escaped. A client that merges such an
	// object into one of its own would change every object it has.
	NoPrototypeKeys bool

	// Root is what a Path begins with. Default "data".
	Root string
}

// DefaultLimits returns the limits of message data, spelled out: 1,000
// characters of text, 512 KiB of JSON, 5 MiB of binary, depth 10, 1,000
// elements in an array, 100 keys in an object.
func DefaultLimits() Limits {
	return Limits{}.resolved()
}

// MetaLimits returns the limits of presence metadata, which is sent to
// everyone in a room and kept as long as its user is there: an object of at
// most 4 KiB, depth 4, 100 elements in an array, 32 keys in an object, none
// of them a prototype key. Paths begin with "meta".
func MetaLimits() Limits {
	return Limits{
		JSONBytes:       4 << 10,
		Depth:           4,
		Elements:        100,
		Keys:            32,
		ObjectOnly:      true,
		NoPrototypeKeys: true,
		Root:            "meta",
	}.resolved()
}

const noLimit = int(^uint(0) >> 1)

func (l Limits) resolved() Limits {
	l.TextChars = limitOr(l.TextChars, 1_000)
	l.JSONBytes = limitOr(l.JSONBytes, 512<<10)
	l.BinaryBytes = limitOr(l.BinaryBytes, 5<<20)
	l.Depth = min(limitOr(l.Depth, 10), MaxDepth)
	l.Elements = limitOr(l.Elements, 1_000)
	l.Keys = limitOr(l.Keys, 100)
	if l.Root == "" {
		l.Root = "data"
	}
	return l
}

func limitOr(n, otherwise int) int {
	switch {
	case n == 0:
		return otherwise
	case n < 0:
		return noLimit
	}
	return n
}

// Binary checks a binary payload against BinaryBytes. The bytes themselves
// are free.
func (l Limits) Binary(payload []byte) *Error {
	if longest := limitOr(l.BinaryBytes, 5<<20); len(payload) > longest {
		return &Error{
			Code:    CodeTooLarge,
			Path:    l.resolved().Root,
			Message: "The payload is larger than " + strconv.Itoa(longest) + " bytes.",
		}
	}
	return nil
}
