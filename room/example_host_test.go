package room_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/wardroom/wardroom/room"
	"github.com/wardroom/wardroom/room/roomtest"
)

// A room that the host makes, for an owner and those it invites, with somebody
// who keeps order.
func ExampleRoom_Create() {
	t := beginTest()
	defer t.end()

	srv := roomtest.NewServer(t, room.WithRooms("team:*", room.Settings{Permission: room.Private}))
	team := srv.Room("team:7")
	if _, err := team.Publish(t.Context(), "notice", "too early"); errors.Is(err, room.ErrNoRoom) {
		fmt.Println("not there yet")
	}
	_, err := team.Create(t.Context(), room.Record{Owner: "olga", Invited: []string{"mia", "tom"}, Moderators: []string{"mia"}})
	if err != nil {
		fmt.Println(err)
	}

	mia, tom := srv.Connect(t, "mia"), srv.Connect(t, "tom")
	mia.Join("team:7")
	tom.Join("team:7")
	mia.Request("kick", roomtest.Fields{"room": "team:7", "user": "tom", "reason": "Calm down."}).ExpectOK()
	fmt.Println(tom.ExpectRemoved("team:7", "kicked").Reason)
	tom.Request("kick", roomtest.Fields{"room": "team:7", "user": "mia"}).ExpectError(room.CodeForbidden)
	// Output:
	// not there yet
	// Calm down.
}

// The host says something, from an HTTP handler or from anywhere else.
func ExampleRoom_Publish() {
	t := beginTest()
	defer t.end()

	srv := roomtest.NewServer(t, room.WithRooms("orders", room.Settings{Permission: room.Public, History: room.Keep(1000, 24*time.Hour)}))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders/{id}/paid", func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		// Whoever calls this twice, because the first answer got lost, says it once.
		receipt, err := srv.Room("orders").Publish(r.Context(), "paid", map[string]string{"order": id},
			room.From("shop"), room.MessageID("paid-"+id))
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, receipt.Offset, receipt.Duplicate)
	})

	ada := srv.Connect(t, "ada")
	ada.Join("orders")
	for range 2 {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/orders/17/paid", nil))
		fmt.Println(w.Code, w.Body)
	}
	fmt.Println(ada.ExpectEvent("orders", "paid", map[string]string{"order": "17"}).From)
	ada.RefuteEvent("orders", "paid", 10*time.Millisecond)
	// Output:
	// 200 1 false
	// 200 1 true
	// shop
}

// History in pages, from the newest backwards.
func ExampleRoom_History() {
	t := beginTest()
	defer t.end()

	srv := roomtest.NewServer(t, room.WithRooms("lobby", room.Settings{Permission: room.Public, History: room.Keep(1000, 24*time.Hour)}))
	lobby := srv.Room("lobby")
	for n := range 5 {
		if _, err := lobby.Publish(t.Context(), "count", n); err != nil {
			fmt.Println(err)
		}
	}

	ask := room.Range{Limit: 2, Newest: true}
	for more := true; more; {
		page, err := lobby.History(t.Context(), ask)
		if err != nil {
			fmt.Println(err)
			break
		}
		for _, m := range page.Messages {
			fmt.Printf("%d: %s\n", m.Offset, m.Data)
		}
		fmt.Println("--")
		if more = page.More; more {
			ask.Before = page.Messages[0].Offset
		}
	}
	// Output:
	// 4: 3
	// 5: 4
	// --
	// 2: 1
	// 3: 2
	// --
	// 1: 0
	// --
}

// An endpoint for the load balancer, or for whoever is on call.
func ExampleServer_Health() {
	t := beginTest()
	defer t.end()

	srv := roomtest.NewServer(t, room.WithRooms("lobby", room.Settings{Permission: room.Public}))
	healthz := func(w http.ResponseWriter, _ *http.Request) {
		health := srv.Health()
		if !health.OK() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		for _, c := range health.Components {
			if !c.OK {
				fmt.Fprintln(w, c.Name, "fails since", c.Since.Format(time.TimeOnly)) // c.Err is for the log
			}
		}
		fmt.Fprintf(w, "%+v", srv.Stats())
	}
	srv.Connect(t, "ada").Join("lobby")

	w := httptest.NewRecorder()
	healthz(w, nil)
	fmt.Println(w.Code, w.Body)
	// Output:
	// 200 {Connections:1 Users:1 Rooms:1}
}

// First the rooms, so that clients are told to come back, then the rest:
// http.Server.Shutdown knows nothing of connections that are WebSockets.
func ExampleServer_Shutdown() {
	t := beginTest()
	defer t.end()

	srv := roomtest.NewServer(t, room.WithRooms("lobby", room.Settings{Permission: room.Public}))
	web := &http.Server{Handler: srv, ReadHeaderTimeout: 5 * time.Second}
	ada := srv.Connect(t, "ada")

	// On SIGTERM, after which the process is given 30 seconds, say.
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	fmt.Println(errors.Join(srv.Shutdown(ctx), web.Shutdown(ctx)))

	ada.Expect("goaway", "")
	fmt.Println(ada.ExpectClose(4200).Reason)
	// Output:
	// <nil>
	// draining
}
