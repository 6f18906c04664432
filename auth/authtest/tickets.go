package authtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
)

// tickets drives a store through a case.
type tickets struct {
	testing.TB
	clock
	store auth.TicketStore
}

func newTickets(tb testing.TB, c clock, store auth.TicketStore) *tickets {
	return &tickets{TB: tb, clock: c, store: store}
}

// ticketCases returns the suite.
func ticketCases() []testCase[*tickets] {
	return []testCase[*tickets]{
		{
			"once",
			"A ticket that is seen on its way, in a log or a history, must be of no use any more.",
			once,
		},
		{
			"once among many",
			"Two who present one ticket at the same moment are one user and one thief. Reading first and deleting then " +
				"lets both in.",
			onceAmongMany,
		},
		{
			"the identity comes back",
			"What the ticket was made for is what its bearer becomes, to the last capability.",
			ticketRoundTrip,
		},
		{
			"expires",
			"A page connects at once. A ticket that is found later must be of no use.",
			ticketExpires,
		},
		{
			"not there",
			"A ticket that somebody makes up is not an error of the store, which would be answered with 503.",
			ticketNotThere,
		},
		{
			"tickets do not mix",
			"A key that begins like another is another.",
			ticketsDoNotMix,
		},
		{
			"replaced",
			"A key that is put again has the newer ticket, and its expiry.",
			ticketReplaced,
		},
		{
			"one user's many",
			"A user who asks for tickets without end must not use up those of others.",
			manyOfOne,
		},
	}
}

func (s *tickets) put(key string, id auth.Identity, expires time.Time) {
	s.Helper()
	ctx, cancel := callContext(s)
	defer cancel()
	if err := s.store.Put(ctx, key, auth.Ticket{Identity: id, ExpiresAt: expires}); err != nil {
		s.Fatalf("Put: %v", err)
	}
}

func (s *tickets) tryTake(key string) (auth.Ticket, error) {
	ctx, cancel := callContext(s)
	defer cancel()
	return s.store.Take(ctx, key)
}

func (s *tickets) take(key, user string) {
	s.Helper()
	if got, err := s.tryTake(key); err != nil || got.Identity.ID != user {
		s.Errorf("Take: user %q, %v, want %q", got.Identity.ID, err, user)
	}
}

func (s *tickets) gone(key string) {
	s.Helper()
	if got, err := s.tryTake(key); !errors.Is(err, auth.ErrTicketNotFound) || got.Identity.ID != "" {
		s.Errorf("Take: user %q, %v, want ErrTicketNotFound", got.Identity.ID, err)
	}
}

func once(s *tickets) {
	s.put("k", ada(), s.in(4))
	s.take("k", "ada")
	for range 3 {
		s.gone("k")
	}
	s.pass(1)
	s.gone("k")
}

func onceAmongMany(s *tickets) {
	for round := range 50 {
		key := fmt.Sprint("k", round)
		s.put(key, ada(), s.in(4))
		var running sync.WaitGroup
		var got atomic.Int32
		begin := make(chan struct{})
		for range 8 {
			running.Go(func() {
				<-begin
				switch _, err := s.tryTake(key); {
				case err == nil:
					got.Add(1)
				case !errors.Is(err, auth.ErrTicketNotFound):
					s.Errorf("Take: %v", err)
				}
			})
		}
		close(begin)
		running.Wait()
		if n := got.Load(); n != 1 {
			s.Fatalf("%d of 8 got the ticket", n)
		}
	}
}

func ticketRoundTrip(s *tickets) {
	for i, id := range []auth.Identity{
		{ID: "ada"},
		{ID: "ada", Capabilities: []auth.Capability{}},
		{
			ID: "a|b@c.d:e+f", Name: "Ada \"L\"\n\u2028\U0001F6A2", Roles: []string{"staff"}, Claims: map[string]any{"org": "x", "list": []any{true, nil}},
			Capabilities: []auth.Capability{{Rooms: "team:*", Verbs: auth.Join}}, TokenID: "t",
			IssuedAt: time.UnixMilli(1_700_000_000_123).UTC(), ExpiresAt: time.UnixMilli(9_700_000_000_456).UTC(),
		},
	} {
		key, expires := fmt.Sprint("k", i), s.in(4)
		s.put(key, id, expires)
		got, err := s.tryTake(key)
		if err != nil {
			s.Fatalf("Take: %v", err)
		}
		if !s.near(got.ExpiresAt, expires) || !got.Identity.IssuedAt.Equal(id.IssuedAt) || !got.Identity.ExpiresAt.Equal(id.ExpiresAt) {
			s.Errorf("expires %v, identity issued %v, expires %v", got.ExpiresAt, got.Identity.IssuedAt, got.Identity.ExpiresAt)
		}
		got.Identity.IssuedAt, got.Identity.ExpiresAt = id.IssuedAt, id.ExpiresAt
		if !reflect.DeepEqual(got.Identity, id) {
			s.Errorf("got %s, want %s", dump(auth.Session{Identity: got.Identity}), dump(auth.Session{Identity: id}))
		}
	}
}

func ticketExpires(s *tickets) {
	s.put("early", ada(), s.in(4))
	s.put("late", ada(), s.in(4))
	time.Sleep(4*s.unit - s.slack)
	s.take("early", "ada")
	time.Sleep(2 * s.slack)
	s.gone("late")

	s.put("over", ada(), s.in(-1))
	s.gone("over")
}

func ticketNotThere(s *tickets) {
	s.put("k", ada(), s.in(4))
	for _, key := range []string{"", "nobody's", "a{b}*c\n", "K"} {
		s.gone(key)
	}
	s.take("k", "ada")
}

func ticketsDoNotMix(s *tickets) {
	keys := []string{"k", "k:", "k1", "k:1", "kk"}
	for i, key := range keys {
		s.put(key, identity(fmt.Sprint("user-", i), ""), s.in(4))
	}
	for i, key := range keys {
		s.take(key, fmt.Sprint("user-", i))
	}
}

func ticketReplaced(s *tickets) {
	s.put("k", identity("ada", ""), s.in(1))
	s.put("k", identity("bob", ""), s.in(3))
	s.pass(2)
	s.take("k", "bob")
	s.gone("k")

	s.put("k", identity("ada", ""), s.in(9))
	s.put("k", identity("bob", ""), s.in(1))
	s.pass(1)
	s.settle()
	s.gone("k")
}

func manyOfOne(s *tickets) {
	s.put("ada", ada(), s.in(4))
	for i := range 500 {
		ctx, cancel := context.WithTimeout(s.Context(), 10*time.Second)
		err := s.store.Put(ctx, fmt.Sprint("k", i), auth.Ticket{Identity: identity("eve", ""), ExpiresAt: s.in(4)})
		cancel()
		if err != nil && !errors.Is(err, auth.ErrUnavailable) {
			s.Fatalf("Put: %v", err)
		}
	}
	s.put("k-last", identity("eve", ""), s.in(4))
	s.take("k-last", "eve")
	s.take("ada", "ada")
}
