package limit

import (
	"math/bits"
	"time"
)

// A Bucket is the state of one key under the generic cell rate algorithm, as a
// plain value of 16 bytes: for a limit that belongs to something which has one
// owner already, such as a connection. It gives the same decisions as a
// [Limiter], with no key, no lock, no clock and no allocation.
//
// The zero Bucket has spent nothing. A Bucket is not safe for concurrent use.
type Bucket struct {
	// The theoretical arrival time of GCRA: the instant at which everything
	// that was spent will have come back. It is kept exactly, as nanoseconds
	// and a rest in units of 1/Events ns, so that an interval between events
	// that is no whole number of nanoseconds loses nothing.
	tat  int64
	rest uint64
}

// Take asks whether n events are within r at the time now, and spends them if
// they are. The rules are those of [Limiter]; where a Limiter returns an error
// (r is not valid or n is negative) Take refuses, so validate rates where they
// are configured.
//
// now is the time since an instant of the caller's choice, the same one in
// every call and not after the first; time.Since(start) is a cheap way to get
// it and does not jump with the wall clock. If now goes backwards all the same
// the bucket stays within its rate and owes at most one full burst.
func (b *Bucket) Take(now time.Duration, r Rate, n int) Decision {
	if n < 0 {
		return Decision{}
	}
	if r.Unlimited() {
		return admitted()
	}
	if !r.valid() {
		return Decision{}
	}
	return b.take(int64(now), r, n)
}

// take is Take for a valid limit and n ≥ 0.
//
// One event is Per units of 1/Events ns, and Events of these units come back
// per nanosecond. In this unit everything is an integer and nothing needs a
// division but the answer. 128 bits hold every product of two ints.
func (b *Bucket) take(now int64, r Rate, n int) Decision {
	events, per := uint64(r.Events), uint64(r.Per)
	maxHi, maxLo := bits.Mul64(uint64(r.Size()), per)

	var owedHi, owedLo, carry uint64
	ahead := b.tat - now
	if ahead >= 0 {
		// A rest that was left under another rate counts for at most 1 ns.
		owedHi, owedLo = bits.Mul64(uint64(ahead), events)
		owedLo, carry = bits.Add64(owedLo, min(b.rest, events), 0)
		owedHi += carry
		if less(maxHi, maxLo, owedHi, owedLo) {
			// Left under a rate with a longer window, or the clock went back.
			owedHi, owedLo = maxHi, maxLo
			q, rest := bits.Div64(maxHi, maxLo, events)
			b.tat, b.rest = now+int64(q), rest
		}
	}

	costHi, costLo := bits.Mul64(uint64(n), per)
	sumLo, carry := bits.Add64(owedLo, costLo, 0)
	sumHi, _ := bits.Add64(owedHi, costHi, carry)

	if !less(maxHi, maxLo, sumHi, sumLo) {
		q, rest := bits.Div64(sumHi, sumLo, events)
		b.tat, b.rest = now+int64(q), rest
		return Decision{
			OK:         true,
			Remaining:  quotient(maxHi, maxLo, sumHi, sumLo, per),
			ResetAfter: b.after(now),
		}
	}

	d := Decision{ResetAfter: b.after(now)}
	if n != 1 { // one event was refused, so none remains
		d.Remaining = quotient(maxHi, maxLo, owedHi, owedLo, per)
	}
	if n <= r.Size() {
		missLo, borrow := bits.Sub64(sumLo, maxLo, 0)
		missHi, _ := bits.Sub64(sumHi, maxHi, borrow)
		d.RetryAfter = time.Duration(ceilDiv(missHi, missLo, events))
	}
	return d
}

// after returns the time from now until everything has come back, rounded up.
func (b *Bucket) after(now int64) time.Duration {
	ahead := b.tat - now
	if ahead < 0 {
		return 0
	}
	if b.rest > 0 {
		ahead++
	}
	return time.Duration(ahead)
}

// less reports whether one 128-bit number is less than another.
func less(aHi, aLo, bHi, bLo uint64) bool {
	return aHi < bHi || aHi == bHi && aLo < bLo
}

// quotient returns (a − b) / d of 128-bit numbers for a ≥ b, rounded down. It
// must fit in an int.
func quotient(aHi, aLo, bHi, bLo, d uint64) int {
	lo, borrow := bits.Sub64(aLo, bLo, 0)
	hi, _ := bits.Sub64(aHi, bHi, borrow)
	q, _ := bits.Div64(hi, lo, d)
	return int(q)
}
