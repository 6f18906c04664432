package presence_test

import (
	"context"
	"fmt"

	"github.com/wardroom/wardroom/presence"
)

func Example() {
	ctx := context.Background()
	tracker, err := presence.NewTracker(presence.NewMemory(), presence.Options{
		Notify: func(_ context.Context, events []presence.Event) (int, error) {
			for _, e := range events {
				fmt.Println(e.Room, e.User, e.Kind, e.Status)
			}
			return len(events), nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tracker.Close(ctx)

	phone, _ := tracker.Connect(presence.Peer{User: "ada", Name: "Ada", Connection: "c1"})
	laptop, _ := tracker.Connect(presence.Peer{User: "ada", Name: "Ada", Connection: "c2"})
	phone.Join(ctx, "lobby")
	laptop.Join(ctx, "lobby") // a second connection is no news
	phone.Set(ctx, presence.Away, nil)
	laptop.Set(ctx, presence.Away, []byte(`{"text":"lunch"}`))

	page, _ := tracker.List(ctx, "lobby", presence.Query{})
	for _, m := range page.Members {
		fmt.Println(m.Name, m.Status, string(m.Meta), m.Connections)
	}

	phone.Close(ctx, presence.ReasonLeft)
	laptop.Close(ctx, presence.ReasonDisconnected) // it may be back in a moment
	tracker.Remove(ctx, "lobby", "ada", presence.ReasonKicked)

	// Output:
	// lobby ada user_joined online
	// lobby ada presence_update away
	// Ada away {"text":"lunch"} 2
	// lobby ada user_left offline
}
