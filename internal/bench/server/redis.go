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

// throughRedis is everything that nodes share, in one Redis.
func throughRedis(addr string, logger *slog.Logger) (shared room.Option, stop func(), err error) {
	client, err := redisclient.Open("redis://" + addr)
	if err != nil {
		return nil, nil, err
	}
	broker := redisroom.NewBroker(client, redisroom.WithLogger(logger))
	return room.Options(
			room.WithBroker(broker),
			room.WithStore(redisroom.NewStore(client, redisroom.WithLogger(logger))),
			room.WithPresence(redispresence.New(client)),
			room.WithSessions(redissession.NewSessions(client)),
			room.WithLimiter(redislimit.Lease(redislimit.New(client))),
		), func() {
			broker.Close()
			client.Close()
		}, nil
}
