// Package redisroom keeps rooms in Redis, so that any number of nodes share
// them. It takes the place of [room.NewMemoryBroker] and [room.NewMemoryStore]:
//
//	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"127.0.0.1:6379"}})
//	…
//	broker := redisroom.NewBroker(client)
//	defer broker.Close()
//	store := redisroom.NewStore(client)
//
// It needs Redis 7.0 or Valkey, alone, with Sentinel or as a Cluster. All nodes
// use the same prefix ([WithPrefix]) and nothing else does.
//
// # The broker
//
// A message costs one round trip, whoever hears it: one script looks whether it
// was published before, gives it its place, keeps it and publishes it. A node
// hears the rooms that somebody on it has subscribed to, brings what it hears in
// order and has gaps filled before it goes on.
//
// A call takes no longer than the timeout ([WithTimeout]), or its context's
// deadline when that is earlier. Within it, what got no answer is asked again,
// and is done once all the same. When Redis does not answer at all, calls fail
// at once with a [room.ErrUnavailable] until it does; [Broker.Health] says so.
// Messages that are not stored are then delivered on the node that published
// them. Publish reports success for a [room.KindMessage] that was, and an error
// for everything else: it has been delivered here, and nowhere else.
//
// Subscriptions that exist live on and catch up by themselves. When something
// cannot be had any more, because Redis has lost it or too much of what is not
// stored was said meanwhile, subscribers are told with a [room.KindLost].
//
// # The store
//
// Whatever a call does it does in one script, in one round trip; those that
// have to do with who owns a room take up to four. Rooms are spread over 256
// shards, each of which is one slot of a Cluster and has indices over its rooms
// (the keys are in docs/DESIGN.md). All that is counted is exact.
//
// Places in rooms live by the lease of the node that took them. A node beats
// once in room.Limits.PresenceBeat, which is one script however many users it
// has. When it has not for room.Limits.PresenceTimeout, one of the others gives
// its places back; when it was only away it takes them again, as far as they
// are free. Records, bans and mutes that Redis loses are lost; places are put
// back by the nodes that live.
//
// # What Redis must do
//
// What Redis loses is lost here. With "appendonly yes" and "appendfsync always"
// nothing that was acknowledged is; without them a crash, and a failover to a
// replica at any time, may lose the newest messages. The room then begins a new
// epoch, so that clients are never given two messages of one offset. Set
// maxmemory-policy to noeviction. Scripts must go to the primary; a client that
// sends reads to replicas is fine, because no script here is read-only. An ACL
// must allow INFO: without it a restart or failover is noticed only by nodes that
// have subscribers in the room.
//
// The clocks of nodes and Redis should be within a second of each other:
// the age of a message is reckoned from the publisher's time to Redis' own.
package redisroom
