package redissession

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/redisx"
)

// maxTicketsPerUser is how many tickets of one user are kept, as in memory.
const maxTicketsPerUser = 16

// Tickets is an [auth.TicketStore] in Redis. It has no goroutine and needs no closing. It is safe for concurrent use.
//
// Of a user it keeps the last 16 tickets that were put, whether they were taken or not. An error of Redis is an
// [auth.ErrUnavailable], and comes at once while Redis is known to be away.
type Tickets struct {
	client rueidis.Client
	config

	put, note, drop pipelined
}

var _ auth.TicketStore = (*Tickets)(nil)

// NewTickets returns a store. The client is the caller's and stays open. Of the options [WithPrefix] and [WithTimeout]
// apply.
func NewTickets(client rueidis.Client, opts ...Option) *Tickets {
	return &Tickets{
		client: client, config: options(opts),
		put: newPipelined(ticketPutText), note: newPipelined(ticketNoteText), drop: newPipelined(ticketDropText),
	}
}

func (s *Tickets) key(key string) string { return s.keys.Key("t", key) }

// Put implements [auth.TicketStore]. It is one round trip, and another one when older tickets are given up.
func (s *Tickets) Put(ctx context.Context, key string, t auth.Ticket) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	text, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("%w: cannot be stored: %w", auth.ErrUnavailable, err)
	}
	// A user's list may hold a key that another user has put again since. By the nonce only the one that was meant is
	// given up.
	nonce, expires := rand.Text(), micros(t.ExpiresAt)
	results := pipeline(ctx, s.client, &s.config, []step{
		{s.put, []string{s.key(key)}, []string{nonce + " " + string(text), expires}},
		{s.note, []string{s.keys.Key("u", Tag(t.Identity.ID), "tickets")}, []string{nonce + " " + key, expires, strconv.Itoa(maxTicketsPerUser)}},
	})
	if err := results[0].Error(); err != nil {
		return unavailable(err)
	}
	old, err := results[1].AsStrSlice()
	if err != nil {
		return unavailable(err)
	}
	if len(old) == 0 {
		return nil
	}
	steps := make([]step, 0, len(old))
	for _, entry := range old {
		nonce, key, _ := strings.Cut(entry, " ")
		steps = append(steps, step{s.drop, []string{s.key(key)}, []string{nonce}})
	}
	// The new ticket is there. An old one that could not be given up expires soon.
	_ = pipeline(ctx, s.client, &s.config, steps)
	return nil
}

// Take implements [auth.TicketStore]. It is one round trip.
func (s *Tickets) Take(ctx context.Context, key string) (auth.Ticket, error) {
	if err := ctx.Err(); err != nil {
		return auth.Ticket{}, err
	}
	kept, missing := "", false
	err := s.circuit.Do(ctx, s.timeout, func(ctx context.Context) (err error) {
		kept, err = redisx.Do(ctx, s.client, s.client.B().Getdel().Key(s.key(key)).Build()).ToString()
		if missing = rueidis.IsRedisNil(err); missing {
			return nil
		}
		return err
	})
	switch {
	case missing:
		return auth.Ticket{}, auth.ErrTicketNotFound
	case err != nil:
		return auth.Ticket{}, unavailable(err)
	}
	_, text, _ := strings.Cut(kept, " ")
	var t auth.Ticket
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return auth.Ticket{}, fmt.Errorf("%w: redis: %w", auth.ErrUnavailable, err)
	}
	return t, nil
}
