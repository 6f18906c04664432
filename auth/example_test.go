package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/wardroom/wardroom/auth"
)

// An application that signs its users in with a cookie gives its pages tickets. The page fetches one by POST and opens
// the socket with it:
//
//	const {ticket} = await (await fetch("/ticket", {method: "POST"})).json()
//	new WebSocket("/ws", ["wardroom.v1.json", "bearer." + ticket])
func ExampleTickets() {
	tickets, err := auth.NewTickets(auth.NewMemoryTickets())
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/ticket", tickets.Handler(func(r *http.Request) (auth.Identity, error) {
		cookie, err := r.Cookie("__Host-session")
		if err != nil || cookie.Value != "ada's session" { // the application's own lookup
			return auth.Identity{}, auth.ErrUnauthenticated
		}
		return auth.Identity{ID: "ada", Name: "Ada"}, nil
	}))
	// room.New(room.WithAuthenticator(tickets), …)

	r := httptest.NewRequest(http.MethodPost, "/ticket", nil)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code)

	r.AddCookie(&http.Cookie{Name: "__Host-session", Value: "ada's session"})
	w = httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Cache-Control"))
	// Output:
	// 401
	// 200 no-store
}

// Revoking everything that was issued before now signs a user out everywhere. What is issued afterwards is good.
func ExampleRevocation() {
	ctx := context.Background()
	sessions := auth.NewMemorySessions()
	issued := time.Now()
	old := auth.Identity{ID: "ada", IssuedAt: issued.Add(-time.Hour), ExpiresAt: issued.Add(time.Hour)}
	session, err := sessions.Create(ctx, auth.Session{Identity: old})
	if err != nil {
		fmt.Println(err)
		return
	}

	err = sessions.Revoke(ctx, auth.Revocation{User: "ada", IssuedBefore: issued, Until: issued.Add(24 * time.Hour)})
	fmt.Println(err)
	_, err = sessions.Get(ctx, session.ID)
	fmt.Println(errors.Is(err, auth.ErrRevoked))
	_, err = sessions.Create(ctx, auth.Session{Identity: old})
	fmt.Println(errors.Is(err, auth.ErrRevoked))
	_, err = sessions.Create(ctx, auth.Session{Identity: auth.Identity{ID: "ada", IssuedAt: issued}})
	fmt.Println(err)
	// Output:
	// <nil>
	// true
	// true
	// <nil>
}

// A capability narrows what a user may do to some rooms and verbs.
func ExampleIdentity_Can() {
	guest := auth.Identity{ID: "guest", Capabilities: []auth.Capability{
		{Rooms: "lobby", Verbs: auth.Join | auth.History},
		{Rooms: "team:*", Verbs: auth.Join},
	}}
	fmt.Println(guest.Can("lobby", auth.History), guest.Can("lobby", auth.Publish))
	fmt.Println(guest.Can("team:7", auth.Join), guest.Can("team:7:notes", auth.Join))
	// Output:
	// true false
	// true false
}
