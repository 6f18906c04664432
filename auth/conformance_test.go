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
