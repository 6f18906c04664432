package room_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/room"
)

// host is a server under test and a way to reach it.
type host struct {
	t    testing.TB
	srv  *room.Server
	log  *logbook
	open func() net.Conn

	listener net.Listener
	accepted *accepted // of a port
	fleeting bool      // whoever connects also disconnects
}

// serve starts a server on a port of the loopback interface.
func serve(t testing.TB, opts ...room.Option) *host {
	t.Helper()
	return serveThrough(t, nil, opts...)
}

// serveThrough is serve behind a host's middleware.
func serveThrough(t testing.TB, wrap func(http.Handler) http.Handler, opts ...room.Option) *host {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	all := &accepted{Listener: listener, conns: make(map[string]net.Conn)}
	h := newHost(t, all, wrap, opts...)
	h.accepted = all
	h.open = func() net.Conn {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			h.t.Fatal(err)
		}
		return conn
	}
	return h
}

// servePipes starts a server that is reached through memory, for a bubble of
// testing/synctest: there it is idle while it waits for a client.
func servePipes(t testing.TB, opts ...room.Option) *host {
	t.Helper()
	listener := &pipes{incoming: make(chan net.Conn), closed: make(chan struct{})}
	h := newHost(t, listener, nil, opts...)
	h.open = func() net.Conn { return listener.dial("192.0.2.1:1000") }
	return h
}

