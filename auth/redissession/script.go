package redissession

import (
	"context"
	"crypto/sha1" //nolint:gosec // Redis names scripts by it
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/internal/redisx"
)

var (
	//go:embed lua/user.lua
	userText string
	//go:embed lua/create.lua
	createText string
	//go:embed lua/get.lua
	getText string
	//go:embed lua/list.lua
	listText string
	//go:embed lua/touch.lua
	touchText string
	//go:embed lua/renew.lua
	renewText string
	//go:embed lua/release.lua
	releaseText string
	//go:embed lua/delete.lua
	deleteText string
	//go:embed lua/revokesession.lua
	revokeSessionText string
	//go:embed lua/revoke.lua
	revokeText string
	//go:embed lua/revoked.lua
	revokedText string
	//go:embed lua/ticketput.lua
	ticketPutText string
	//go:embed lua/ticketnote.lua
	ticketNoteText string
	//go:embed lua/ticketdrop.lua
	ticketDropText string
)

// userScript returns a script on the keys of one user. None is read-only: such a one might be run by a replica, which
// hears of a revocation late.
func userScript(text string) redisx.Script {
	return redisx.NewScript(userText+text, false)
}

// pipelined is a script of which many calls go out together.
type pipelined struct{ text, sha string }

func newPipelined(text string) pipelined {
	sum := sha1.Sum([]byte(text)) //nolint:gosec // as above
	return pipelined{text, hex.EncodeToString(sum[:])}
}

// A step is one call in a pipeline.
type step struct {
	script pipelined
	keys   []string
	args   []string
}

// pipeline makes calls in one round trip, or in two where Redis does not know the scripts. In a Cluster it is as many for
// each node, at the same time, and Redis is there when one of them answers.
func pipeline(ctx context.Context, c rueidis.Client, cfg *config, steps []step) []rueidis.RedisResult {
	var results []rueidis.RedisResult
	err := cfg.circuit.Do(ctx, cfg.timeout, func(ctx context.Context) (err error) {
		results = exchange(ctx, c, steps)
		for _, r := range results {
			err = r.Error()
			if _, own := rueidis.IsRedisErr(err); err == nil || own {
				return nil
			}
		}
		return err
	})
	if results == nil {
		results = make([]rueidis.RedisResult, len(steps))
		for i := range results {
			results[i] = rueidis.NewErrorResult(err)
		}
	}
	return results
}

func exchange(ctx context.Context, c rueidis.Client, steps []step) []rueidis.RedisResult {
	commands := make(rueidis.Commands, len(steps))
	for i, s := range steps {
		commands[i] = c.B().Evalsha().Sha1(s.script.sha).Numkeys(int64(len(s.keys))).Key(s.keys...).Arg(s.args...).Build()
	}
	results := redisx.DoMulti(ctx, c, commands...)
	var again []int
	for i, r := range results {
		if err, ok := rueidis.IsRedisErr(r.Error()); ok && err.IsNoScript() {
			again = append(again, i)
		}
	}
	if len(again) == 0 {
		return results
	}
	texts := make(rueidis.Commands, 0, len(again))
	for _, i := range again {
		s := steps[i]
		texts = append(texts, c.B().Eval().Script(s.script.text).Numkeys(int64(len(s.keys))).Key(s.keys...).Arg(s.args...).Build())
	}
	for i, r := range redisx.DoMulti(ctx, c, texts...) {
		results[again[i]] = r
	}
	return results
}

// unavailable says that the store could not do what it was asked, whatever Redis calls the reason.
func unavailable(err error) error {
	if err == nil || errors.Is(err, auth.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: redis: %w", auth.ErrUnavailable, err)
}

// errAnswer: a script answered in a way that is not its own.
var errAnswer = fmt.Errorf("%w: redis: unexpected answer", auth.ErrUnavailable)
