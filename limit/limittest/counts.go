package limittest

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/wardroom/wardroom/limit"
)

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
