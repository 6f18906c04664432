package room

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/origin"
	"github.com/wardroom/wardroom/internal/transport"
	"github.com/wardroom/wardroom/internal/wire"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/validate"
)

// Server is an http.Handler that serves rooms over WebSocket. All its methods
// are safe for concurrent use. Call [Server.Shutdown] when done with it.
type Server struct {
	authenticator auth.Authenticator
	sources       auth.Sources
	origins       *origin.Policy // nil: any
	clientIP      *limit.ClientIP
	patterns      patterns
	store         Store
	inspector     Inspector // the same; nil when it cannot tell
	nodeStore     NodeStore // the same; nil when it knows no nodes
	lease         lease
	broker        Broker
	batches       BatchBroker // the broker, if it is one
	remote        bool        // the broker is not of this process
	limiter       limit.Limiter
	sessions      auth.SessionStore
	presenceStore presence.Store
	tracker       *presence.Tracker // made by start
	limits        Limits
	data          validate.Rules // of rooms that have none of their own
	announced     []wire.Limit
	socket        transport.Options
	node          string
	journal       *journal
	vitals        *vitals
	hooks         hooks

	perIP, perUser, perNode *limit.Gauge
	waiting                 *limit.Gauge  // not yet authenticated
	counter                 limit.Counter // of connections on all nodes; nil: each counts its own

	// calls and middleware are replaced, never changed, under setupMu.
	setupMu    sync.Mutex
	calls      atomic.Pointer[map[string]call]
	middleware []Middleware
	handler    atomic.Pointer[Handler] // nil: dispatch alone

	hallMu sync.Mutex // protects halls and their refs
	halls  map[string]*hall

	connMu   sync.Mutex // protects what follows
	conns    map[*Conn]struct{}
	users    map[string]*Conn // the first of a list
	owed     []string         // sessions of connections that are gone, to be released
	draining bool
	settled  bool          // idle is closed
	idle     chan struct{} // closed when draining and the last connection is gone

	started       sync.Once     // see start
	lost          chan struct{} // holds one when something may be lost; for patrol
	doubt         chan struct{} // the same for keepPresence
	unsure        chan struct{} // holds one when a revocation may not have been heard
	lineages      []Lineage
	cancelControl []func() // end the subscriptions of listen; connMu protects it
	peers         *peers
	revocations   atomic.Int64

	ctx  context.Context // ends with the server
	stop context.CancelFunc
	wg   sync.WaitGroup // every goroutine of the server and its connections
}

// New returns a server. It fails when an option is wrong or something that has
// no safe default is missing, and says what to write instead.
func New(opts ...Option) (*Server, error) {
	cfg := config{limits: DefaultLimits()}
	if err := Options(opts...)(&cfg); err != nil {
		return nil, fmt.Errorf("room: %w", err)
	}
	policy, clientIP, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("room: %w", err)
	}
	if cfg.anyOrigin {
		policy = nil
	}
	s := &Server{
		authenticator: cfg.authenticator,
		sources:       cfg.sources,
		origins:       policy,
		clientIP:      clientIP,
		patterns:      cfg.patterns,
		store:         cfg.store,
		lease:         newLease(),
		broker:        cfg.broker,
		limiter:       cfg.limiter,
		sessions:      cfg.sessions,
		presenceStore: cfg.presence,
		limits:        cfg.limits,
		data:          validate.Rules{Limits: cfg.limits.Data},
		announced:     cfg.limits.announce(),
		node:          cfg.node,
		peers:         newPeers(cfg.node, cfg.shared),
		lost:          make(chan struct{}, 1),
		doubt:         make(chan struct{}, 1),
		unsure:        make(chan struct{}, 1),
		journal:       newJournal(cfg.log, cfg.audit),
		hooks:         cfg.hooks,
		counter:       cfg.counter,
		perIP:         limit.NewGauge(),
		perUser:       limit.NewGauge(),
		perNode:       limit.NewGauge(),
		waiting:       limit.NewGauge(),
		halls:         make(map[string]*hall),
		conns:         make(map[*Conn]struct{}),
		users:         make(map[string]*Conn),
		idle:          make(chan struct{}),
	}
	s.socket = transport.Options{
		MaxText:         int64(s.limits.TextFrame),
		MaxBinary:       int64(s.limits.Data.BinaryBytes) + envelope,
		MessageDeadline: s.limits.Message,
		Heartbeat:       s.limits.Heartbeat,
		WriteDeadline:   s.limits.Write,
		CloseDeadline:   s.limits.Close,
		MaxQueue:        s.limits.MaxLag,
		Compress:        true,
	}
	for _, c := range codecs {
		s.socket.Subprotocols = append(s.socket.Subprotocols, c.Subprotocol())
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.inspector, _ = s.store.(Inspector)
	s.nodeStore, _ = s.store.(NodeStore)
	s.vitals = newVitals(s.journal)
	s.watchAll()
	return s, nil
}

