package limittest

import (
	"fmt"
	"time"
)

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
				time.Sleep(time.Nanosecond)
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
				time.Sleep(time.Nanosecond)
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
				time.Sleep(time.Nanosecond)
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
