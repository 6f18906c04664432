package limittest

import (
	"errors"
	"math"
	"time"

	"github.com/wardroom/wardroom/limit"
)

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
