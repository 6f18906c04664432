// Package redispresence keeps in Redis who is where, so that all nodes share
// it. It takes the place of [presence.NewMemory]:
//
//	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"127.0.0.1:6379"}})
//	…
//	store := redispresence.New(client)
//
// It needs Redis 7.0 or Valkey, alone, with Sentinel or as a Cluster. Every
// decision is one script with the server's clock, so that nodes whose clocks
// differ agree.
//
// # Keys
//
// What is known of nodes is in one slot, and each scope, a room or everywhere
// for one user, in one of its own:
//
//	PREFIX{n:}:leases    sorted set: each node, by when its lease lapses
//	PREFIX{n:}:lapsed    sorted set: dead nodes that are cleared away, by until when they are refused
//	PREFIX{n:}:heirs     hash: which node clears which dead one away
//	PREFIX{n:}:places    sorted set: the scopes in which each node may have entries
//	PREFIX{n:}:tokens    hash: when each of them was claimed
//
//	PREFIX{pr:ROOM}:entries   hash: the connections of each user; {pu:USER} for a user everywhere
//	PREFIX{pr:ROOM}:order     sorted set: the users in the order of their IDs, and those that each node has entries of
//	PREFIX{pr:ROOM}:batches   hash: the last batch of each node and its answer, in case that got lost
//	PREFIX{pr:ROOM}:due       sorted set: which of those are to be forgotten when
//	PREFIX{pu:USER}:seen      string: when a user who is not visible last was
//
// Room and user are written as they are, but for bytes other than letters,
// digits and a few signs, which become %XX.
//
// # What it costs
//
// A beat is one command, whatever the number of users. Joining and leaving is
// one each in a room that the node has users in, and two for the first to join
// there: a node claims a scope before it writes entries into it, so that
// whoever clears it away when it has died finds them all. The claims of scopes
// that nobody is in any more are released along with the next claim or beat.
// Nothing grows with the number of users in a room, but the pages of a list
// with what is on them. A sweep is two for each room that the node has users in
// and one for each that it has just left; writing a room anew that was lost is
// three for every 256 users.
//
// # What Redis must do
//
// Set maxmemory-policy to noeviction. What Redis loses is written anew by the
// nodes, with their next beat if it was everything and with their next sweep if
// it was a part; and what a failover brings back is removed by them (see
// [presence.Tracker]). When that is to happen says [Store.Lineage]: package room
// asks every two seconds. An ACL must allow INFO for it, and CLUSTER SLOTS in a
// Cluster. In a Cluster that loses a claim in a failover, or that a node has left,
// together with that node before it has swept, the node's entries in that scope
// stay until somebody removes them.
//
// Entries do not expire: they wait for a node that announces who has left. When
// all nodes are gone for good, so that none does, delete the keys.
package redispresence
