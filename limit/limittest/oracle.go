package limittest

import (
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/wardroom/wardroom/limit"
)

// An oracle knows what a limiter must answer. It is GCRA as the textbook has
// it, in rational nanoseconds: slow, and with nothing in it that could be wrong
// but the formula.
//
// A decision was made at some instant between two readings of the clock, so
// the oracle keeps the earliest and the latest theoretical arrival time that
// each key can have. In virtual time both readings are equal, and so are these.
type oracle struct {
	keys map[string]span
}

// A span is a range of instants or durations, in nanoseconds.
type span struct{ lo, hi *big.Rat }

func newOracle() *oracle { return &oracle{keys: make(map[string]span)} }

// check follows the decision d about n events of key at an instant between
// from and to. It returns what is wrong with d, or "".
func (o *oracle) check(key string, r limit.Rate, n int, from, to time.Duration, d limit.Decision) string {
	if r.Unlimited() {
		want := limit.Decision{OK: true, Remaining: math.MaxInt}
		if d != want {
			return fmt.Sprintf("want %+v under the zero Rate", want)
		}
		return ""
	}
	at := span{rat(from), rat(to)}
	interval := new(big.Rat).SetFrac64(int64(r.Per), int64(r.Events))
	burst := times(interval, r.Size())
	cost := times(interval, n)

	// What the key owes is never more than a full burst.
	tat, known := o.keys[key]
	if !known {
		tat = span{at.lo, at.lo} // owes nothing at any instant
	}
	tat = span{least(tat.lo, plus(at.lo, burst)), least(tat.hi, plus(at.hi, burst))}

	// The call is admitted at or after tat + cost − burst.
	due := span{minus(plus(tat.lo, cost), burst), minus(plus(tat.hi, cost), burst)}
	fits := n <= r.Size()
	switch {
	case d.OK && !fits:
		return fmt.Sprintf("admitted more than the burst of %d", r.Size())
	case d.OK && due.lo.Cmp(at.hi) > 0:
		return fmt.Sprintf("admitted %v too early", ceil(minus(due.lo, at.hi)))
	case !d.OK && fits && due.hi.Cmp(at.lo) <= 0:
		return "refused what is within the rate"
	}

	// An answer narrows down what the key owes.
	wait := span{new(big.Rat), new(big.Rat)}
	switch {
	case d.OK:
		tat.hi = least(tat.hi, minus(plus(at.hi, burst), cost))
		tat.hi = greatest(tat.hi, tat.lo)
		if n > 0 {
			tat = span{plus(greatest(tat.lo, at.lo), cost), plus(greatest(tat.hi, at.hi), cost)}
		}
	case fits:
		tat.lo = greatest(tat.lo, minus(plus(at.lo, burst), cost))
		tat.lo = least(tat.lo, tat.hi)
		due = span{minus(plus(tat.lo, cost), burst), minus(plus(tat.hi, cost), burst)}
		wait = span{minus(due.lo, at.hi), minus(due.hi, at.lo)}
	}
	if known || d.OK && n > 0 {
		o.keys[key] = tat
	}

	owed := span{minus(tat.lo, at.hi), minus(tat.hi, at.lo)}
	if lo, hi := ceil(wait.lo), ceil(wait.hi); d.RetryAfter < lo || d.RetryAfter > hi {
		return fmt.Sprintf("RetryAfter is %v, want %s", d.RetryAfter, bounds(lo, hi))
	}
	if !d.OK && fits && d.RetryAfter < 1 {
		return "RetryAfter is zero where waiting helps"
	}
	if lo, hi := ceil(owed.lo), ceil(owed.hi); d.ResetAfter < lo || d.ResetAfter > hi {
		return fmt.Sprintf("ResetAfter is %v, want %s", d.ResetAfter, bounds(lo, hi))
	}
	if lo, hi := left(burst, owed.hi, interval), left(burst, owed.lo, interval); d.Remaining < lo || d.Remaining > hi {
		return fmt.Sprintf("Remaining is %d, want %s", d.Remaining, bounds(lo, hi))
	}
	return ""
}

// left returns how many events of interval fit between owed and burst.
func left(burst, owed, interval *big.Rat) int {
	free := minus(burst, greatest(owed, new(big.Rat)))
	q := new(big.Rat).Quo(free, interval)
	n := new(big.Int).Quo(q.Num(), q.Denom())
	return max(int(n.Int64()), 0)
}

// ceil returns a duration rounded up to the nanosecond, and zero if negative.
func ceil(d *big.Rat) time.Duration {
	if d.Sign() <= 0 {
		return 0
	}
	q, m := new(big.Int).QuoRem(d.Num(), d.Denom(), new(big.Int))
	if m.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return time.Duration(q.Int64())
}

func bounds[T comparable](lo, hi T) string {
	if lo == hi {
		return fmt.Sprint(lo)
	}
	return fmt.Sprintf("%v to %v", lo, hi)
}

func rat(d time.Duration) *big.Rat { return new(big.Rat).SetInt64(int64(d)) }

func plus(a, b *big.Rat) *big.Rat  { return new(big.Rat).Add(a, b) }
func minus(a, b *big.Rat) *big.Rat { return new(big.Rat).Sub(a, b) }

func times(a *big.Rat, n int) *big.Rat {
	return new(big.Rat).Mul(a, new(big.Rat).SetInt64(int64(n)))
}

func least(a, b *big.Rat) *big.Rat {
	if a.Cmp(b) < 0 {
		return a
	}
	return b
}

func greatest(a, b *big.Rat) *big.Rat {
	if a.Cmp(b) > 0 {
		return a
	}
	return b
}
