package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/wardroom/wardroom/auth/jwtauth"
	"github.com/wardroom/wardroom/auth/redissession"
	"github.com/wardroom/wardroom/limit/redislimit"
	"github.com/wardroom/wardroom/presence/redispresence"
	"github.com/wardroom/wardroom/redisclient"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/redisroom"
)

const issuer = "wardroom-cluster"

// serve is one node: what an application with this library is, on each of its
// machines. It says where it listens, and ends when its standard input does.
func serve(name, redis, prefix, secret string, logger *slog.Logger) error {
	// Redis need not be up yet: until it is, the node answers 503.
	client, err := redisclient.Open(redis)
	if err != nil {
		return err
	}
	defer client.Close()
	broker := redisroom.NewBroker(client, redisroom.WithPrefix(prefix), redisroom.WithLogger(logger))
	defer broker.Close()

	tokens, err := jwtauth.New(jwtauth.WithIssuer(jwtauth.Issuer{
		Name: issuer, Audiences: []string{issuer}, Keys: []jwtauth.Key{jwtauth.HMAC("", []byte(secret))},
	}))
	if err != nil {
		return err
	}
	defer tokens.Close()

	// A dead node is missed after 5 s, not 90, so that the story is short.
	limits := room.DefaultLimits()
	limits.PresenceBeat, limits.PresenceTimeout = time.Second, 5*time.Second

	// All that makes many nodes one server are these six options.
	server, err := room.New(
		room.WithStore(redisroom.NewStore(client, redisroom.WithPrefix(prefix), redisroom.WithLogger(logger))),
		room.WithBroker(broker),
		room.WithPresence(redispresence.New(client, redispresence.WithPrefix(prefix))),
		room.WithSessions(redissession.NewSessions(client, redissession.WithPrefix(prefix))),
		room.WithLimiter(redislimit.Lease(redislimit.New(client, redislimit.WithPrefix(prefix)))),
		room.WithCounter(redislimit.NewCounter(client, redislimit.WithPrefix(prefix))),

		room.WithNode(name),
		room.WithAuthenticator(tokens),
		room.WithLimits(limits),
		room.WithLogger(logger),
		room.WithRooms(lobby, room.Settings{Permission: room.Public, History: room.Keep(1000, time.Hour)}),
	)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	web := &http.Server{Handler: server, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	fmt.Println(listener.Addr())

	signal.Ignore(os.Interrupt) // a Ctrl-C reaches it too, and the story ends it
	parent := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); close(parent) }()
	select {
	case err := <-failed:
		return err
	case <-parent:
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(server.Shutdown(ctx), web.Shutdown(ctx))
}
