// Package redisclient makes clients of a Redis that need not be up yet.
//
// rueidis.NewClient fails when Redis does not answer, and a process that ends
// because of it is restarted until Redis is up, or not at all. A client of
// [Open] or [New] answers with an error for as long as there is no Redis, which
// the stores of wardroom call unavailable: the server starts, refuses clients
// with 503, and serves them once Redis is there.
//
//	client, err := redisclient.Open("redis://127.0.0.1:6379")
//	…
//	defer client.Close()
//	broker := redisroom.NewBroker(client)
//
// Once connected it is the client of rueidis, which gets over later failures by
// itself. Where Redis is known to be up when a process starts there is no need
// for this package: the stores take any rueidis.Client.
package redisclient
