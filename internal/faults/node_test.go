package faults

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/room"
)

// stores are what a node shares with the others.
type stores struct {
	store    room.Store
	broker   room.Broker
	sessions auth.SessionStore
	presence presence.Store
	limiter  limit.Limiter
	counter  limit.Counter
	// close ends what the stores run, when the node is shut down.
	close func()
}

// memory are stores of one process, for all nodes.
func memory() stores {
	return stores{
		store: room.NewMemoryStore(), broker: room.NewMemoryBroker(), sessions: auth.NewMemorySessions(),
		presence: presence.NewMemory(), limiter: limit.NewMemory(),
		counter: limit.NewMemoryCounter(), close: func() {},
	}
}

// node is a server that listens.
type node struct {
	name string
	addr string
	srv  *room.Server
	stop func()
	// dead says that its clients may lose their connections: it was killed.
	dead atomic.Bool
}

const (
	// kept is more than a run says in one room.
	kept     = 1_000_000
	capacity = 50 // of the rooms cap:*
)

// rooms are those of every node.
func rooms() room.Option {
	return room.Options(
		room.WithRooms("hall:*", room.Settings{Permission: room.Public, Standing: true, History: room.Keep(kept, time.Hour)}),
		room.WithRooms("live:*", room.Settings{Permission: room.Public, Standing: true}),
		room.WithRooms("cap:*", room.Settings{Permission: room.Public, Standing: true, MaxMembers: capacity}),
	)
}

// hasHistory says what rooms says.
func hasHistory(name string) bool { return strings.HasPrefix(name, "hall:") }

const (
	beat    = time.Second
	timeout = 4 * time.Second
)

// limits let all clients come from one address, and nodes notice soon what
// happens to others.
func limits() room.Limits {
	l := room.DefaultLimits()
	l.ConnectsPerIP, l.ConnectionsPerIP, l.ConnectionsPerUser = limit.Rate{}, 1<<20, perUser
	l.Joins = limit.Rate{}
	l.Page = 1000
	l.Replay = kept
	l.Grace = 2 * time.Second
	l.PresenceBeat, l.PresenceTimeout, l.PresenceSweep = beat, timeout, 2*time.Second
	return l
}

// gate signs in whom a token names: USER~ISSUED, in Unix milliseconds.
func gate(_ context.Context, c auth.Credentials) (auth.Identity, error) {
	user, at, _ := strings.Cut(c.Token, "~")
	ms, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return auth.Identity{}, auth.ErrUnauthenticated
	}
	return auth.Identity{ID: user, IssuedAt: time.UnixMilli(ms), ExpiresAt: time.UnixMilli(ms).Add(time.Hour)}, nil
}

func newToken(user string) string { return fmt.Sprintf("%s~%d", user, time.Now().UnixMilli()) }

// open starts a node that listens on an address.
func open(name, addr string, with stores, log *slog.Logger) (*node, error) {
	srv, err := room.New(
		room.WithAuthenticator(auth.AuthenticatorFunc(gate)), room.InsecureAnyOrigin(), rooms(), room.WithLimits(limits()), room.WithNode(name),
		room.WithStore(with.store), room.WithBroker(with.broker), room.WithSessions(with.sessions),
		room.WithPresence(with.presence), room.WithLimiter(with.limiter), room.WithCounter(with.counter),
		room.WithLogger(log),
	)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /ws", srv)
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	var serving sync.WaitGroup
	serving.Go(func() { _ = web.Serve(listener) })
	return &node{name: name, addr: listener.Addr().String(), srv: srv, stop: func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = srv.Shutdown(ctx)
		_ = web.Close()
		serving.Wait()
		with.close()
	}}, nil
}

// openAll starts nodes in this process.
func openAll(log *slog.Logger, n int, of func(i int) stores) (list []*node, stop func(), err error) {
	stop = func() {
		for _, one := range list {
			one.stop()
		}
	}
	for i := range n {
		one, err := open(fmt.Sprintf("node%d", i), "127.0.0.1:0", of(i), log)
		if err != nil {
			stop()
			return nil, nil, err
		}
		list = append(list, one)
	}
	return list, stop, nil
}
