package limittest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/wardroom/wardroom/limit"
)

// A testCase is one situation that a limiter has to get right.
type testCase struct {
	name string
	why  string // shown when it fails
	run  func(*script)
}

var cases = [...]testCase{
	{
		"burst",
		"A key that has spent nothing gets its whole burst at once and not one event more. " +
			"One less refuses users who keep the rules; one more doubles a limit of one.",
		burst,
	},
	{
		"refill",
		"Events come back one by one, each r.Per/r.Events after the one before. " +
			"A limiter that refills in windows admits twice its rate around the edge of one.",
		refill,
	},
	{
		"rest",
		"However long a key rests, it has saved up its burst and no more. " +
			"Otherwise a patient attacker collects a flood.",
		rest,
	},
	{
		"retry after",
		"RetryAfter is the truth: the same call is refused a moment before it has passed and admitted once it has. " +
			"Clients sleep for that long; too short makes them come back in vain and be closed for abuse, too long makes the service slow.",
		retryAfter,
	},
	{
		"reset after",
		"After ResetAfter, and not before, the whole burst is there again. It is what response headers tell clients.",
		resetAfter,
	},
	{
		"refusals are free",
		"A refused call spends nothing. If it did, a client that retries in a loop, or an attacker who can ask in a user's name, would keep that user out for good.",
		refusalsAreFree,
	},
	{
		"all or nothing",
		"n events are admitted together or not at all, and not at all means that none is spent. " +
			"A message that is admitted by half is lost.",
		allOrNothing,
	},
	{
		"more than the burst",
		"More events than the burst can never be admitted, so the answer is a refusal with RetryAfter zero, on a rested key too. " +
			"Any other RetryAfter makes clients retry for ever; an error would be taken for an outage, in which hosts may choose to let everything pass.",
		moreThanBurst,
	},
	{
		"peek",
		"n of zero reports what remains and spends nothing.",
		peek,
	},
	{
		"negative",
		"A negative n is an error and never a refund: a size computed wrongly must not refill a bucket.",
		negative,
	},
	{
		"keys",
		"No key has anything to do with another, whatever bytes are in them. Keys that run together let one user use up another's limit.",
		keys,
	},
	{
		"unlimited",
		"The zero Rate admits everything and leaves no trace on the key.",
		unlimited,
	},
	{
		"rate change",
		"The rate of the call holds, not the one that was first seen: limits change with roles and settings. " +
			"What is owed stays owed as time, so that changing roles is no way to a fresh burst, but never as more than a full burst of the new rate, so that nobody is shut out for an hour by a limit that no longer exists.",
		rateChange,
	},
	{
		"invalid rate",
		"A Rate that is none gives an error, spends nothing and admits nothing. A limit that was computed wrongly must not be no limit.",
		invalidRate,
	},
	{
		"context",
		"A call whose context is done returns, with a decision or with an error that wraps the context's and the zero Decision.",
		contextDone,
	},
	{
		"crowd",
		"What a key owes is remembered while thousands of other keys come and go. " +
			"If not, an attacker with many addresses washes his own debt away.",
		crowd,
	},
	{
		"random",
		"Any sequence of calls over time has exactly the admissions that the oracle has.",
		random,
	},
	{
		"race",
		"Concurrent calls for a key are admitted no more, and no fewer, than one after another. " +
			"A limiter that reads, decides and writes in separate steps admits a multiple of its burst under attack.",
		race,
	},
}

func burst(s *script) {
	for i, r := range s.rates() {
		key := fmt.Sprint("burst", i)
		// The last few one by one, where there are too many for that.
		single := min(r.Size(), 100)
		if n := r.Size() - single; n > 0 {
			s.admit(key, r, n)
		}
		for range single {
			s.admit(key, r, 1)
		}
		s.refuse(key, r, 1)
	}
}

func refill(s *script) {
	for i, r := range s.rates() {
		key := fmt.Sprint("refill", i)
		s.drain(key, r)
		for range 4 {
			d := s.refuse(key, r, 1)
			if s.exact() && d.RetryAfter > 1 {
				time.Sleep(d.RetryAfter - 1)
				s.refuse(key, r, 1)
				time.Sleep(1)
			} else {
				s.sleep(d.RetryAfter)
			}
			// More than one event may come back within a nanosecond.
			back := s.take(key, r, 0).Remaining
			s.admit(key, r, max(back, 1))
			s.refuse(key, r, 1)
		}
	}
}

