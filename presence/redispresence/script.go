package redispresence

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redisx"
	"github.com/wardroom/wardroom/presence"
)

var (
	//go:embed lua/beat.lua
	beatText string
	//go:embed lua/orphans.lua
	orphansText string
	//go:embed lua/claim.lua
	claimText string
	//go:embed lua/release.lua
	releaseText string
	//go:embed lua/scope.lua
	scopeText string
	//go:embed lua/update.lua
	updateText string
	//go:embed lua/get.lua
	getText string
	//go:embed lua/list.lua
	listText string
)

// scripts are those of all methods. None is read-only: such a one might be run
// by a replica, which does not know yet what its caller has just written.
type scripts struct {
	beat, orphans, claim, release, update, get, list redisx.Script
}

func newScripts() scripts {
	return scripts{
		beat: redisx.NewScript(beatText, false), orphans: redisx.NewScript(orphansText, false),
		claim: redisx.NewScript(claimText, false), release: redisx.NewScript(releaseText, false),
		update: redisx.NewScript(scopeText+updateText, false),
		get:    redisx.NewScript(scopeText+getText, false), list: redisx.NewScript(scopeText+listText, false),
	}
}

// errAnswer: a script answered in a way that is not its own.
var errAnswer = fmt.Errorf("%w: unexpected answer", ErrUnavailable)

// unavailable says that Redis could not do what it was asked, whatever it calls
// the reason.
func unavailable(err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// run calls a script.
func (s *Store) run(ctx context.Context, script redisx.Script, keys []string, args ...string) (reply []rueidis.RedisMessage, err error) {
	err = s.circuit.Do(ctx, s.timeout, func(ctx context.Context) error {
		reply, err = script.Run(ctx, s.client, 0, ErrUnavailable, keys, args)
		return err
	})
	return reply, unavailable(err)
}

// ask calls a script whose answer begins with a word, and returns that and
// what follows it.
func (s *Store) ask(ctx context.Context, script redisx.Script, keys []string, args ...string) (string, []rueidis.RedisMessage, error) {
	reply, err := s.run(ctx, script, keys, args...)
	if err != nil {
		return "", nil, err
	}
	if len(reply) == 0 {
		return "", nil, errAnswer
	}
	word, err := reply[0].ToString()
	if err != nil {
		return "", nil, errAnswer
	}
	return word, reply[1:], nil
}

// nodeKeys are the keys of what is known of nodes.
type nodeKeys struct{ leases, lapsed, heirs, places, tokens string }

func newNodeKeys(k redisx.Keys) nodeKeys {
	key := func(name string) string { return k.Key("n", "", name) }
	return nodeKeys{key("leases"), key("lapsed"), key("heirs"), key("places"), key("tokens")}
}

// scopeKeys returns the keys of a scope in the order in which scripts know
// them.
func (s *Store) scopeKeys(scope presence.Scope) []string {
	kind, tag := "pr", scope.Room
	if scope.Room == "" {
		kind, tag = "pu", scope.User
	}
	keys := make([]string, 0, 5)
	for _, name := range [...]string{"entries", "order", "batches", "due", "seen"} {
		keys = append(keys, s.keys.Key(kind, tag, name))
	}
	return keys
}

// place is what says in Redis that a node may have entries in a scope.
func place(node string, scope presence.Scope) string {
	return strconv.Itoa(len(node)) + ":" + node + scopeName(scope)
}

func scopeName(scope presence.Scope) string {
	if scope.Room == "" {
		return "u" + scope.User
	}
	return "r" + scope.Room
}

func scopeOf(name string) (presence.Scope, bool) {
	switch {
	case name != "" && name[0] == 'u':
		return presence.Scope{User: name[1:]}, true
	case len(name) > 1 && name[0] == 'r':
		return presence.Scope{Room: name[1:]}, true
	}
	return presence.Scope{}, false
}

func microsOf(d time.Duration) string {
	if whole := d.Truncate(time.Microsecond); whole < d {
		d += time.Microsecond // a lease is no shorter than was asked for
	}
	return strconv.FormatInt(d.Microseconds(), 10)
}
