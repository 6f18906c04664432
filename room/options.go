package room

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/origin"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/presence"
)

// Option configures a [Server].
type Option func(*config) error

// Options makes one Option of several, applied in order.
func Options(opts ...Option) Option {
	return func(c *config) error {
		for _, opt := range opts {
			if err := opt(c); err != nil {
				return err
			}
		}
		return nil
	}
}

type config struct {
	authenticator auth.Authenticator
	sources       auth.Sources
	origins       []string
	requireOrigin bool
	anyOrigin     bool
	proxies       []string
	patterns      patterns
	store         Store
	broker        Broker
	limiter       limit.Limiter
	counter       limit.Counter
	sessions      auth.SessionStore
	presence      presence.Store
	limits        Limits
	node          string
	shared        bool // the broker is given, so that other servers may have it too
	log           *slog.Logger
	audit         slog.Handler
	hooks         hooks
}

type hooks struct {
	connect    func(context.Context, *Conn, *http.Request) error
	disconnect func(context.Context, *Conn)
	join       func(context.Context, *Conn, string) error
	leave      func(context.Context, *Conn, string)
	message    func(context.Context, *Conn, *Message) error
	presence   func(context.Context, presence.Event)
}

// WithAuthenticator sets who decides who a client is. There is no default:
// without one New fails.
func WithAuthenticator(a auth.Authenticator) Option {
	return func(c *config) error {
		if a == nil {
			return errors.New("WithAuthenticator(nil): give it an auth.Authenticator, for instance a jwtauth.Authenticator")
		}
		c.authenticator = a
		return nil
	}
}

// WithOrigins sets the origins whose pages may connect, such as
// https://app.example.com or https://*.example.com, where * stands for one
// label. Without it only pages of the server's own host may.
func WithOrigins(origins ...string) Option {
	return func(c *config) error {
		c.origins = append(c.origins, origins...)
		return nil
	}
}

// RequireOrigin refuses clients that send no Origin header, which is to say
// everything but browsers.
func RequireOrigin() Option {
	return func(c *config) error { c.requireOrigin = true; return nil }
}

// InsecureAnyOrigin lets every page in the world connect. With a token in a
// cookie that means that every page can act as the user who looks at it.
func InsecureAnyOrigin() Option {
	return func(c *config) error { c.anyOrigin = true; return nil }
}

// WithCookie takes tokens from the cookie of this name too.
func WithCookie(name string) Option {
	return func(c *config) error {
		if name == "" {
			return errors.New(`WithCookie: the name is empty: give that of the cookie with the token, such as "__Host-session"`)
		}
		c.sources.Cookie = name
		return nil
	}
}

// AllowQueryToken takes tokens from the query parameter token too. Proxies and
// browsers keep queries in logs and histories, so prefer any other way.
func AllowQueryToken() Option {
	return func(c *config) error { c.sources.AllowQuery = true; return nil }
}

// AllowFirstMessageToken lets clients connect without a token and send it in
// their first message, within Limits.FirstMessage.
func AllowFirstMessageToken() Option {
	return func(c *config) error { c.sources.AllowFrame = true; return nil }
}

// WithTrustedProxies names the proxies, as addresses or CIDR prefixes, whose
// X-Forwarded-For is believed. Without it the peer is the client.
func WithTrustedProxies(prefixes ...string) Option {
	return func(c *config) error {
		c.proxies = append(c.proxies, prefixes...)
		return nil
	}
}

// WithRooms says which rooms there may be. A pattern is a name, or names
// separated by : with * in the place of whole ones, such as "team:*". A room
// is described by the pattern that is exactly its name, else by the first that
// matches; a name that no pattern matches is no room.
func WithRooms(pattern string, s Settings) Option {
	return func(c *config) error {
		p, err := parsePattern(pattern, s)
		if err != nil {
			return err
		}
		return c.patterns.add(p)
	}
}

// shared is an option for what nodes can share. A nil one must not turn a
// cluster into single nodes in silence.
func shared(option string, missing bool, set func(*config)) Option {
	return func(c *config) error {
		if missing {
			return fmt.Errorf("%s(nil): leave it out to keep everything in this process", option)
		}
		set(c)
		return nil
	}
}

// WithStore keeps rooms elsewhere than in this process.
func WithStore(s Store) Option {
	return shared("WithStore", s == nil, func(c *config) { c.store = s })
}

// WithBroker carries messages by other means than this process.
func WithBroker(b Broker) Option {
	return shared("WithBroker", b == nil, func(c *config) { c.broker, c.shared = b, true })
}

// WithLimiter counts the rates of users and rooms elsewhere than in this
// process. While it fails, or takes more than 250 ms, each node counts for
// itself: see [limit.Fallback], which need not be used here.
func WithLimiter(l limit.Limiter) Option {
	return shared("WithLimiter", l == nil, func(c *config) { c.limiter = l })
}