func rest(s *script) {
	for i, r := range s.rates() {
		key := fmt.Sprint("rest", i)
		s.drain(key, r)
		window := r.Window()
		if s.exact() {
			window *= 10
		}
		s.sleep(window)
		s.admit(key, r, r.Size())
		s.refuse(key, r, 1)
	}
}

func retryAfter(s *script) {
	for i, r := range s.rates() {
		key := fmt.Sprint("retry", i)
		counts := []int{1, min(2, r.Size()), r.Size()/2 + 1, r.Size()}
		if !s.exact() {
			counts = counts[:2]
		}
		for _, n := range counts {
			s.drain(key, r)
			d := s.refuse(key, r, n)
			if s.exact() && d.RetryAfter > 1 {
				time.Sleep(d.RetryAfter - 1)
				s.refuse(key, r, n)
				time.Sleep(1)
			} else {
				s.sleep(d.RetryAfter)
			}
			s.admit(key, r, n)
		}
	}
}

func resetAfter(s *script) {
	for i, r := range s.rates() {
		key := fmt.Sprint("reset", i)
		for _, n := range []int{1, r.Size()/2 + 1, r.Size()} {
			d := s.admit(key, r, n)
			if s.exact() && d.ResetAfter > 1 {
				time.Sleep(d.ResetAfter - 1)
				s.refuse(key, r, r.Size())
				time.Sleep(1)
			} else {
				s.sleep(d.ResetAfter)
			}
			if d := s.take(key, r, 0); d.ResetAfter > 0 && s.exact() {
				s.t.Fatalf("a rested key: %+v, want ResetAfter of zero", d)
			}
		}
		s.admit(key, r, r.Size())
	}
}

func refusalsAreFree(s *script) {
	for i, r := range s.rates() {
		key := fmt.Sprint("free", i)
		s.drain(key, r)
		first := s.refuse(key, r, 1)
		start := time.Now()
		calls := 200
		if !s.exact() {
			calls = 20
		}
		for range calls {
			s.refuse(key, r, 1)
		}
		s.sleep(first.RetryAfter - time.Since(start))
		s.admit(key, r, 1)
	}
}

func allOrNothing(s *script) {
	r := limit.Rate{Events: 5, Per: time.Second}
	s.admit("k", r, 3)
	s.refuse("k", r, 3)
	s.refuse("k", r, 5)
	s.admit("k", r, 2)
	s.refuse("k", r, 1)
}

func moreThanBurst(s *script) {
	for i, r := range s.rates() {
		key := fmt.Sprint("more", i)
		for _, n := range []int{r.Size() + 1, 2 * r.Size(), math.MaxInt} {
			d := s.refuse(key, r, n)
			if d.Remaining != r.Size() {
				s.t.Fatalf("refusing %d: %d remain, want all %d", n, d.Remaining, r.Size())
			}
		}
		s.admit(key, r, r.Size())
		s.refuse(key, r, r.Size()+1)
	}
}

func peek(s *script) {
	r := limit.Rate{Events: 5, Per: time.Second}
	for spent := range r.Size() {
		for range 3 {
			if d := s.admit("k", r, 0); d.Remaining < r.Size()-spent {
				s.t.Fatalf("%d of %d spent: %+v", spent, r.Size(), d)
			}
		}
		s.admit("k", r, 1)
	}
	s.admit("k", r, 0)
	s.refuse("k", r, 1)
}

func negative(s *script) {
	r := limit.Rate{Events: 5, Per: time.Second}
	s.drain("k", r)
	for _, n := range []int{-1, -5, math.MinInt} {
		d, err := s.limiter.Allow(s.t.Context(), "k", r, n)
		if !errors.Is(err, limit.ErrInvalidCount) || d != (limit.Decision{}) {
			s.t.Fatalf("Allow of %d = %+v, %v; want the zero Decision and ErrInvalidCount", n, d, err)
		}
		s.refuse("k", r, 1)
	}
}

