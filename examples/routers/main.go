// Command routers serves the same rooms on the router of your choice. The
// server is a plain http.Handler, so that it is one line on each of them:
//
//	go run . -router chi     # or net/http, gin, echo
//
// It is a module of its own: whoever imports wardroom gets none of these.
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
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/room"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	router := flag.String("router", "net/http", "net/http, chi, gin or echo")
	flag.Parse()
	if err := run(*addr, *router); err != nil {
		fmt.Fprintln(os.Stderr, "routers:", err)
		os.Exit(1)
	}
}

func run(addr, router string) error {
	rooms, err := newRooms()
	if err != nil {
		return err
	}
	mount, ok := routers()[router]
	if !ok {
		return fmt.Errorf("-router %q: use net/http, chi, gin or echo", router)
	}
	server := &http.Server{Addr: addr, Handler: mount(rooms), ReadHeaderTimeout: 5 * time.Second}
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	slog.New(slog.NewTextHandler(os.Stderr, nil)).Info("serving", "router", router, "url", "ws://"+addr+"/ws")
	select {
	case err := <-failed:
		return err
	case <-stop.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(rooms.Shutdown(ctx), server.Shutdown(ctx))
}

// newRooms is the server, the same for all routers.
func newRooms() (*room.Server, error) {
	return room.New(
		room.WithAuthenticator(everyone{}),
		room.WithOrigins("http://127.0.0.1:8080"),
		room.WithRooms("lobby", room.Settings{Permission: room.Public}),
	)
}

// everyone lets anybody be whom their token names. It keeps the example short;
// take auth/jwtauth.
type everyone struct{}

func (everyone) Authenticate(_ context.Context, c auth.Credentials) (auth.Identity, error) {
	return auth.Identity{ID: c.Token}, nil
}
