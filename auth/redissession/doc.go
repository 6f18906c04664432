// Package redissession keeps sessions, revocations and tickets in Redis, so that all nodes share them. It takes the place
// of [auth.MemorySessions] and [auth.MemoryTickets]:
//
//	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{"127.0.0.1:6379"}})
//	…
//	sessions := redissession.NewSessions(client)
//	tickets := redissession.NewTickets(client)
//
// It needs Redis 7.0 or Valkey, alone, with Sentinel or as a Cluster. Every decision is one script with the server's
// clock, so that nodes whose clocks differ agree. All that is kept expires by itself, but for revocations that are to be
// kept for ever.
//
// # Keys
//
// All keys of one user are in one slot:
//
//	PREFIX{u:TAG}:sessions  hash: state, identity, place and rooms of each session
//	PREFIX{u:TAG}:live      sorted set: the IDs of the sessions, by expiry
//	PREFIX{u:TAG}:ended     sorted set: the IDs of the revoked sessions, by when that may be forgotten
//	PREFIX{u:TAG}:tokens    sorted set: digests of the revoked token IDs, by when that may be forgotten
//	PREFIX{u:TAG}:before    string: the time before which all that was issued is revoked, and until when that holds
//	PREFIX{u:TAG}:tickets   list: the user's last tickets
//	PREFIX{t:KEY}           string: one ticket
//
// TAG is a digest of 160 bits of the user's ID in 32 characters of base32, the first 20 bytes of its SHA-256. A session's
// ID is 26 random characters (130 bits) and the TAG, so it leads to the user's slot without a second lookup, has the same
// length for everyone and does not say who the user is. [Tag] returns it, to look at a user's keys by hand.
//
// # What Redis must do
//
// Set maxmemory-policy to noeviction: a server that evicts keys may evict a revocation. What Redis loses is lost here:
// without persistence a restart forgets revocations, and a failover may lose the last writes. Reads go to the primary
// unless the client is told to send scripts to replicas; do not tell it so, because replicas learn of a revocation late.
//
// Text that is not UTF-8 in an identity comes back as package encoding/json would read it.
package redissession
