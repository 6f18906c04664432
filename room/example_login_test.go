package room_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/roomtest"
)

// An application whose users have signed in already, with a cookie of its own,
// and that runs behind a proxy.
func Example() {
	t := beginTest()
	defer t.end()

	type login struct {
		user, name string
		at         time.Time
	}
	logins := map[string]login{"3b1f": {"ada", "Ada Lovelace", time.Now()}} // the application's table

	srv, err := room.New(
		room.WithCookie("session"),
		room.WithAuthenticator(auth.AuthenticatorFunc(func(_ context.Context, c auth.Credentials) (auth.Identity, error) {
			l, ok := logins[c.Token]
			if !ok {
				return auth.Identity{}, auth.ErrUnauthenticated // a database that is away: auth.ErrUnavailable
			}
			return auth.Identity{ID: l.user, Name: l.name, IssuedAt: l.at}, nil
		})),
		room.WithOrigins("https://app.example"),
		room.WithTrustedProxies("10.0.0.0/8"),
		room.WithRooms("lobby", room.Settings{Permission: room.Public, History: room.Keep(1000, 24*time.Hour)}),
		room.WithLogger(slog.New(slog.DiscardHandler)),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Shutdown(context.Background())
	mux := http.NewServeMux()
	mux.Handle("GET /ws", srv)

	// What the browser does, as a test of the application can do it, too.
	ada, refused := roomtest.Dial(t, mux, roomtest.WithTarget("/ws"),
		roomtest.WithHeader("Cookie", "session=3b1f"), roomtest.WithHeader("Origin", "https://app.example"))
	if refused != nil {
		fmt.Println(refused)
		return
	}
	ada.Join("lobby")
	fmt.Println(ada.Welcome().Name, "says something, which is number", ada.Send("lobby", "Hello!").Offset)
	// Output:
	// Ada Lovelace says something, which is number 1
}

// A middleware that the application has looks into the cookie, and puts what it
// finds into the request's context.
func ExampleWithCookie() {
	t := beginTest()
	defer t.end()

	type login struct { // what the application puts there, under its own key
		user string
		at   time.Time
	}
	type key struct{}
	requireLogin := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// Here it would look up r.Cookie("session"), and refuse.
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, login{"ada", time.Now()})))
		})
	}
	srv, err := room.New(
		room.WithCookie("session"),
		room.WithAuthenticator(auth.AuthenticatorFunc(func(_ context.Context, c auth.Credentials) (auth.Identity, error) {
			if c.Request == nil { // a renewal, for which there is nothing to look at
				return auth.Identity{}, auth.ErrUnauthenticated
			}
			l, ok := c.Request.Context().Value(key{}).(login)
			if !ok {
				return auth.Identity{}, auth.ErrUnauthenticated
			}
			return auth.Identity{ID: l.user, IssuedAt: l.at}, nil
		})),
		room.WithOrigins("https://app.example"),
		room.WithRooms("lobby", room.Settings{Permission: room.Public}),
		room.WithLogger(slog.New(slog.DiscardHandler)),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Shutdown(context.Background())

	ada, refused := roomtest.Dial(t, requireLogin(srv),
		roomtest.WithHeader("Cookie", "session=3b1f"), roomtest.WithHeader("Origin", "https://app.example"))
	if refused != nil {
		fmt.Println(refused)
		return
	}
	fmt.Println("welcome,", ada.Welcome().User)
	// Output:
	// welcome, ada
}

// Signing out on every device: what was signed in before is closed and
// stays out. That needs identities that say when they were issued, as those of
// a JWT do.
func ExampleUser_Revoke() {
	t := beginTest()
	defer t.end()

	srv := roomtest.NewServer(t, room.WithRooms("lobby", room.Settings{Permission: room.Public}))
	signedIn := roomtest.WithIdentity(auth.Identity{IssuedAt: time.Now()})
	phone, laptop := srv.Connect(t, "ada", signedIn), srv.Connect(t, "ada", signedIn)

	if err := srv.User("ada").Revoke(t.Context()); err != nil { // in the handler of POST /logout
		fmt.Println(err)
	}
	fmt.Println(phone.ExpectClose(4004).Reason, "and", laptop.ExpectClose(4004).Reason)
	srv.ExpectRefusal(t, "ada", room.CodeUnauthenticated, signedIn)

	srv.Connect(t, "ada", roomtest.WithIdentity(auth.Identity{IssuedAt: time.Now()})).Join("lobby")
	fmt.Println("signed in again")
	// Output:
	// session revoked and session revoked
	// signed in again
}
