package room

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/wardroom/wardroom/limit"
)

// The events that a server logs: the message of each record is one of these
// names, which do not change. docs/SECURITY-MODEL.md has them with their
// attributes.
//
// Nothing that is logged holds a token, a ticket, a query string or what
// somebody said. slog's handlers quote values, so that a newline in one cannot
// start a line.
const (
	eventConnect     = "connect"    // welcomed
	eventDisconnect  = "disconnect" // gone, with the close code
	eventRefuse      = "refuse"     // a handshake or a first message, and why
	eventRenew       = "renew"      // an identity was replaced by a fresher one
	eventJoin        = "join"
	eventLeave       = "leave"
	eventRefuseJoin  = "refuse_join"
	eventRefuseRenew = "refuse_renew"
	eventModerate    = "moderate" // also create, update and delete
	eventLimit       = "limit"    // too fast, or too many
	eventAbuse       = "abuse"    // closed for being too fast too often
	eventInvalid     = "invalid"  // a request that breaks the rules for content
	eventRevoke      = "revoke"
	eventError       = "error" // something failed that is not the client's fault
	eventPanic       = "panic"
	eventExpire      = "expire" // a room was empty for too long
	eventSize        = "size"   // a room has twice as many connections as before
	eventReap        = "reap"   // seats of a node that has died, or of nobody, were removed
	eventDrain       = "drain"
	eventHealth      = "health"      // a store begins to fail, or is well again
	eventUnconfirmed = "unconfirmed" // done, and some node has not confirmed
)

// WithAudit sends the security events, which are all but error, to a second
// handler as well, whatever level the logger has.
func WithAudit(h slog.Handler) Option {
	return func(c *config) error { c.audit = h; return nil }
}

// journal writes events to the log and to the audit handler.
type journal struct {
	log   *slog.Logger
	audit slog.Handler // nil: none

	mu      sync.Mutex // protects what follows
	began   time.Time
	sampled map[string]*sample
}

// sample keeps an event that clients can cause at will from filling the disk.
type sample struct {
	bucket     limit.Bucket
	suppressed int
}

// sampling is how often each event is written that clients can cause at will,
// by what is refused or by what makes the host's code fail; how many were left
// out is told with the next one.
var sampling = limit.Rate{Events: 20, Per: time.Second, Burst: 200}

func newJournal(log *slog.Logger, audit slog.Handler) *journal {
	j := &journal{log: log, audit: audit, began: time.Now(), sampled: make(map[string]*sample)}
	for _, event := range []string{eventRefuse, eventRefuseJoin, eventRefuseRenew, eventLimit, eventInvalid, eventError, eventPanic} {
		j.sampled[event] = new(sample)
	}
	return j
}

// write records an event about a connection, which may be nil.
func (j *journal) write(ctx context.Context, level slog.Level, event string, c *Conn, attrs ...slog.Attr) {
	audited := j.audit != nil && event != eventError
	if !audited && !j.log.Enabled(ctx, level) {
		return
	}
	suppressed, ok := j.take(event)
	if !ok {
		return
	}
	// A copy, so that the caller's slice stays on its stack where nothing is
	// written.
	all := make([]slog.Attr, 0, len(attrs)+2)
	if c != nil {
		all = append(all, slog.Any("conn", c))
	}
	all = append(all, attrs...)
	if suppressed > 0 {
		all = append(all, slog.Int("suppressed", suppressed))
	}
	j.log.LogAttrs(ctx, level, event, all...) //nolint:sloglint // one of the constants above
	if audited {
		r := slog.NewRecord(time.Now(), level, event, 0)
		r.AddAttrs(all...)
		_ = j.audit.Handle(ctx, r) // there is nowhere left to say that it failed
	}
}

// take reports whether to write an event, and how many were left out before.
func (j *journal) take(event string) (suppressed int, ok bool) {
	s := j.sampled[event]
	if s == nil {
		return 0, true
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if !s.bucket.Take(time.Since(j.began), sampling, 1).OK {
		s.suppressed++
		return 0, false
	}
	suppressed, s.suppressed = s.suppressed, 0
	return suppressed, true
}
