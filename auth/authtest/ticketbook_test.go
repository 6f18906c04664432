package authtest

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/wardroom/wardroom/auth"
)

// ticketbook is what textbook is, for tickets.
type ticketbook struct {
	bug string

	mu   sync.Mutex
	kept map[string]auth.Ticket
	keys []string // in the order of Put
}

func (b *ticketbook) Put(_ context.Context, key string, t auth.Ticket) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	t.Identity = clone(auth.Session{Identity: t.Identity}).Identity
	switch b.bug {
	case "loses empty capabilities":
		if len(t.Identity.Capabilities) == 0 {
			t.Identity.Capabilities = nil
		}
	case "loses the token ID":
		t.Identity.TokenID = ""
	case "expires early":
		t.ExpiresAt = t.ExpiresAt.Add(-time.Since(t.ExpiresAt).Abs() / 4)
	case "keeps the first":
		if _, ok := b.kept[key]; ok {
			return nil
		}
	case "keeps the later end":
		if old, ok := b.kept[key]; ok && old.ExpiresAt.After(t.ExpiresAt) {
			t.ExpiresAt = old.ExpiresAt
		}
	case "gives up the oldest of all":
		if b.keys = append(b.keys, key); len(b.keys) > 100 {
			delete(b.kept, b.keys[0])
			b.keys = b.keys[1:]
		}
	case "folds keys":
		key = strings.ToLower(key)
	}
	if b.kept == nil {
		b.kept = make(map[string]auth.Ticket)
	}
	b.kept[key] = t
	return nil
}

func (b *ticketbook) Take(_ context.Context, key string) (auth.Ticket, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bug == "folds keys" {
		key = strings.ToLower(key)
	}
	t, ok := b.kept[key]
	if b.bug == "reads, then deletes" {
		b.mu.Unlock()
		time.Sleep(time.Microsecond)
		b.mu.Lock()
	}
	if b.bug != "good for ever" {
		delete(b.kept, key)
	}
	if b.bug == "takes those that begin alike" {
		for k := range b.kept {
			if strings.HasPrefix(k, key) {
				delete(b.kept, k)
			}
		}
	}
	switch {
	case !ok && b.bug == "not there is unavailable":
		return auth.Ticket{}, auth.ErrUnavailable
	case !ok:
		return auth.Ticket{}, auth.ErrTicketNotFound
	case !time.Now().Before(t.ExpiresAt) && b.bug != "never expires":
		return auth.Ticket{}, auth.ErrTicketNotFound
	}
	return t, nil
}
