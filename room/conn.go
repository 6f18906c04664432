package room

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/transport"
	"github.com/wardroom/wardroom/internal/wire"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/presence"
)

// Close codes of docs/PROTOCOL.md, "Close codes".
const (
	closeUnauthenticated = 4001
	closeForbidden       = 4003
	closeRevoked         = 4004
	closePolicy          = 4008
	closeAuthDeadline    = 4100
	closeTokenExpired    = 4101
	closeTooMany         = 4104
	closeDrain           = 4200
)

// Conn is one connection of one user. Its methods are safe for concurrent use.
type Conn struct {
	srv      *Server
	id       string
	ip       netip.Addr
	encoding encoding
	socket   *transport.Conn
	identity atomic.Pointer[auth.Identity] // nil until authenticated
	presence *presence.Conn                // nil until welcomed
	counted  counted                       // by the gauges
	life     life                          // its context
	// By what it is counted on other nodes too.
	byIP, byUser atomic.Bool

	// Server.connMu protects these: a list of those of the same user.
	sibling, elder *Conn
	listed         bool

	mu      sync.Mutex // protects what follows
	session string     // the ID; empty before there is one
	seats   seats
	going   map[string]*departure // rooms that are being left
	timer   *time.Timer           // for the first message, then for the expiry of the identity
	gone    bool                  // no timer may start any more, nor another session
	values  map[any]any           // the host's; nil before there are any
	joining bool                  // a join has begun to take a place, and is not over

	// What follows belongs to the goroutine that reads.
	request     *http.Request // until the first message has authenticated
	revocations int64         // how many the server had heard of when the session began or was to be renewed
	burst       *burst        // what waits to be published; nil for nothing
	batch       transport.Batch
	entered     *seat // by a join whose reply is not queued yet
	placed      bool  // the join that is going on has a place in the room to give back if it fails
	began       time.Time
	requests    limit.Bucket
	joins       limit.Bucket
	reads       limit.Bucket // of history
	bytes       limit.Bucket
	abuse       limit.Bucket
	message     limit.Bucket // of messages to rooms without rates of their own
	lanes       map[lane]*limit.Bucket
	wait        time.Duration // until what is being handled would be admitted again
}

// ID identifies the connection, on all nodes. It is no secret.
func (c *Conn) ID() string { return c.id }

// Session identifies the session that the connection belongs to.
func (c *Conn) Session() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.session
}

// Identity is who the client is, as the Authenticator said, or the one of the
// latest renewal. Claims are the place for what else handlers need to know of a
// user. Its maps and slices must not be modified.
func (c *Conn) Identity() auth.Identity {
	if id := c.identity.Load(); id != nil {
		return *id
	}
	return auth.Identity{}
}

// RemoteIP is the client's address; see [WithTrustedProxies].
func (c *Conn) RemoteIP() netip.Addr { return c.ip }

// Context ends when the connection does.
func (c *Conn) Context() context.Context { return &c.life }

// Rooms returns the names of the rooms the connection is in, sorted.
func (c *Conn) Rooms() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := make([]string, len(c.seats))
	for i, s := range c.seats {
		names[i] = s.hall.name
	}
	return names
}

// In reports whether the connection is in the room.
func (c *Conn) In(room string) bool { return c.seat(room) != nil }

// Disconnect closes the connection with 4003: the client will not reconnect by
// itself. It does not wait.
func (c *Conn) Disconnect(reason string) { c.close(closeForbidden, reason) }

func (c *Conn) close(code int, reason string) {
	if c.socket != nil {
		c.socket.Close(code, reason)
	}
}

// LogValue is how a connection looks in logs.
func (c *Conn) LogValue() slog.Value {
	id := c.Identity()
	return slog.GroupValue(slog.String("id", c.id), slog.String("user", id.ID), slog.String("ip", c.ip.String()))
}

func (s *Server) newConn(ip netip.Addr) *Conn {
	return &Conn{srv: s, id: newID(), ip: ip, began: time.Now()}
}

func (c *Conn) start(socket *transport.Conn) {
	c.socket = socket
	c.encoding.deflate = socket.Deflated()
}

// release undoes what counting the connection did.
func (c *Conn) release() {
	c.life.cancel()
	s, in := c.srv, c.counted
	c.counted = counted{}
	if in.node {
		s.perNode.Leave("")
	}
	if in.address {
		s.leavePlace(s.perIP, limit.Key(c.ip), countedIP, c)
	}
	if in.waiting {
		s.waiting.Leave("")
	}
	if in.user {
		s.leavePlace(s.perUser, c.Identity().ID, countedUser, c)
	}
}

// counted says which gauges count a connection.
type counted struct{ node, address, waiting, user bool }

