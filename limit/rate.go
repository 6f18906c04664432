package limit

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"time"
)

// ErrInvalidRate is the error for a [Rate] that does not describe a rate.
// Errors that wrap it say what is wrong with it.
var ErrInvalidRate = errors.New("limit: invalid rate")

// maxWindowBits bounds the time a full burst takes to drain to 2^62 ns (146
// years), so that adding it to a clock reading cannot overflow.
const maxWindowBits = 62

// A Rate admits Events events per Per in the long run, and up to Burst of them
// at once.
//
// The zero Rate is no limit at all. A Rate of no events, PerSecond(0) say, is
// not the zero Rate but an invalid one: a computation that went wrong must not
// lift a limit.
//
// A Rate is exact. In any span of time d at most Burst + d×Events/Per events
// are admitted, and a key that keeps asking gets no fewer, to the nanosecond.
type Rate struct {
	// Events is how many events are admitted per Per.
	Events int
	// Per is the time in which Events events are admitted.
	Per time.Duration
	// Burst is how many events are admitted at once after a time of rest, and
	// the most that one call can ask for. Zero means Events.
	Burst int
}

// PerSecond returns the Rate of n events per second, all of which may come at
// once.
func PerSecond(n int) Rate { return Rate{Events: n, Per: time.Second} }

// PerMinute returns the Rate of n events per minute, all of which may come at
// once.
func PerMinute(n int) Rate { return Rate{Events: n, Per: time.Minute} }

// WithBurst returns r with a burst of n events.
func (r Rate) WithBurst(n int) Rate {
	r.Burst = n
	return r
}

// Unlimited reports whether r is the zero Rate, which admits everything.
func (r Rate) Unlimited() bool { return r == Rate{} }

// Size returns the burst in effect: Burst, or Events where Burst is zero.
func (r Rate) Size() int {
	if r.Burst == 0 {
		return r.Events
	}
	return r.Burst
}

// Window returns the time in which a full burst drains, rounded up to the
// nanosecond: the longest that a key can be in debt, and so the longest that a
// store has to remember it. It is zero for a Rate that is unlimited or invalid.
func (r Rate) Window() time.Duration {
	if !r.valid() {
		return 0
	}
	hi, lo := bits.Mul64(uint64(r.Size()), uint64(r.Per))
	return time.Duration(ceilDiv(hi, lo, uint64(r.Events)))
}

// Validate returns nil if r is the zero Rate or describes a rate, and an error
// that wraps [ErrInvalidRate] otherwise: if Events or Per is below one, if
// Burst is negative, or if a full burst would take more than 146 years to
// drain.
func (r Rate) Validate() error {
	switch {
	case r.Unlimited() || r.valid():
		return nil
	case r.Events < 1:
		return fmt.Errorf("%w: %d events: use limit.PerSecond(10), say, or the zero Rate for no limit", ErrInvalidRate, r.Events)
	case r.Per < 1:
		return fmt.Errorf("%w: %d events per %v: use limit.PerSecond(%[2]d), say", ErrInvalidRate, r.Events, r.Per)
	case r.Burst < 0:
		return fmt.Errorf("%w: burst of %d: use 0 for as many as Events", ErrInvalidRate, r.Burst)
	default:
		return fmt.Errorf("%w: %v takes too long to drain", ErrInvalidRate, r)
	}
}

// valid reports whether r is a limit that the arithmetic of Bucket can work
// with. It is asked on every call, hence without a division.
func (r Rate) valid() bool {
	if r.Events < 1 || r.Per < 1 || r.Burst < 0 {
		return false
	}
	// Size×Per / Events < 2^62, multiplied out.
	hi, lo := bits.Mul64(uint64(r.Size()), uint64(r.Per))
	maxHi, maxLo := uint64(r.Events)>>(64-maxWindowBits), uint64(r.Events)<<maxWindowBits
	return hi < maxHi || hi == maxHi && lo < maxLo
}

// String returns r in a short form for logs and errors: "unlimited", "100/s",
// "60/m burst 10", "5/1.5s".
func (r Rate) String() string {
	if r.Unlimited() {
		return "unlimited"
	}
	per := r.Per.String()
	switch r.Per {
	case time.Second:
		per = "s"
	case time.Minute:
		per = "m"
	case time.Hour:
		per = "h"
	}
	s := strconv.Itoa(r.Events) + "/" + per
	if r.Burst != 0 && r.Burst != r.Events {
		s += " burst " + strconv.Itoa(r.Burst)
	}
	return s
}

// ceilDiv returns the 128-bit hi:lo divided by d, rounded up. The quotient must
// fit in 63 bits.
func ceilDiv(hi, lo, d uint64) uint64 {
	q, rem := bits.Div64(hi, lo, d)
	if rem > 0 {
		q++
	}
	return q
}
