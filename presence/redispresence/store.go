package redispresence

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redisx"
	"github.com/wardroom/wardroom/presence"
)

// ErrUnavailable says that Redis did not answer in time, or not as it should.
// Whether anything was done is not known. Every error of a [Store] wraps it but
// for those of package presence and of the caller's context.
var ErrUnavailable = errors.New("redispresence: redis unavailable")

const (
	// refusedFor is how long a node whose lease has lapsed is told so, after it
	// was cleared away.
	refusedFor = 48 * time.Hour
	// answerKept is how long the answer to a batch is kept after which its node
	// had no entries left: a minute, and some time for the way.
	answerKept = 65 * time.Second
	// tokenGood is for how long a node may write into a scope that it has
	// claimed before it claims it again.
	tokenGood = time.Hour
)

// Store is a [presence.Store] in Redis. It has no goroutine and needs no
// closing. It is safe for concurrent use. While Redis is known to be away its
// methods fail at once.
type Store struct {
	client   rueidis.Client
	keys     redisx.Keys
	timeout  time.Duration
	circuit  *redisx.Circuit
	seenKept time.Duration
	nodeKeys nodeKeys
	scripts  scripts
	claims   claims
	lineage  redisx.Lineage
}

var _ presence.Store = (*Store)(nil)

// New returns a Store. The client is the caller's and stays open.
func New(client rueidis.Client, opts ...Option) *Store {
	s := &Store{
		client: client, keys: redisx.NewKeys(""), timeout: redisx.DefaultTimeout, seenKept: 30 * 24 * time.Hour,
		circuit: redisx.NewCircuit(), scripts: newScripts(), claims: newClaims(),
	}
	for _, opt := range opts {
		opt(s)
	}
	s.nodeKeys = newNodeKeys(s.keys)
	return s
}

// Lineage returns a text that is the same as long as no server of Redis that this
// client writes to was restarted, or replaced by a replica. When it is another,
// what was written last may be lost: have each [presence.Tracker] Sweep, as
// package room does. It is one command, in a Cluster one and one for each
// primary.
func (s *Store) Lineage(ctx context.Context) (string, error) {
	text, err := s.lineage.Ask(ctx, s.client, s.timeout)
	return text, unavailable(err)
}

// Beat implements [presence.Store]. It is one command, and another when there
// are claims to release.
func (s *Store) Beat(ctx context.Context, node string, ttl time.Duration) (presence.Lease, error) {
	if err := ctx.Err(); err != nil {
		return presence.Lease{}, fmt.Errorf("redispresence: beat: %w", err)
	}
	word, reply, err := s.ask(ctx, s.scripts.beat, []string{s.nodeKeys.leases, s.nodeKeys.lapsed}, node, microsOf(ttl))
	if err != nil {
		return presence.Lease{}, err
	}
	if word == "lapsed" {
		s.claims.beaten(node, 0, true)
		return presence.Lease{}, presence.ErrLapsed
	}
	n, err := numbers(reply, 3)
	if err != nil {
		return presence.Lease{}, err
	}
	s.claims.beaten(node, ttl, n[0] == 1)
	// A claim that is not released is one that says too much, until the node dies.
	_ = s.release(ctx, s.claims.release(mostSpare))
	return presence.Lease{Fresh: n[0] == 1, Lapsed: n[1] == 1, Next: time.Duration(n[2]) * time.Microsecond}, nil
}

// Orphans implements [presence.Store].
func (s *Store) Orphans(ctx context.Context, node string, limit int) ([]presence.Orphan, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("redispresence: orphans: %w", err)
	}
	k := &s.nodeKeys
	word, reply, err := s.ask(ctx, s.scripts.orphans, []string{k.leases, k.lapsed, k.heirs, k.places},
		node, strconv.Itoa(max(limit, 1)), microsOf(refusedFor))
	if err != nil {
		return nil, err
	}
	if word == "lapsed" {
		return nil, presence.ErrLapsed
	}
	var list []presence.Orphan
	for i := 0; i+1 < len(reply); i += 2 {
		dead, err := reply[i].ToString()
		if err != nil {
			return nil, errAnswer
		}
		name, err := reply[i+1].ToString()
		if err != nil {
			return nil, errAnswer
		}
		scope, ok := scopeOf(name)
		if !ok {
			return nil, errAnswer
		}
		list = append(list, presence.Orphan{Node: dead, Scope: scope})
	}
	return list, nil
}

// Get implements [presence.Store].
func (s *Store) Get(ctx context.Context, scope presence.Scope, user string) (presence.Record, error) {
	if err := ctx.Err(); err != nil {
		return presence.Record{}, fmt.Errorf("redispresence: get: %w", err)
	}
	seen, reply, err := s.ask(ctx, s.scripts.get, s.scopeKeys(scope), user)
	if err != nil {
		return presence.Record{}, err
	}
	if len(reply) != 1 {
		return presence.Record{}, errAnswer
	}
	return recordOf(scope, user, seen, &reply[0])
}

// List implements [presence.Store].
func (s *Store) List(ctx context.Context, scope presence.Scope, after string, limit int) (records []presence.Record, more bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, fmt.Errorf("redispresence: list: %w", err)
	}
	seen, reply, err := s.ask(ctx, s.scripts.list, s.scopeKeys(scope), after, strconv.Itoa(min(max(limit, 1), math.MaxInt32)))
	if err != nil {
		return nil, false, err
	}
	if len(reply) == 0 {
		return nil, false, errAnswer
	}
	behind, err := numbers(reply, 1)
	if err != nil {
		return nil, false, err
	}
	for i := 1; i+1 < len(reply); i += 2 {
		user, err := reply[i].ToString()
		if err != nil {
			return nil, false, errAnswer
		}
		r, err := recordOf(scope, user, seen, &reply[i+1])
		if err != nil {
			return nil, false, err
		}
		records = append(records, r)
	}
	return records, behind[0] == 1, nil
}

func recordOf(scope presence.Scope, user, seen string, m *rueidis.RedisMessage) (presence.Record, error) {
	entries, err := entriesOf(user, m)
	if err != nil {
		return presence.Record{}, err
	}
	r := presence.Record{User: user, Entries: entries}
	if seen != "" && scope.Room == "" && scope.User == user {
		ms, err := strconv.ParseInt(seen, 10, 64)
		if err != nil {
			return presence.Record{}, errAnswer
		}
		r.Seen = time.UnixMilli(ms).UTC()
	}
	return r, nil
}

// numbers reads the first n values of an answer.
func numbers(reply []rueidis.RedisMessage, n int) ([]int64, error) {
	if len(reply) < n {
		return nil, errAnswer
	}
	list := make([]int64, n)
	for i := range list {
		var err error
		if list[i], err = reply[i].AsInt64(); err != nil {
			return nil, errAnswer
		}
	}
	return list, nil
}