func newHost(t testing.TB, listener net.Listener, wrap func(http.Handler) http.Handler, opts ...room.Option) *host {
	t.Helper()
	h := &host{t: t, log: new(logbook), listener: listener}
	logger := slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	h.srv, err = room.New(append([]room.Option{
		room.WithAuthenticator(auth.AuthenticatorFunc(gate)), room.WithLogger(logger), room.WithLimits(calm()),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	handler := http.Handler(h.srv)
	if wrap != nil {
		handler = wrap(handler)
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", handler)
	web := &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: patience}
	var serving sync.WaitGroup
	serving.Go(func() { _ = web.Serve(listener) })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = h.srv.Shutdown(ctx) // some tests leave clients that answer nothing
		_ = web.Close()
		serving.Wait()
	})
	return h
}

// calm are limits that no test meets by accident: all its clients have one
// address.
func calm() room.Limits {
	l := room.DefaultLimits()
	l.ConnectsPerIP, l.Joins, l.Requests = limit.Rate{}, limit.Rate{}, limit.Rate{}
	l.History, l.Bytes = limit.Rate{}, limit.Rate{}
	l.Messages = room.Rates{}
	l.ConnectionsPerIP, l.ConnectionsPerUser = 1<<20, 1<<20
	l.Grace = 50 * time.Millisecond // who hangs up is soon gone
	return l
}

// limits are calm ones with a change.
func limits(change func(*room.Limits)) room.Option {
	l := calm()
	change(&l)
	return room.WithLimits(l)
}

// house has a room of each kind.
func house() room.Option {
	kept := room.Keep(100, time.Hour)
	return room.Options(
		room.WithRooms("hall", room.Settings{Permission: room.Public, History: kept}),
		room.WithRooms("lounge", room.Settings{Permission: room.Public}),
		room.WithRooms("vault", room.Settings{Permission: room.Private, History: kept}),
		room.WithRooms("staff", room.Settings{Permission: room.Restricted, Roles: []string{"staff"}, History: kept}),
		room.WithRooms("tiny", room.Settings{Permission: room.Public, MaxMembers: 2}),
		room.WithRooms("club:*", room.Settings{Permission: room.Private, AllowCreate: true, History: kept, Moderators: []string{"mod"}}),
		room.WithRooms("den:*", room.Settings{Permission: room.OwnerOnly, AllowCreate: true}),
		room.WithRooms("cell:*", room.Settings{Permission: room.OwnerOnly, Permissions: []room.Permission{room.Private}, AllowCreate: true}),
	)
}

// gate signs in whoever a token names. A token is a user ID followed by
// ~KEY.VALUE parts: name, role, exp (a duration from now) and cap (a room).
func gate(ctx context.Context, c auth.Credentials) (auth.Identity, error) {
	parts := strings.Split(c.Token, "~")
	id := auth.Identity{ID: parts[0]}
	switch id.ID {
	case "bad":
		return auth.Identity{}, auth.ErrUnauthenticated
	case "stale":
		return auth.Identity{}, auth.ErrExpired
	case "odd":
		return auth.Identity{}, errors.New("an error of the host's own")
	case "down":
		return auth.Identity{}, fmt.Errorf("%w: key server is down", auth.ErrUnavailable)
	case "slow":
		<-ctx.Done()
		return auth.Identity{}, ctx.Err()
	case "panic":
		panic("authenticator")
	case "nobody":
		return auth.Identity{}, nil
	}
	for _, part := range parts[1:] {
		key, value, _ := strings.Cut(part, ".")
		switch key {
		case "name":
			id.Name = value
		case "role":
			id.Roles = append(id.Roles, value)
		case "exp":
			d, err := time.ParseDuration(value)
			if err != nil {
				return auth.Identity{}, err
			}
			id.ExpiresAt = time.Now().Add(d)
		case "cap":
			id.Capabilities = append(id.Capabilities, auth.Capability{Rooms: value, Verbs: auth.Join})
		default:
			return auth.Identity{}, fmt.Errorf("gate: what is %q", part)
		}
	}
	return id, nil
}

// upgrade are the lines of a sound handshake and more header lines.
func upgrade(more ...string) []string {
	return append([]string{
		"GET /ws HTTP/1.1",
		"Host: chat.example",
		"Connection: Upgrade",
		"Upgrade: websocket",
		"Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: " + sampleKey,
	}, more...)
}

// handshake makes one of these lines.
func (h *host) handshake(lines ...string) (c *client, status int, header http.Header, body string) {
	h.t.Helper()
	conn := h.open()
	if !h.fleeting {
		h.t.Cleanup(func() { _ = conn.Close() })
	}
	c, resp, body := dial(h.t, conn, lines...)
	return c, resp.StatusCode, resp.Header, body
}

// visitor is a client that was welcomed.
type visitor struct {
	*client
	welcome frame
}

// connect signs in with a token.
func (h *host) connect(token string, more ...string) *visitor {
	h.t.Helper()
	c, status, header, body := h.handshake(upgrade(append([]string{"Authorization: Bearer " + token}, more...)...)...)
	if status != http.StatusSwitchingProtocols {
		h.t.Fatalf("handshake of %s: %d %s", token, status, body)
	}
	if accept := header.Get("Sec-WebSocket-Accept"); accept != sampleAccept {
		h.t.Fatalf("Sec-WebSocket-Accept %q", accept)
	}
	return &visitor{client: c, welcome: c.expect("welcome")}
}

// in is connect and join.
func (h *host) in(token string, rooms ...string) *visitor {
	h.t.Helper()
	v := h.connect(token)
	for _, name := range rooms {
		v.must("join", inRoom(name))
	}
	return v
}

// inRoom, saying and ofUser are members of an envelope.
func inRoom(name string) string { return fmt.Sprintf(`"room":%q`, name) }

func saying(json string) string { return `"data":` + json }

func ofUser(id string) string { return fmt.Sprintf(`"user":%q`, id) }

// logbook keeps what the server logs.
type logbook struct {
	mu  sync.Mutex // protects buf
	buf bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// pipes is a net.Listener in memory.
type pipes struct {
	incoming chan net.Conn
	once     sync.Once
	closed   chan struct{}
}

func (p *pipes) dial(from string) net.Conn {
	client, server := net.Pipe()
	select {
	case p.incoming <- &pipe{Conn: server, from: pipeAddr(from)}:
	case <-p.closed:
		_ = server.Close()
	}
	return client
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.incoming:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return pipeAddr("192.0.2.254:80") }

// pipe is the server's end, with the address that the client is to have.
type pipe struct {
	net.Conn
	from net.Addr
}

func (p *pipe) RemoteAddr() net.Addr { return p.from }

type pipeAddr string

func (pipeAddr) Network() string  { return "tcp" }
func (a pipeAddr) String() string { return string(a) }

// eventually waits for a condition of the server that no frame tells.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}
