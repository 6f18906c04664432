package limittest

import (
	"context"
	"errors"
	"time"

	"github.com/wardroom/wardroom/limit"
)

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
