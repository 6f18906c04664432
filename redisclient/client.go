package redisclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// ErrNotConnected is what commands are answered, wrapped with the reason that
// the last attempt to connect failed for, while there has been no Redis yet.
var ErrNotConnected = errors.New("redisclient: not connected to Redis yet")

const (
	// defaultDial is the deadline of one attempt to connect, unless
	// ClientOption.Dialer.Timeout says otherwise.
	defaultDial = time.Second
	// defaultRefresh is how often a Cluster is asked who has which slots, unless
	// ClusterOption.ShardsRefreshInterval says otherwise. Sentinels say it by
	// themselves; with Sentinel.TopologyRefreshInterval rueidis 1.0.79 keeps a
	// core busy for as long as there is no primary.
	defaultRefresh = time.Second
	shortestPause  = 50 * time.Millisecond
	longestPause   = 2 * time.Second
	// noSlot marks commands that were built by the client of before there was a
	// connection. A cluster's client cannot tell where they belong.
	noSlot = 1 << 15
)

// Client is a rueidis.Client that connects when it can. Until it has, every
// command is answered by an error that wraps [ErrNotConnected]. It is safe for
// concurrent use.
type Client struct {
	absent rueidis.Client // of a Redis that never is there
	real   atomic.Pointer[rueidis.Client]
	reason atomic.Pointer[error] // why the last attempt failed; nil before the first

	ctx    context.Context // until Close
	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex // protects closed, and that real is set only before
	closed bool
}

var _ rueidis.Client = (*Client)(nil)

// Open is [New] with a URL as rueidis.ParseURL takes it:
//
//	redis://localhost:6379
//	rediss://user:password@redis.example.com:6380                    TLS
//	redis://c1:6379?addr=c2:6379&addr=c3:6379                        a Cluster
//	redis://s1:26379?addr=s2:26379&addr=s3:26379&master_set=mymaster Sentinels
//	unix:///run/redis/redis.sock                                     a Unix socket
//
// User, password and TLS are those of Redis itself. Sentinels that want some,
// and certificates of one's own, take New. Client-side caching is off: no store
// uses it.
func Open(url string) (*Client, error) {
	opt, err := rueidis.ParseURL(url)
	if err != nil {
		// The URL may hold a password.
		return nil, errors.New("redisclient: the URL is none like redis://localhost:6379")
	}
	opt.DisableCache = true
	return New(opt)
}

// New returns a client. It tries to connect once, for a second unless
// Dialer.Timeout says otherwise, and then in the background, with pauses of up to
// 2 s, until it has. It fails when waiting would not help: when the options
// contradict each other, or Redis answers that the client may not in.
//
// A Cluster is asked every second who has which slots, unless
// ClusterOption.ShardsRefreshInterval says otherwise. rueidis alone goes by
// errors, and a primary that hangs gives none for 10 s, though its replica has
// long been promoted. Who makes the client of a Cluster without this package does
// well to set it.
func New(opt rueidis.ClientOption) (*Client, error) {
	opt = withDefaults(opt)
	c := &Client{}
	// It has a client's builder and its ways to fail, and no more.
	c.absent, _ = rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{"none"}, ForceSingleClient: true, DisableCache: true, DisableRetry: true,
		DialCtxFn: func(context.Context, string, *net.Dialer, *tls.Config) (net.Conn, error) {
			return nil, c.notConnected()
		},
	})
	if c.absent == nil {
		return nil, ErrNotConnected
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	real, err := rueidis.NewClient(opt)
	switch {
	case err == nil:
		c.set(real)
	case hopeless(err):
		closeIfAny(real)
		c.Close()
		return nil, fmt.Errorf("redisclient: %w", err)
	default:
		closeIfAny(real)
		c.reason.Store(&err)
		c.wg.Go(func() { c.connect(opt) })
	}
	return c, nil
}

func withDefaults(opt rueidis.ClientOption) rueidis.ClientOption {
	if opt.Dialer.Timeout == 0 {
		opt.Dialer.Timeout = defaultDial
	}
	if opt.ClusterOption.ShardsRefreshInterval == 0 {
		opt.ClusterOption.ShardsRefreshInterval = defaultRefresh
	}
	return opt
}

// hopeless reports whether it is no use to try again.
func hopeless(err error) bool {
	for _, e := range []error{
		rueidis.ErrNoSendToReplicas, rueidis.ErrReplicaOnlyNotSupported, rueidis.ErrWrongPipelineMultiplex, rueidis.ErrNoCache,
		rueidis.ErrReplicaOnlyConflict, rueidis.ErrReplicaOnlyConflictWithReadNodeSelector, rueidis.ErrReplicaOnlyConflictWithReplicaSelector,
		rueidis.ErrReplicaSelectorConflictWithReadNodeSelector, rueidis.ErrSendToReplicasNotSet,
		rueidis.ErrInvalidShardsRefreshInterval, rueidis.ErrInvalidTopologyRefreshInterval,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	text := err.Error()
	for _, word := range []string{"NOAUTH", "WRONGPASS", "NOPERM"} {
		if strings.HasPrefix(text, word) {
			return true
		}
	}
	return false
}

// closeIfAny closes a client that was returned with an error.
func closeIfAny(c rueidis.Client) {
	if c != nil {
		c.Close()
	}
}

// connect tries until it succeeds or Close is called.
func (c *Client) connect(opt rueidis.ClientOption) {
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		timer := time.NewTimer(pause)
		select {
		case <-c.ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		real, err := rueidis.NewClient(opt)
		if err == nil {
			c.set(real)
			return
		}
		closeIfAny(real)
		c.reason.Store(&err)
	}
}

// notConnected is ErrNotConnected with the reason, as far as there is one.
func (c *Client) notConnected() error {
	if reason := c.reason.Load(); reason != nil {
		return fmt.Errorf("%w: %w", ErrNotConnected, *reason)
	}
	return ErrNotConnected
}

func (c *Client) set(real rueidis.Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		real.Close()
		return
	}
	c.real.Store(&real)
}

// now is the client that answers now.
func (c *Client) now() rueidis.Client {
	if p := c.real.Load(); p != nil {
		return *p
	}
	return c.absent
}

// Connected reports whether there has been a connection.
func (c *Client) Connected() bool { return c.real.Load() != nil }

// Close implements rueidis.Client.
func (c *Client) Close() {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.wg.Wait()
	if again {
		return
	}
	c.absent.Close()
	if real := c.now(); real != c.absent {
		real.Close()
	}
}
