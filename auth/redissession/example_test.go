package redissession_test

import (
	"log"
	"time"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/auth"
	"github.com/wardroom/wardroom/auth/redissession"
)

func Example() {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"127.0.0.1:6379"}})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	var sessions auth.SessionStore = redissession.NewSessions(client, redissession.WithSessionTTL(12*time.Hour))
	tickets, err := auth.NewTickets(redissession.NewTickets(client))
	if err != nil {
		log.Fatal(err)
	}
	_, _ = sessions, tickets
}