// run is the life of a connection after the upgrade.
func (c *Conn) run(r *http.Request) {
	deepen()
	s := c.srv
	if c.identity.Load() != nil {
		c.welcome()
	} else {
		c.request = r.WithContext(s.ctx)
		c.after(s.limits.FirstMessage, func() { c.close(closeAuthDeadline, "not authenticated in time") })
	}
	c.socket.Serve(served{c}, &s.wg)
}

// served is a connection as its socket sees it.
type served struct{ c *Conn }

func (s served) Handle(message []byte, binary bool) { s.c.handle(message, binary) }
func (s served) Idle()                              { s.c.flush() }
func (s served) Ended(how transport.Closing)        { s.c.ended(how) }

// ended is the rest of the life of a connection whose socket is closed.
func (c *Conn) ended(closing transport.Closing) {
	s := c.srv
	c.life.cancel()
	c.stopTimer()
	c.leaveAll(closing)
	c.disappear(closing)
	welcomed := c.identity.Load() != nil
	if welcomed && s.hooks.disconnect != nil {
		c.host("OnDisconnect", func(ctx context.Context) error { s.hooks.disconnect(ctx, c); return nil })
	}
	s.journal.write(s.ctx, slog.LevelInfo, eventDisconnect, c, slog.Int("code", closing.Code), slog.Bool("by_peer", closing.ByPeer), slog.Duration("after", time.Since(c.began)))
	if welcomed {
		s.endSession(c)
	}
	c.release()
	s.remove(c)
}

// welcome greets a client that is authenticated.
func (c *Conn) welcome() {
	s, id := c.srv, c.Identity()
	s.addUser(c)
	c.recheckSession()
	if !c.appear() {
		c.close(closeDrain, "draining")
		return
	}
	w := &wire.Welcome{
		Connection: c.id, Session: c.Session(), User: id.ID, Name: id.Name,
		At: time.Now().UnixMilli(), HeartbeatMS: s.limits.Heartbeat.Milliseconds(), Limits: s.announced,
	}
	if !id.ExpiresAt.IsZero() {
		w.ExpiresAt = id.ExpiresAt.UnixMilli()
	}
	c.send(w)
	c.socket.Flush()
	c.watchExpiry()
	s.journal.write(s.ctx, slog.LevelInfo, eventConnect, c)
}

// watchExpiry warns the client before its identity expires, then closes.
func (c *Conn) watchExpiry() {
	expires := c.Identity().ExpiresAt
	if expires.IsZero() {
		c.stopWatch()
		return
	}
	left := time.Until(expires)
	if warn := left - c.srv.limits.Expiring; warn > 0 {
		c.after(warn, func() {
			c.sendNow(&wire.Expiring{InMS: time.Until(expires).Milliseconds()})
			c.after(time.Until(expires), c.expire)
		})
		return
	}
	// A short-lived identity is warned about at half its time.
	c.after(left/2, func() {
		c.sendNow(&wire.Expiring{InMS: max(0, time.Until(expires).Milliseconds())})
		c.after(time.Until(expires), c.expire)
	})
}

func (c *Conn) expire() {
	if id := c.Identity(); id.Expired(time.Now()) {
		c.close(closeTokenExpired, "token expired")
		return
	}
	c.watchExpiry() // it was renewed meanwhile
}

// after replaces the connection's timer.
func (c *Conn) after(d time.Duration, f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return
	}
	if c.timer != nil {
		c.timer.Stop()
	}
	c.timer = time.AfterFunc(max(0, d), f)
}

func (c *Conn) stopWatch() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
}

func (c *Conn) stopTimer() {
	c.stopWatch()
	c.mu.Lock()
	c.gone = true
	c.mu.Unlock()
}

// send queues a frame for this connection alone.
func (c *Conn) send(f wire.Frame) {
	if c.socket == nil {
		return // OnConnect: not upgraded yet
	}
	buf := scratch.Get().(*[]byte)
	payload, binary := codecs[c.encoding.codec].Append((*buf)[:0], f)
	frame := transport.Frame{Payload: payload, Binary: binary}
	if c.encoding.deflate {
		frame = c.srv.deflated(frame)
	}
	c.socket.Send(frame)
	keepScratch(buf, payload)
}

func (c *Conn) sendNow(f wire.Frame) {
	c.send(f)
	if c.socket != nil {
		c.socket.Flush()
	}
}

// flush is called by the reading goroutine when all that one read brought is
// handled, and before anything of the host's that may take its time.
func (c *Conn) flush() {
	c.publishBurst()
	c.batch.Flush()
	c.socket.Flush()
}

// host calls a hook that can refuse nothing.
func (c *Conn) host(name string, f func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(&c.life), c.srv.limits.Handler)
	defer cancel()
	if err := c.srv.contain(func() error { return f(ctx) }); err != nil {
		c.srv.journal.write(ctx, slog.LevelError, eventError, c, slog.String("hook", name), slog.Any("error", err))
	}
}
