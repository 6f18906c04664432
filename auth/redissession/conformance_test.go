package redissession_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/auth/authtest"
	"github.com/wardroom/wardroom/auth/redissession"
	"github.com/wardroom/wardroom/internal/redistest"
)

func TestConforms(t *testing.T) {
	redistest.Each(t, func(t *testing.T, client rueidis.Client) {
		var n atomic.Int64
		// On a busy machine a call may take its time.
		clock := authtest.Options{RealTime: true, Slack: 500 * time.Millisecond}
		own := func() []redissession.Option {
			return []redissession.Option{redissession.WithPrefix(fmt.Sprintf("t%d:", n.Add(1))), redissession.WithTimeout(5 * time.Second)}
		}
		t.Run("sessions", func(t *testing.T) {
			t.Parallel()
			authtest.TestSessionStore(t, func(_ *testing.T, ttl time.Duration) auth.SessionStore {
				return redissession.NewSessions(client, append(own(), redissession.WithSessionTTL(ttl))...)
			}, clock)
		})
		t.Run("tickets", func(t *testing.T) {
			t.Parallel()
			authtest.TestTicketStore(t, func(*testing.T) auth.TicketStore {
				return redissession.NewTickets(client, own()...)
			}, clock)
		})
	})
}
