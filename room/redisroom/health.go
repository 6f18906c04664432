package redisroom

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/internal/redisx"
)

// health knows whether Redis answers, or the part of a cluster that some lanes
// speak to. When a call was not answered in time, and
// no other was since it began, Redis is taken to be away: what comes then fails
// at once, until a probe is answered.
type health struct {
	b    *Broker
	away atomic.Bool
	last atomic.Int64 // when Redis last answered, in Unix nanoseconds

	mu       sync.Mutex // protects what follows; held while away changes
	since    time.Time
	doubting bool
}

const probeEvery = 100 * time.Millisecond

func (h *health) down() bool { return h.away.Load() }

// answered notes that Redis has answered just now.
func (h *health) answered() { h.last.Store(time.Now().UnixNano()) }

// late notes that a call was not answered by its deadline.
func (h *health) late(c *call) {
	if !h.suspect(c) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.away.Load() {
		return
	}
	h.since = time.Now()
	h.away.Store(true)
	h.b.spawn(func() { h.probe(c.keys[0]) })
}

// doubt is late for a call that may have waited for others than Redis: it is
// asked before it is taken to be away.
func (h *health) doubt(c *call) {
	if !h.suspect(c) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.doubting {
		return
	}
	h.doubting = true
	h.b.spawn(func() {
		began := time.Now()
		err := h.ask(c.keys[0])
		h.mu.Lock()
		h.doubting = false
		h.mu.Unlock()
		if err == nil {
			h.answered()
		} else {
			h.late(&call{keys: c.keys, began: began})
		}
	})
}

// suspect says whether there was no sign of life since a call began.
func (h *health) suspect(c *call) bool {
	return !h.away.Load() && h.last.Load() <= c.began.UnixNano() && h.b.ctx.Err() == nil
}

func (h *health) ask(key string) error {
	ctx, cancel := context.WithTimeout(h.b.ctx, h.b.cfg.timeout)
	defer cancel()
	return h.b.client.Do(ctx, redisx.Read(h.b.client, "EXISTS", key)).Error()
}

// probe asks for a key until Redis answers.
func (h *health) probe(key string) {
	h.b.cfg.log.LogAttrs(h.b.ctx, slog.LevelError, "redis_down", slog.String("component", "broker"))
	for h.ask(key) != nil {
		if !h.b.sleep(probeEvery) {
			return
		}
	}
	h.mu.Lock()
	since := h.since
	h.mu.Unlock()
	h.b.cfg.log.LogAttrs(h.b.ctx, slog.LevelInfo, "redis_up", slog.String("component", "broker"), slog.Duration("after", time.Since(since)))
	h.answered()
	h.away.Store(false)
}

// Health says what is wrong: nil while Redis answers and the broker hears what
// is published. It asks nobody and returns at once.
func (b *Broker) Health() error {
	if b.ctx.Err() != nil {
		return errClosed
	}
	if !b.ready() {
		return errDown
	}
	for _, l := range b.lanes {
		if l.health.down() {
			return errDown
		}
	}
	if !b.lines.up() {
		return errDeaf
	}
	return nil
}

// seldom runs tell, which logs something that may happen in many rooms at once,
// at most once a second. The caller may hold a lock; tell runs without.
func (b *Broker) seldom(tell func()) {
	now := time.Now().UnixNano()
	last := b.told.Load()
	if now-last >= int64(time.Second) && b.told.CompareAndSwap(last, now) {
		b.spawn(tell)
	}
}

// few logs that replicas are missing.
func (b *Broker) few() {
	b.seldom(func() {
		b.cfg.log.LogAttrs(b.ctx, slog.LevelError, "redis_replicas_missing", slog.String("component", "broker"), slog.Int("want", b.cfg.replicas))
	})
}

// lost logs that a room has lost messages.
func (b *Broker) lost(room string) {
	b.seldom(func() {
		b.cfg.log.LogAttrs(b.ctx, slog.LevelError, "redis_lost", slog.String("component", "broker"), slog.String("room", room))
	})
}

// unreadable logs that Redis has something that this version does not write.
func (b *Broker) unreadable(room string, err error) {
	b.seldom(func() {
		b.cfg.log.LogAttrs(b.ctx, slog.LevelError, "redis_unreadable", slog.String("component", "broker"), slog.String("room", room), slog.Any("error", err))
	})
}