// WithCounter counts connections per user and per address together with other
// nodes, so that Limits.ConnectionsPerUser and ConnectionsPerIP hold for all of
// them, exactly. Without it, and while it does not answer, they hold for each
// node. The connections of a node that died are counted for 90 seconds.
func WithCounter(c limit.Counter) Option {
	return shared("WithCounter", c == nil, func(cfg *config) { cfg.counter = c })
}

// WithSessions keeps sessions and revocations elsewhere than in this process.
func WithSessions(s auth.SessionStore) Option {
	return shared("WithSessions", s == nil, func(c *config) { c.sessions = s })
}

// WithPresence keeps presence elsewhere than in this process.
func WithPresence(s presence.Store) Option {
	return shared("WithPresence", s == nil, func(c *config) { c.presence = s })
}

// WithLimits replaces [DefaultLimits].
func WithLimits(l Limits) Option {
	return func(c *config) error {
		if err := l.check(); err != nil {
			return err
		}
		c.limits = l
		return nil
	}
}

// WithLogger sets the logger. The default is slog.Default.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		if l == nil {
			return errors.New("WithLogger(nil): use slog.New(slog.DiscardHandler) to log nothing")
		}
		c.log = l
		return nil
	}
}

// WithNode names this server among those that share its stores. The default is
// random.
func WithNode(name string) Option { return func(c *config) error { c.node = name; return nil } }

// OnConnect is called when a client has been authenticated and is about to be
// welcomed; nothing can be sent to it yet. An error refuses it. r is the
// handshake's request; its body and context must not be used after the hook
// returns.
func OnConnect(f func(ctx context.Context, c *Conn, r *http.Request) error) Option {
	return func(cfg *config) error { cfg.hooks.connect = f; return nil }
}

// OnDisconnect is called when a welcomed client is gone and has left its rooms.
func OnDisconnect(f func(ctx context.Context, c *Conn)) Option {
	return func(cfg *config) error { cfg.hooks.disconnect = f; return nil }
}

// OnJoin is called when a connection that the room's permission lets in is
// about to enter. An error refuses it.
func OnJoin(f func(ctx context.Context, c *Conn, room string) error) Option {
	return func(cfg *config) error { cfg.hooks.join = f; return nil }
}

// OnLeave is called when a connection has left a room, for whatever reason.
func OnLeave(f func(ctx context.Context, c *Conn, room string)) Option {
	return func(cfg *config) error { cfg.hooks.leave = f; return nil }
}

// OnMessage is called with every message of a client after it has been
// validated and before it is stored and sent. It may change Event and Data; an
// error refuses the message. Data must not be kept or modified in place, but
// may be replaced.
func OnMessage(f func(ctx context.Context, c *Conn, m *Message) error) Option {
	return func(cfg *config) error { cfg.hooks.message = f; return nil }
}

// OnPresence is called with every change of what others see of a user, in rooms
// and, with an empty Room, everywhere. For one room it is called in order, for
// different ones concurrently, on the node where the change was noticed.
func OnPresence(f func(ctx context.Context, e presence.Event)) Option {
	return func(cfg *config) error { cfg.hooks.presence = f; return nil }
}

// complete fills in defaults and finds what does not fit together.
func (c *config) complete() (*origin.Policy, *limit.ClientIP, error) {
	if c.authenticator == nil {
		return nil, nil, errors.New("nobody could get in: use WithAuthenticator, for instance with a jwtauth.Authenticator")
	}
	if len(c.patterns.exact)+len(c.patterns.wild) == 0 {
		return nil, nil, errors.New(`there would be no rooms: use WithRooms("lobby", room.Settings{Permission: room.Public})`)
	}
	if c.anyOrigin && len(c.origins) > 0 {
		return nil, nil, errors.New("WithOrigins and InsecureAnyOrigin contradict each other: use one")
	}
	if c.anyOrigin && c.requireOrigin {
		return nil, nil, errors.New("RequireOrigin and InsecureAnyOrigin contradict each other: use one")
	}
	policy, err := origin.New(c.origins...)
	if err != nil {
		return nil, nil, fmt.Errorf("WithOrigins: %w", err)
	}
	policy.RequireOrigin = c.requireOrigin
	trusted, err := limit.ParseTrusted(c.proxies...)
	if err != nil {
		return nil, nil, fmt.Errorf("WithTrustedProxies: %w", err)
	}
	if c.store == nil {
		c.store = NewMemoryStore()
	}
	if c.broker == nil {
		c.broker = NewMemoryBroker()
	}
	if c.limiter == nil {
		c.limiter = limit.NewMemory()
	}
	if c.sessions == nil {
		c.sessions = auth.NewMemorySessions()
	}
	if c.presence == nil {
		c.presence = presence.NewMemory()
	}
	if c.log == nil {
		c.log = slog.Default()
	}
	if c.node == "" {
		c.node = newID()
	}
	return policy, limit.NewClientIP(trusted...), nil
}
