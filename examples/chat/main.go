// Command chat is wardroom's example: a chat with every kind of room, in one
// process with nothing installed.
//
//	go run ./examples/chat
//
// With Redis any number of processes are one chat:
//
//	go run ./examples/chat -redis redis://127.0.0.1:6379 -secret "$SECRET" -addr 127.0.0.1:8080
//	go run ./examples/chat -redis redis://127.0.0.1:6379 -secret "$SECRET" -addr 127.0.0.1:8081
//
// It uses only what any application can import. What it does that an
// application must not is in login.go: anyone may be anyone.
package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/lmittmann/tint"

	"github.com/wardroom/wardroom/auth/jwtauth"
	"github.com/wardroom/wardroom/limit"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/js"
)

// The page. It talks to the server with room/js, like any browser application.
//
//go:embed web
var web embed.FS

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "chat:", err)
		os.Exit(1)
	}
}

func run() error {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	origins := flag.String("origins", "", "comma-separated origins whose pages may connect (default: the address itself)")
	secret := flag.String("secret", "", "HS256 key of at least 32 bytes (default: a new one, so that nobody stays signed in over a restart)")
	redis := flag.String("redis", "", "URL of a Redis to keep everything in, such as redis://127.0.0.1:6379, of a Cluster (redis://c1:6379?addr=c2:6379&addr=c3:6379) or of Sentinels (redis://s1:26379?addr=s2:26379&master_set=mymaster); processes with the same one and the same -secret are one chat (default: in memory)")
	format := flag.String("log", "text", "log format: text or json")
	level := flag.String("level", "info", "log level: debug, info, warn or error")
	flag.Parse()

	logger, err := newLogger(*format, *level)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	login, err := newLogin([]byte(*secret))
	if err != nil {
		return err
	}

	// Who gets in: the tokens that our own login handler signs. An application
	// with an identity provider would set Issuer.JWKS in place of Keys.
	authenticator, err := jwtauth.New(jwtauth.WithIssuer(jwtauth.Issuer{
		Name:      issuer,
		Audiences: []string{audience},
		Keys:      []jwtauth.Key{jwtauth.HMAC("", login.key)},
	}))
	if err != nil {
		return err
	}
	defer authenticator.Close()

	stores := room.Options() // none: in memory
	if *redis != "" {
		var closeAll func()
		if stores, closeAll, err = shared(*redis, logger); err != nil {
			return fmt.Errorf("-redis: %w", err)
		}
		defer closeAll()
		if *secret == "" {
			logger.Warn("without -secret no other process takes the tokens of this one")
		}
	}

	chat, err := room.New(
		room.WithAuthenticator(authenticator),
		room.WithOrigins(allowed(*origins, *addr, listener.Addr())...),
		room.WithLogger(logger),
		stores,
		rooms(),
	)
	if err != nil {
		return err
	}

	page, err := fs.Sub(web, "web")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /ws", chat)
	mux.Handle("POST /login", login)
	mux.Handle("GET /js/", js.Handler())
	mux.Handle("GET /", secured(http.FileServerFS(page)))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })

	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn)}
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	logger.Warn("demo login: whoever asks is given a token for any name")
	fmt.Printf("chat is at http://%s\n", listener.Addr())

	select {
	case err := <-failed:
		return err
	case <-stop.Done():
	}
	// First the rooms, so that clients are told to come back, then the rest.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(chat.Shutdown(ctx), server.Shutdown(ctx)); err != nil {
		// As when Redis is away: other processes find out by themselves.
		logger.Warn("not everything could be put away", "error", err)
	}
	return nil
}

// rooms are one of each kind.
func rooms() room.Option {
	kept := room.Keep(1000, 24*time.Hour)
	fast, much := limit.PerSecond(100_000), limit.PerSecond(1<<30)
	return room.Options(
		// Everyone, with history.
		room.WithRooms("lobby", room.Settings{Permission: room.Public, History: kept}),
		// Only those whose token has the role.
		room.WithRooms("staff", room.Settings{Permission: room.Restricted, Roles: []string{"staff"}, History: kept}),
		// Made by users, for those they invite unless they say otherwise.
		room.WithRooms("team:*", room.Settings{Permission: room.Private, AllowCreate: true, History: kept}),
		// Made by users, each for themselves on all their devices, and never for others.
		room.WithRooms("office:*", room.Settings{Permission: room.OwnerOnly, Permissions: []room.Permission{}, AllowCreate: true}),
		// Two people at most.
		room.WithRooms("tiny", room.Settings{Permission: room.Public, MaxMembers: 2}),
		// Nothing is kept and a lot may be said.
		room.WithRooms("fast", room.Settings{Permission: room.Public, MaxMembers: 10_000, Rates: &room.Rates{Connection: fast, User: fast, Room: fast, ConnectionBytes: much}}),
	)
}

// allowed are the origins in the flag, or else the address itself, as it is
// listened on and as it was given. A page from anywhere else may not connect.
func allowed(flag, given string, addr net.Addr) []string {
	if flag != "" {
		return strings.Split(flag, ",")
	}
	origins := []string{"http://" + addr.String()}
	host, _, err := net.SplitHostPort(given)
	_, port, _ := net.SplitHostPort(addr.String())
	switch ip := net.ParseIP(host); {
	case err != nil:
	case host == "" || ip.IsUnspecified(): // every address, so this machine's name for itself, too
		origins = append(origins, "http://localhost:"+port)
	case ip == nil:
		origins = append(origins, "http://"+net.JoinHostPort(host, port))
	}
	return origins
}

// secured lets the page load nothing from anywhere else.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

func newLogger(format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, err
	}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: l})), nil
	case "text":
		return slog.New(tint.NewTextHandler(os.Stderr, &tint.Options{Level: l, NoColor: !terminal(os.Stderr)})), nil
	}
	return nil, fmt.Errorf("-log %q: use text or json", format)
}

func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}
