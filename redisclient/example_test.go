package redisclient_test

import (
	"crypto/tls"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/wardroom/wardroom/redisclient"
)

// Redis is not up yet. What needs it fails until it is, and nothing has to be
// started again.
func ExampleOpen() {
	client, err := redisclient.Open("redis://127.0.0.1:1") // from the environment, in an application
	if err != nil {
		fmt.Println(err) // the URL is no good
		return
	}
	defer client.Close()
	fmt.Println("connected:", client.Connected())
	// Output:
	// connected: false
}

// Sentinels that want a password and TLS, which no URL says.
func ExampleNew() {
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	client, err := redisclient.New(rueidis.ClientOption{
		InitAddress:  []string{"127.0.0.1:1"},
		Username:     "chat",
		Password:     "secret",
		TLSConfig:    secure,
		DisableCache: true,
		Sentinel:     rueidis.SentinelOption{MasterSet: "mymaster", Username: "chat", Password: "other", TLSConfig: secure},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	fmt.Println("connected:", client.Connected())
	// Output:
	// connected: false
}
