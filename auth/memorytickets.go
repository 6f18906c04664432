package auth

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// maxTicketsPerUser is how many tickets of one user a store in memory keeps; the oldest makes room for the next one. A
// page takes its ticket at once, so who has more is not connecting but filling the store.
const maxTicketsPerUser = 16

// MemoryTickets is a [TicketStore] in the memory of one process. It has no goroutine and needs no closing.
type MemoryTickets struct {
	max int

	mu     sync.Mutex // protects what follows; held for map and heap operations only
	byKey  map[string]*ticketEntry
	byUser map[string][]*ticketEntry // the oldest first
	queue  queue[*ticketEntry]
}

type ticketEntry struct {
	Ticket
	expiring
	key string
}

// NewMemoryTickets returns an empty store. Of the options [MaxEntries] applies.
func NewMemoryTickets(opts ...MemoryOption) *MemoryTickets {
	return &MemoryTickets{
		max:    memoryOptions(opts).max,
		byKey:  make(map[string]*ticketEntry),
		byUser: make(map[string][]*ticketEntry),
	}
}

// Put implements [TicketStore]. It keeps 16 tickets of a user and fails with [ErrUnavailable] when the store is full.
func (m *MemoryTickets) Put(ctx context.Context, key string, t Ticket) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sweep(time.Now())
	if old := m.byKey[key]; old != nil {
		m.remove(old)
	}
	if own := m.byUser[t.Identity.ID]; len(own) >= maxTicketsPerUser {
		m.remove(own[0])
	}
	if len(m.byKey) >= m.max {
		return fmt.Errorf("%w: the ticket store is full", ErrUnavailable)
	}
	e := &ticketEntry{Ticket: t, expiring: expiring{at: t.ExpiresAt}, key: key}
	m.byKey[key] = e
	m.byUser[t.Identity.ID] = append(m.byUser[t.Identity.ID], e)
	m.queue.push(e)
	return nil
}

// Take implements [TicketStore].
func (m *MemoryTickets) Take(ctx context.Context, key string) (Ticket, error) {
	if err := ctx.Err(); err != nil {
		return Ticket{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.sweep(now)
	e := m.byKey[key]
	if e == nil {
		return Ticket{}, ErrTicketNotFound
	}
	m.remove(e)
	if !now.Before(e.at) {
		return Ticket{}, ErrTicketNotFound
	}
	return e.Ticket, nil
}

func (m *MemoryTickets) remove(e *ticketEntry) {
	m.queue.remove(e)
	delete(m.byKey, e.key)
	user := e.Identity.ID
	own := slices.DeleteFunc(m.byUser[user], func(o *ticketEntry) bool { return o == e })
	if len(own) == 0 {
		delete(m.byUser, user)
		return
	}
	m.byUser[user] = own
}

func (m *MemoryTickets) sweep(now time.Time) {
	for range sweep {
		e, ok := m.queue.due(now)
		if !ok {
			return
		}
		m.remove(e)
	}
}
