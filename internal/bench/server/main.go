// Command server is wardroom as the benchmarks measure it: everything on, with
// limits raised just far enough that the load is not refused. With -redis it is
// a node among others, with everything that nodes share in Redis.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/auth/jwtauth"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/room"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

func run() error {
	addr := flag.String("addr", "127.0.0.1:0", "address to listen on")
	kind := flag.String("auth", "hs256", "tokens: hs256, es256, or none, where the token is the user's ID and nothing is checked")
	key := flag.String("key", "", "key of the tokens: the secret of hs256, the public key of es256 as PEM")
	profile := flag.String("pprof", "", "address to serve profiles on")
	redis := flag.String("redis", "", "address of the Redis that nodes share; empty for memory")
	mute := flag.Bool("mute", false, "let every connection say one message an hour, and not close those that try more")
	flag.Parse()

	authenticator, err := authenticator(*kind, *key)
	if err != nil {
		return err
	}
	limits := room.DefaultLimits()
	limits.ConnectsPerIP = limit.PerSecond(1_000_000)
	limits.ConnectionsPerIP = 1_000_000
	limits.ConnectionsPerUser = 1_000_000
	limits.ConnectionsPerNode = 1_000_000
	fast := limit.PerSecond(10_000_000)
	limits.Messages = room.Rates{Connection: fast, User: fast, Room: fast}
	limits.Requests, limits.Joins, limits.RoomsPerConnection = fast, fast, 100_000
	limits.Bytes = limit.PerSecond(1 << 30)
	if *mute {
		limits.Messages.Connection = limit.Rate{Events: 1, Per: time.Hour, Burst: 1}
		limits.Abuse = limit.Rate{}
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	options := []room.Option{
		room.WithAuthenticator(authenticator),
		room.WithLimits(limits),
		room.WithRooms("*", room.Settings{Permission: room.Public, MaxMembers: 100_000, Standing: true}),
		room.WithLogger(logger),
	}
	if *redis != "" {
		shared, stop, err := throughRedis(*redis, logger)
		if err != nil {
			return err
		}
		defer stop()
		options = append(options, shared)
	}
	srv, err := room.New(options...)
	if err != nil {
		return err
	}
	if *profile != "" {
		profiles := &http.Server{Addr: *profile, Handler: http.DefaultServeMux, ReadHeaderTimeout: 10 * time.Second}
		go func() { _ = profiles.ListenAndServe() }()
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /ws", srv)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	go func() { _ = server.Serve(listener) }()
	fmt.Println(listener.Addr())
	<-ctx.Done()
	ctx, cancel = context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = srv.Shutdown(ctx)
	return server.Close()
}

// trusting takes the token for the user's ID.
type trusting struct{}

func (trusting) Authenticate(_ context.Context, c auth.Credentials) (auth.Identity, error) {
	return auth.Identity{ID: c.Token}, nil
}

func authenticator(kind, key string) (auth.Authenticator, error) {
	var k jwtauth.Key
	switch kind {
	case "none":
		return trusting{}, nil
	case "hs256":
		k = jwtauth.HMAC("", []byte(key))
	case "es256":
		var err error
		if k, err = jwtauth.PEM("", []byte(key)); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("no such kind of token: %s", kind)
	}
	return jwtauth.New(jwtauth.WithIssuer(jwtauth.Issuer{Name: "bench", Audiences: []string{"bench"}, Keys: []jwtauth.Key{k}}))
}
