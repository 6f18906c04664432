package main

import (
	"log/slog"

	"github.com/wardroom/wardroom/auth/redissession"
	"github.com/wardroom/wardroom/limit/redislimit"
	"github.com/wardroom/wardroom/presence/redispresence"
	"github.com/wardroom/wardroom/redisclient"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
)

// shared keeps everything in Redis, so that all processes with the same URL
// and secret are one chat. Redis need not be up yet: until it is, clients are
// told to come back later. close is for when the chat has shut down.
func shared(url string, logger *slog.Logger) (stores room.Option, closeAll func(), err error) {
	client, err := redisclient.Open(url)
	if err != nil {
		return nil, nil, err
	}
	broker := redisroom.NewBroker(client, redisroom.WithLogger(logger))
	stores = room.Options(
		room.WithStore(redisroom.NewStore(client, redisroom.WithLogger(logger))),
		room.WithBroker(broker),
		room.WithPresence(redispresence.New(client)),
		// In batches, so that of many messages few are counted in Redis.
		room.WithLimiter(redislimit.Lease(redislimit.New(client))),
		room.WithCounter(redislimit.NewCounter(client)),     // of connections
		room.WithSessions(redissession.NewSessions(client)), // and what is revoked
	)
	return stores, func() { broker.Close(); client.Close() }, nil
}
