package faults

import (
	"log/slog"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/auth/redissession"
	"github.com/wardroom/wardroom/limit/redislimit"
	"github.com/wardroom/wardroom/presence/redispresence"
	"github.com/wardroom/wardroom/redisclient"
	"github.com/wardroom/wardroom/room/redisroom"
)

// callMost is the deadline of the stores: longer than the default, because a
// machine that runs this suite is busy.
const callMost = time.Second

// redisStores are those of one node. What is stored is acknowledged when so many
// replicas have it as well.
func redisStores(option rueidis.ClientOption, replicas int, log *slog.Logger) (stores, error) {
	option.DisableCache = true
	client, err := redisclient.New(option)
	if err != nil {
		return stores{}, err
	}
	broker := redisroom.NewBroker(client, redisroom.WithTimeout(callMost), redisroom.WithReplicas(replicas), redisroom.WithLogger(log))
	return stores{
		store:    redisroom.NewStore(client, redisroom.WithTimeout(callMost), redisroom.WithLogger(log)),
		broker:   broker,
		sessions: redissession.NewSessions(client, redissession.WithTimeout(callMost)),
		presence: redispresence.New(client, redispresence.WithTimeout(callMost)),
		limiter:  redislimit.Lease(redislimit.New(client, redislimit.WithTimeout(callMost))),
		counter:  redislimit.NewCounter(client, redislimit.WithTimeout(callMost)),
		close: func() {
			broker.Close()
			client.Close()
		},
	}, nil
}

func alone(addr string) rueidis.ClientOption {
	return rueidis.ClientOption{InitAddress: []string{addr}, ForceSingleClient: true}
}

// onRedis are the stores of nodes in this process, each with a client of its
// own, timed.
func onRedis(t *testing.T, w *stopwatch, replicas int, option func(i int) rueidis.ClientOption) func(i int) stores {
	return func(i int) stores {
		s, err := redisStores(option(i), replicas, logger(t))
		if err != nil {
			t.Fatal(err)
		}
		return w.timed(s)
	}
}