func keys(s *script) {
	r := limit.Rate{Events: 2, Per: 24 * time.Hour}
	all := []string{
		"", " ", "a", "A", "ab", "a:b", "a:", ":b", "a b", "b", "a\x00", "a\x00b", "\x00", "\n", "*", "?", "a*",
		"{a}", "{a}b", "{b}a", "%61", "é", "e\u0301", "\xff", "\xfe", "0", "00", "1", "-1",
		strings.Repeat("k", 1000), strings.Repeat("k", 1001),
		"user:1", "user:11", "user:1:1", "192.0.2.1", "2001:db8::/64",
	}
	for i, key := range all {
		s.admit(key, r, 2)
		s.refuse(key, r, 1)
		for _, fresh := range all[i+1:] {
			s.admit(fresh, r, 0)
		}
	}
	for _, key := range all {
		s.refuse(key, r, 1)
	}
}

func unlimited(s *script) {
	r := limit.Rate{Events: 2, Per: time.Hour}
	for _, n := range []int{0, 1, 1000, math.MaxInt} {
		s.admit("k", limit.Rate{}, n)
	}
	s.admit("k", r, 2)
	s.admit("k", limit.Rate{}, 1)
	s.refuse("k", r, 1)
}

func rateChange(s *script) {
	slow := limit.Rate{Events: 4, Per: 4 * time.Hour}
	fast := limit.Rate{Events: 5, Per: time.Second}

	// An hour's debt counts as a full burst under the faster rate, drains at
	// that rate, and refusals do not hold it up.
	s.admit("raised", slow, 4)
	s.refuse("raised", slow, 1)
	for range 5 {
		s.refuse("raised", fast, 1)
	}
	s.sleep(100 * time.Millisecond)
	d := s.take("raised", fast, 1)
	if !d.OK {
		s.sleep(d.RetryAfter)
		s.admit("raised", fast, 1)
	}

	// A second's debt is next to nothing under the slower rate, but not nothing.
	s.admit("lowered", fast, 5)
	s.refuse("lowered", slow, 4)
	s.admit("lowered", slow, 3)
	s.refuse("lowered", slow, 1)

	// A burst that was cut holds from the next call on.
	s.admit("cut", fast.WithBurst(10), 1)
	s.refuse("cut", fast.WithBurst(2), 2)
	s.admit("cut", fast.WithBurst(2), 1)
	s.refuse("cut", fast.WithBurst(2), 1)
	s.admit("cut", fast.WithBurst(10), 7)
}

func invalidRate(s *script) {
	r := limit.Rate{Events: 2, Per: time.Hour}
	for _, bad := range []limit.Rate{
		limit.PerSecond(0),
		limit.PerSecond(-1),
		{Per: time.Second, Burst: 1},
		{Events: 1},
		{Burst: 1},
		{Events: 1, Per: -time.Second},
		{Events: 1, Per: time.Second, Burst: -1},
		{Events: 1, Per: math.MaxInt64, Burst: 2},
		{Events: 1, Per: math.MaxInt64, Burst: math.MaxInt},
	} {
		d, err := s.limiter.Allow(s.t.Context(), "k", bad, 1)
		if !errors.Is(err, limit.ErrInvalidRate) || d != (limit.Decision{}) {
			s.t.Fatalf("Allow under %+v = %+v, %v; want the zero Decision and ErrInvalidRate", bad, d, err)
		}
	}
	s.admit("k", r, 2)
}

func contextDone(s *script) {
	ctx, cancel := context.WithCancel(s.t.Context())
	cancel()
	r := limit.Rate{Events: 2, Per: time.Hour}
	d, err := s.limiter.Allow(ctx, "k", r, 1)
	if err != nil && (!errors.Is(err, context.Canceled) || d != (limit.Decision{})) {
		s.t.Fatalf("Allow with a context that is done = %+v, %v; want a decision, or the zero one and context.Canceled", d, err)
	}
	s.admit("other", r, 2)
}

func crowd(s *script) {
	r := limit.Rate{Events: 2, Per: 24 * time.Hour}
	fast := limit.Rate{Events: 5, Per: time.Second}
	crowd, pause := 2000, 50*time.Millisecond
	if !s.exact() {
		crowd, pause = 500, 0
	}
	s.admit("debtor", r, 2)
	for i := range crowd {
		key := fmt.Sprint("passer-by ", i)
		s.admit(key, fast, 1)
		s.admit(key, fast, 4)
		time.Sleep(pause)
		if i%10 == 0 {
			s.refuse("debtor", r, 1)
		}
	}
	s.refuse("debtor", r, 1)
	s.admit("passer-by 0", fast, 0)
}
