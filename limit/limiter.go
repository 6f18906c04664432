package limit

import (
	"context"
	"errors"
	"math"
	"time"
)

// ErrInvalidCount is the error for a negative number of events.
var ErrInvalidCount = errors.New("limit: negative number of events")

// A Limiter decides whether events may happen now. It counts them per key.
//
// # Contract
//
// Allow asks whether n events of key are within r, and spends them if they
// are: all n or none. The answer is that of the generic cell rate algorithm
// (GCRA): a key that has spent nothing is admitted r.Size() events at once; what
// was spent comes back evenly, one event every r.Per/r.Events.
//
//   - A key that was never seen, or that was forgotten because it owed nothing
//     any more, is one that has spent nothing. Keys are compared byte by byte,
//     the empty key is a key like any other, and no key has anything to do
//     with another.
//   - The key alone identifies the state; r only says how to read it. Two
//     limits on the same subject need two keys. When r changes between two
//     calls (a setting was changed, a user got a role) the new r holds from
//     that call on: what the key owes stays owed as the time that it takes to
//     come back, but never as more than a full burst of the new r.
//   - n of zero spends nothing and is always admitted: it asks for Remaining.
//     A refused call spends nothing either, so asking too often delays nobody.
//   - n above r.Size() can never be admitted. It is refused with a RetryAfter of
//     zero, and without an error: a message too large for its limit is the
//     sender's fault, not the limiter's.
//   - The zero Rate admits every n, with a Remaining of [math.MaxInt], and
//     leaves no trace on the key.
//   - An r that [Rate.Validate] refuses gives an error that wraps
//     [ErrInvalidRate]; a negative n gives one that wraps [ErrInvalidCount].
//
// With an error the Decision is the zero one, which refuses. The error says
// that the limiter could not tell: whether the events were spent is unknown,
// and whether they may happen is the caller's choice. A Limiter in memory
// never waits and may ignore ctx; one across a network gives up when ctx is
// done and returns an error that wraps ctx.Err().
//
// A Limiter is safe for concurrent use, and concurrent calls for one key are
// admitted no more in total than if they had come one after another. An
// implementation that shares state between nodes may admit more by a margin
// that it documents.
//
// limittest.TestLimiter tests all of this.
type Limiter interface {
	Allow(ctx context.Context, key string, r Rate, n int) (Decision, error)
}

// A Decision is the answer of a [Limiter]. The zero Decision is a refusal.
type Decision struct {
	// OK is whether the events are admitted.
	OK bool
	// Remaining is how many more events would be admitted right after this
	// decision.
	Remaining int
	// RetryAfter is the least time after which the same call will be admitted
	// if nobody else spends from the key meanwhile. It is zero if OK, and
	// positive if not, with one exception: it is zero where waiting does not
	// help, because more events were asked for than the burst allows.
	RetryAfter time.Duration
	// ResetAfter is the time after which the key will have its full burst
	// again if nobody spends from it meanwhile. It is zero if it has it now.
	ResetAfter time.Duration
}

// admitted is the Decision on an unlimited rate.
func admitted() Decision { return Decision{OK: true, Remaining: math.MaxInt} }
