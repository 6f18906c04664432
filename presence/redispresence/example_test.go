package redispresence_test

import (
	"log"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/presence"
	"github.com/wardroom/wardroom/presence/redispresence"
)

func Example() {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"127.0.0.1:6379"}})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	var store presence.Store = redispresence.New(client)
	_ = store // for room.WithPresence, or a presence.Tracker of your own
}
