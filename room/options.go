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
		for i, opt := range opts {
			if opt == nil {
				return fmt.Errorf("option %d is nil: leave it out, or use room.Options() for none", i+1)
			}
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

// WithAuthenticator sets who decides who a client is, by the token that it
// brings: an auth/jwtauth.Authenticator, [auth.Tickets], or an
// [auth.AuthenticatorFunc] that looks into sessions of the host's own. Several
// are one with [auth.Any]. There is no default: without one New fails.
//
// Whoever brings no token is refused without being asked about. Where a proxy in
// front signs users in otherwise, such as by a header of its own or by TLS
// certificates, a middleware between them checks that and puts the token there:
// it sets the header Authorization, in place of what the client sent.
func WithAuthenticator(a auth.Authenticator) Option {
	return func(c *config) error {
		if a == nil {
			return errors.New("WithAuthenticator(nil): give it an auth.Authenticator, for instance a jwtauth.Authenticator, or an auth.AuthenticatorFunc that looks into your own sessions")
		}
		c.authenticator = a
		return nil
	}
}

// WithOrigins sets the origins whose pages may connect, such as
// https://app.example.com or https://*.example.com, where * stands for one
// label. Given several times they add up. Without it only pages of the server's
// own host may, that is, of the one in the Host header: behind a proxy that
// changes Host, or passes any on, list them.
//
// Clients that send no Origin are no pages, and may connect unless their token
// is in a cookie; see [RequireOrigin].
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

// WithCookie takes tokens from the cookie of this name too: the one with which
// the application signs its users in, for instance, whose value the
// Authenticator gets as auth.Credentials.Token. Where a middleware in front has
// looked it up already, the user is in the context of auth.Credentials.Request.
// A client that uses it must send an Origin. In the browser client that is the
// option tokenVia: "cookie".
func WithCookie(name string) Option {
	return func(c *config) error {
		if (&http.Cookie{Name: name}).Valid() != nil {
			return fmt.Errorf(`WithCookie: %q is no name of a cookie: give that of the one with the token, such as "__Host-session"`, name)
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
// X-Forwarded-For is believed; see [limit.ClientIP.Addr]. Given several times
// they add up. Without it the peer is the client: behind a proxy everybody then
// has the proxy's address, and shares the limits of one, Limits.ConnectsPerIP
// and ConnectionsPerIP.
//
// What a middleware in front has written into Request.RemoteAddr is taken for
// the peer. A server on a Unix socket needs one that does, because there nobody
// has an address and all are counted as one.
func WithTrustedProxies(prefixes ...string) Option {
	return func(c *config) error {
		c.proxies = append(c.proxies, prefixes...)
		return nil
	}
}

// WithRooms says which rooms there may be. A pattern is a name, or names
// separated by : with * in the place of whole ones, such as "team:*". A room
// is described by the pattern that is exactly its name, else by the first that
// matches; a name that no pattern matches is no room. A pattern without * is a
// room that is there from the start. One with * describes rooms that somebody
// creates, clients where Settings.AllowCreate lets them, or the host with
// [Room.Create]; where Settings.Standing is set, it stands for as many rooms
// that are there from the start as there are names.
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
// node. The connections of a node that died are counted for
// Limits.PresenceTimeout.
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

// WithLogger sets the logger. The default is slog.Default. The events, their
// levels and attributes are stable, and listed in docs/SECURITY-MODEL.md, "Log
// events".
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		if l == nil {
			return errors.New("WithLogger(nil): use slog.New(slog.DiscardHandler) to log nothing")
		}
		c.log = l
		return nil
	}
}

// WithNode names this server among those that share its stores, in logs and
// [NodesError]. No two that run at once may have the same name. The default is
// random; a name that stays the same over restarts is not needed.
func WithNode(name string) Option { return func(c *config) error { c.node = name; return nil } }

// hook is an option for a hook. A second one would take the place of the first,
// which may be what keeps somebody out.
func hook(option string, missing bool, set func(*hooks) (was bool)) Option {
	return func(c *config) error {
		if missing {
			return fmt.Errorf("%s(nil): leave it out", option)
		}
		if set(&c.hooks) {
			return fmt.Errorf("%s is given twice: call both functions in one", option)
		}
		return nil
	}
}

// OnConnect is called when a client has been authenticated and is about to be
// welcomed; nothing can be sent to it yet. An error refuses it: an *[Error] with
// the HTTP status of its code, every other one with 503. r is the handshake's
// request; its body and context must not be used after the hook returns.
func OnConnect(f func(ctx context.Context, c *Conn, r *http.Request) error) Option {
	return hook("OnConnect", f == nil, func(h *hooks) bool { was := h.connect != nil; h.connect = f; return was })
}

// OnDisconnect is called when a welcomed client is gone and has left its rooms.
func OnDisconnect(f func(ctx context.Context, c *Conn)) Option {
	return hook("OnDisconnect", f == nil, func(h *hooks) bool { was := h.disconnect != nil; h.disconnect = f; return was })
}

// OnJoin is called when a connection that the room's permission lets in is
// about to enter, also when it comes back after its line broke. An error
// refuses it: return an *[Error], such as &Error{Code: CodeForbidden}, for what
// is the client's to know; every other error is answered internal.
//
// It is the place to ask the host's own database who belongs in a room. The
// pattern is then Public and Standing, so that this hook alone decides, and who
// is taken out of the database is taken out of the room with [Room.Kick]:
// whether somebody may stay is not asked again while they are in. Who moderates
// such a room is in its Record.Moderators, which [Room.Update] changes.
func OnJoin(f func(ctx context.Context, c *Conn, room string) error) Option {
	return hook("OnJoin", f == nil, func(h *hooks) bool { was := h.join != nil; h.join = f; return was })
}

// OnLeave is called when a connection has left a room, for whatever reason.
func OnLeave(f func(ctx context.Context, c *Conn, room string)) Option {
	return hook("OnLeave", f == nil, func(h *hooks) bool { was := h.leave != nil; h.leave = f; return was })
}

// OnMessage is called with every message of a client after it has been
// validated and before it is stored and sent, and with every edit: its Kind is
// KindEdited, Target the offset of what it changes, and Event empty. What the
// host publishes does not come here. A message that a client sends again,
// because its line broke before the answer, comes here again, with the same From
// and ID. The hook may change Event and Data, which is JSON
// unless Binary is set, and is not validated again; an error refuses the
// message, as for [OnJoin]. Data must not be kept or modified in place, but may
// be replaced.
func OnMessage(f func(ctx context.Context, c *Conn, m *Message) error) Option {
	return hook("OnMessage", f == nil, func(h *hooks) bool { was := h.message != nil; h.message = f; return was })
}

// OnPresence is called with every change of what others see of a user, in rooms
// and, with an empty Room, everywhere. For one room it is called in order, for
// different ones concurrently, on the node where the change was noticed.
func OnPresence(f func(ctx context.Context, e presence.Event)) Option {
	return hook("OnPresence", f == nil, func(h *hooks) bool { was := h.presence != nil; h.presence = f; return was })
}

// complete fills in defaults and finds what does not fit together.
func (c *config) complete() (*origin.Policy, *limit.ClientIP, error) {
	if c.authenticator == nil {
		return nil, nil, errors.New("nobody could get in: use WithAuthenticator, for instance with a jwtauth.Authenticator, or with an auth.AuthenticatorFunc that looks into your own sessions")
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
