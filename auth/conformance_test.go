package auth_test

import (
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/auth/authtest"
)

func TestMemorySessions(t *testing.T) {
	authtest.TestSessionStore(t, func(_ *testing.T, ttl time.Duration) auth.SessionStore {
		return auth.NewMemorySessions(auth.SessionTTL(ttl))
	})
}

func TestMemoryTickets(t *testing.T) {
	authtest.TestTicketStore(t, func(*testing.T) auth.TicketStore {
		return auth.NewMemoryTickets()
	})
}

// TestTicketsAuthenticate: a ticket is good once, so that each of the suite's is a new one.
func TestTicketsAuthenticate(t *testing.T) {
	tickets, err := auth.NewTickets(auth.NewMemoryTickets(auth.MaxEntries(1000)))
	if err != nil {
		t.Fatal(err)
	}
	mint := func(t testing.TB) auth.Credentials {
		ticket, _, err := tickets.Mint(t.Context(), auth.Identity{ID: "ada"})
		if err != nil {
			t.Fatal(err)
		}
		return auth.Credentials{Token: ticket, Source: auth.SourceSubprotocol}
	}
	authtest.TestAuthenticator(t, tickets, mint)
}
