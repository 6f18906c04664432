// Package redisroom keeps rooms in Redis, so that any number of nodes share
// them. It takes the place of [room.NewMemoryBroker] and [room.NewMemoryStore]:
//
//	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"127.0.0.1:6379"}})
//	…
//	broker := redisroom.NewBroker(client)
//	defer broker.Close()
//
// It needs Redis 7.0 or Valkey, alone, with Sentinel or as a Cluster.
package redisroom
