package roomtest

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/room"
)

// shutdownTimeout is how long the server of a test may take to end.
const shutdownTimeout = 10 * time.Second

// Server is a room.Server for one test.
type Server struct {
	*room.Server
	t testing.TB

	listen sync.Once
	url    string
}

// NewServer returns a server that is shut down when the test ends. Options come
// after this package's own, which are its [Authenticator] and a logger that
// writes to the test's output; there must be one at least, since a server has
// no rooms by default. A wrong option fails the test.
//
// In a bubble of testing/synctest the server must be made there.
func NewServer(t testing.TB, opts ...room.Option) *Server {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	srv, err := room.New(append([]room.Option{
		room.WithAuthenticator(Authenticator()),
		room.WithLogger(log),
	}, opts...)...)
	if err != nil {
		t.Fatalf("roomtest: NewServer: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), shutdownTimeout)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("roomtest: the server did not shut down within %v: %v", shutdownTimeout, err)
		}
	})
	return &Server{Server: srv, t: t}
}

// Connect connects a user and waits for the welcome. The connection ends with
// the test t. Without other options it has the token [Token](user).
func (s *Server) Connect(t testing.TB, user string, opts ...DialOption) *Client {
	t.Helper()
	c, refused := s.dial(t, user, opts)
	if refused != nil {
		t.Fatalf("roomtest: %s was refused: %v", user, refused)
	}
	return c
}

// ExpectRefusal tries to connect a user as [Server.Connect] does, and must be
// refused with the code.
func (s *Server) ExpectRefusal(t testing.TB, user string, code room.Code, opts ...DialOption) *Refusal {
	t.Helper()
	c, refused := s.dial(t, user, opts)
	if refused == nil {
		t.Fatalf("roomtest: %s was to be refused with %s, but is connected", c.name, code)
	}
	if refused.Code != code {
		t.Fatalf("roomtest: %s was to be refused with %s, but: %v", user, code, refused)
	}
	return refused
}

func (s *Server) dial(t testing.TB, user string, opts []DialOption) (*Client, *Refusal) {
	t.Helper()
	d := newDialing(opts)
	if d.identity.ID == "" {
		d.identity.ID = user
	}
	if d.overTCP {
		d.url = s.URL()
	}
	return d.dial(t, s.Server, user)
}

// URL is where the server listens, on a port of its own that is opened with
// the first call: for tests that need a real network, or a client of another
// kind. It does not work inside a bubble of testing/synctest.
func (s *Server) URL() string {
	s.listen.Do(func() {
		web := httptest.NewServer(s.Server)
		// Hijacked connections are not its own any more: they end with the
		// server's Shutdown.
		s.t.Cleanup(web.Close)
		s.url = web.URL
	})
	return s.url
}
