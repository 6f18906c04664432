package redisroom

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/internal/redisx"
	"github.com/wardroom/wardroom/room"
)

// What must be safe goes to Redis together with a WAIT, in one pipeline, through
// a connection that nothing else goes through meanwhile: rueidis takes one from
// its pool for every pipeline with a command that blocks. It must be the same
// for all of it, because WAIT knows only of what its own connection has
// written. A client of a cluster would follow redirections call by call and
// leave the WAIT behind, so there the servers are spoken to one by one.

// leastWait is how long replicas are waited for at least, when a call is
// repeated for them.
const leastWait = 20 * time.Millisecond

var errReplicas = fmt.Errorf("%w: redis: not enough replicas have it", room.ErrUnavailable)

// exchangeSafe is exchange for calls that are answered when enough replicas
// have what they did.
func (l *lane) exchangeSafe(ctx context.Context, batch []*call, texts bool) []answer {
	answers := make([]answer, len(batch))
	if !l.b.lines.cluster {
		l.exchangeWith(ctx, l.b.client, batch, answers, texts)
		return answers
	}
	nodes := l.b.client.Nodes()
	of := make(map[string][]int) // the calls, by server
	for i, c := range batch {
		addr := c.to
		if addr == "" {
			addr = l.b.lines.ownerOf(c.keys[0])
		}
		of[addr] = append(of[addr], i)
	}
	var wg sync.WaitGroup
	for addr, list := range of {
		wg.Go(func() {
			part, got := make([]*call, len(list)), make([]answer, len(list))
			for i, n := range list {
				part[i] = batch[n]
			}
			if node := nodes[addr]; node != nil {
				l.exchangeWith(ctx, node, part, got, texts)
			} else {
				l.lookup(ctx, part[0].keys[0])
				for i := range got {
					got[i].err = errDown
				}
			}
			for i, n := range list {
				l.follow(part[i], got[i].err)
				answers[n] = got[i]
			}
		})
	}
	wg.Wait()
	return answers
}

// exchangeWith sends calls to one server, or to the primary if there are no
// others, and fills in the answers.
func (l *lane) exchangeWith(ctx context.Context, to rueidis.Client, batch []*call, answers []answer, texts bool) {
	commands := make(rueidis.Commands, 0, len(batch)+1)
	for _, c := range batch {
		if c.asking {
			commands = append(commands, to.B().Asking().Build())
		}
		commands = append(commands, l.b.command(c, texts))
	}
	// 0 would be for ever.
	wait := 250 * time.Millisecond
	if end, ok := ctx.Deadline(); ok {
		wait = time.Until(end)
	}
	wait = max(wait-max(wait/8, 5*time.Millisecond), time.Millisecond)
	commands = append(commands, to.B().Wait().Numreplicas(int64(l.b.cfg.replicas)).Timeout(wait.Milliseconds()).Build())
	results := to.DoMulti(ctx, commands...)
	have, waited := results[len(results)-1].AsInt64()
	n := 0
	for i, c := range batch {
		if c.asking {
			n++
		}
		a := &answers[i]
		a.reply, a.err = results[n].ToArray()
		n++
		switch {
		case a.err != nil:
		case waited != nil: // such as that it is no longer the primary
			a.err = fmt.Errorf("%w: %w", errReplicas, waited)
		case have < int64(l.b.cfg.replicas):
			a.err = errReplicas
		}
	}
}

// follow notes where a call is to go when it is repeated.
func (l *lane) follow(c *call, err error) {
	own, ok := rueidis.IsRedisErr(err)
	if ok && own.IsNoScript() {
		return // it is told the script there
	}
	c.to, c.asking = "", false
	if err == nil || errors.Is(err, errReplicas) {
		return
	}
	if !ok {
		l.b.lines.refresh() // a server that is away may have been replaced
		return
	}
	if addr, ok := own.IsMoved(); ok {
		c.to = addr
		l.b.lines.refresh()
	} else if addr, ok := own.IsAsk(); ok {
		c.to, c.asking = addr, true
	}
}

// lookup has the client learn of a server that it does not know yet.
func (l *lane) lookup(ctx context.Context, key string) {
	l.b.lines.refresh()
	_ = l.b.client.Do(ctx, redisx.Read(l.b.client, "EXISTS", key)).Error()
}