// start begins what only a server in use needs. A server that was made and
// never used has no goroutine.
func (s *Server) start() {
	s.started.Do(func() {
		if err := s.startPresence(); err != nil {
			// Limits.check and complete have seen to it.
			panic("room: presence: " + err.Error())
		}
		s.socket.Park = transport.NewPark(&s.wg)
		s.listen()
		s.wg.Go(s.keepSessions)
		s.wg.Go(s.keepEmpty)
		s.wg.Go(s.patrol)
		s.wg.Go(s.keepPresence)
		if len(s.lineages) > 0 {
			s.wg.Go(s.descend)
		}
		if s.nodeStore != nil {
			s.wg.Go(s.keepLease)
		}
		if s.counter != nil {
			s.wg.Go(s.keepCounts)
		}
		s.wg.Go(s.probe)
	})
}

// newID returns an identifier with 128 random bits or more.
func newID() string { return rand.Text() }

// add registers a connection, or reports that the server is draining.
func (s *Server) add(c *Conn) bool {
	s.connMu.Lock()
	defer s.connMu.Unlock()
	if s.draining {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

// addUser makes the connection known by its user.
func (s *Server) addUser(c *Conn) {
	user := c.Identity().ID
	s.connMu.Lock()
	defer s.connMu.Unlock()
	if c.elder = s.users[user]; c.elder != nil {
		c.elder.sibling = c
	}
	s.users[user] = c
	c.listed = true
}

func (s *Server) remove(c *Conn) {
	s.connMu.Lock()
	defer s.connMu.Unlock()
	delete(s.conns, c)
	if c.listed {
		s.removeUser(c)
	}
	s.settle()
}

// removeUser undoes addUser. The caller holds connMu.
func (s *Server) removeUser(c *Conn) {
	user := c.Identity().ID
	switch {
	case c.sibling != nil:
		c.sibling.elder = c.elder
	case c.elder != nil:
		s.users[user] = c.elder
	default:
		delete(s.users, user)
	}
	if c.elder != nil {
		c.elder.sibling = c.sibling
	}
	c.sibling, c.elder, c.listed = nil, nil, false
}

// settle closes idle once. The caller holds connMu.
func (s *Server) settle() {
	if s.draining && len(s.conns) == 0 && !s.settled {
		s.settled = true
		close(s.idle)
	}
}

// connsOf returns the user's connections on this node.
func (s *Server) connsOf(user string) []*Conn {
	s.connMu.Lock()
	defer s.connMu.Unlock()
	var conns []*Conn
	for c := s.users[user]; c != nil; c = c.elder {
		conns = append(conns, c)
	}
	return conns
}

// all returns every connection on this node.
func (s *Server) all() []*Conn {
	s.connMu.Lock()
	defer s.connMu.Unlock()
	conns := make([]*Conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}

// Stats is a look at what a server holds on this node.
type Stats struct {
	Connections int
	Users       int
	Rooms       int // with at least one member here
}

// Stats counts.
func (s *Server) Stats() Stats {
	s.connMu.Lock()
	st := Stats{Connections: len(s.conns), Users: len(s.users)}
	s.connMu.Unlock()
	s.hallMu.Lock()
	st.Rooms = len(s.halls)
	s.hallMu.Unlock()
	return st
}
