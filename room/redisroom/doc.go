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
// use the same prefix ([WithPrefix]) and nothing else does, in no other database
// of the same Redis either: databases share their channels.
//
// # The broker
//
// A message costs one round trip, whoever hears it: one script looks whether it
// was published before, gives it its place, keeps it and publishes it; for
// several messages in one room it is one script too ([Broker.PublishAll]). A node
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
// Its keys, all of a room in one slot, {r:ROOM}: and then meta, log, tail, ids,
// ids2, ops, ops2 and edits; {r:ROOM} is the channel.
//
// # The store
//
// Whatever a call does it does in one script, in one round trip; those that
// have to do with who owns a room take up to four. Rooms are spread over 256
// shards, each of which is one slot of a Cluster and has indices over its rooms.
// All that is counted is exact. The keys, behind the prefix:
//
//	{rs:SHARD}:record:ROOM     the record and its version
//	{rs:SHARD}:members:ROOM    users, users:ROOM and seats:ROOM their connections
//	{rs:SHARD}:sanctions:ROOM  bans, mutes, who is to leave
//	{rs:SHARD}:empty           rooms that nobody is in
//	{rs:SHARD}:held:LEASE      the places of a node; dead: nodes that get none
//	{rn:}:leases               nodes; heirs and lapsed: who reaps whom
//	{ro:USER}                  the rooms that a user owns
//
// What each holds, and why, is in [docs/DESIGN.md].
//
// Places in rooms live by the lease of the node that took them. A node beats
// once in room.Limits.PresenceBeat, which is one script however many users it
// has. When it has not for room.Limits.PresenceTimeout, one of the others gives
// its places back; when it was only away it takes them again, as far as they
// are free. Records, bans and mutes that Redis loses are lost; places are put
// back by the nodes that live, and those that a failover has given back to who
// had left are taken from them again.
//
// # What Redis must do
//
// What Redis loses is lost here. With "appendonly yes" and "appendfsync always"
// nothing that was acknowledged is; without them a crash may lose the newest
// messages, and so may a failover to a replica, which is behind its primary.
// [WithReplicas] has the broker wait until replicas have what it acknowledges:
//
//   - With n the number of all replicas that may be promoted, no failover loses
//     what was acknowledged, and a replica that is away stops all of it.
//   - With fewer nothing is lost when one of the n that have it is promoted.
//     Sentinels (of those with the lowest replica-priority: let it be the same)
//     and a Cluster prefer the replica furthest ahead that they reach. That is
//     one of the n when the primary alone fails, and need not be when more does.
//   - A primary that comes back empty before another was promoted empties its
//     replicas. It needs persistence, or must not restart by itself.
//   - What was not acknowledged may be there, and may be gone.
//   - The min-replicas-to-write of Redis complements it: what could not be
//     acknowledged is then mostly refused before anyone hears it.
//
// Whenever something may be lost, the room begins a new epoch, so that clients
// are never given two messages of one offset. It goes on with what is left, and
// knows how far that was what the epochs before it had, the latest 16 of them:
// who comes back from one has missed only what came after, unless they have seen
// something that is lost.
//
// Set maxmemory-policy to noeviction. Everything must go to the primary; a client
// that sends to replicas what rueidis marks as read-only is fine, because nothing
// here is. An ACL
// must allow INFO: without it a restart or failover is noticed only by nodes that
// have subscribers in the room, and places that it has lost or given back only by
// the next patrol of their node.
//
// The clocks of nodes and Redis should be within a second of each other:
// the age of a message is reckoned from the publisher's time to Redis' own.
//
// [docs/DESIGN.md]: https://github.com/wardroom/wardroom/blob/main/docs/DESIGN.md#redis-70-valkey-cluster-sentinel
package redisroom
