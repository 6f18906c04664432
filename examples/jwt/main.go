// Command jwt is for applications whose users sign in elsewhere: at Keycloak,
// Auth0, Entra ID, or any other issuer of JSON Web Tokens with a key set.
//
//	go run ./examples/jwt -issuer https://id.example.com/ \
//		-jwks https://id.example.com/.well-known/jwks.json -audience chat
//
// Clients bring the issuer's access token in Authorization, or, as browsers
// cannot set that for a WebSocket, as a subprotocol entry "bearer.TOKEN".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/wardroom/wardroom/auth/jwtauth"
	"github.com/wardroom/wardroom/room"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "jwt:", err)
		os.Exit(1)
	}
}

func run() error {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	origin := flag.String("origin", "http://127.0.0.1:8080", "origin of the page that may connect")
	var iss jwtauth.Issuer
	flag.StringVar(&iss.Name, "issuer", "", "what the tokens have in iss")
	flag.StringVar(&iss.JWKS, "jwks", "", "https URL of the issuer's key set")
	audience := flag.String("audience", "", "what the tokens have in aud for this application")
	flag.StringVar(&iss.Claims.Roles, "roles", "", "claim with the roles (default: roles)")
	flag.Parse()
	iss.Audiences = []string{*audience}

	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	// Keys are fetched in the background, and again when the issuer rotates
	// them. Until there are any, handshakes are answered 503, not 401.
	tokens, err := jwtauth.New(jwtauth.WithIssuer(iss), jwtauth.WithLogger(logger))
	if err != nil {
		return err
	}
	defer tokens.Close()
	rooms, err := newRooms(tokens, *origin, logger)
	if err != nil {
		return err
	}

	mux := http.NewServeMux()
	mux.Handle("GET /ws", rooms)
	server := &http.Server{Addr: *addr, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-stop.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(rooms.Shutdown(ctx), server.Shutdown(ctx))
}

// newRooms is what the tokens open.
func newRooms(tokens *jwtauth.Authenticator, origin string, logger *slog.Logger) (*room.Server, error) {
	return room.New(
		room.WithAuthenticator(tokens),
		room.WithOrigins(origin),
		room.WithLogger(logger),
		// Everyone with a token.
		room.WithRooms("lobby", room.Settings{Permission: room.Public, History: room.Keep(1000, 24*time.Hour)}),
		// Those to whom the issuer gave the role. Who has "moderator" as well
		// may kick, ban and mute here.
		room.WithRooms("staff", room.Settings{Permission: room.Restricted, Roles: []string{"staff"}, Moderators: []string{"moderator"}}),
	)
}
