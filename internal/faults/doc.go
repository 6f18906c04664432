// Package faults has no code. Its tests run servers on real Redis processes,
// with hundreds of clients, break what can break, and compare what the clients
// got with what was acknowledged to them.
//
//	go test .                                   a run for CI, in under two minutes
//	go test -faults.for 20m -timeout 30m .      a long one
//	go test -faults.seed 7 -run Storm -v .      the same script of faults again, with its tables
//	go test -faults.figures out.md .            the tables in a file
//
// Every run logs its seed. Where there is no redis-server the tests skip, and
// say so.
//
// # How it works
//
// Guests ([guest]) are clients with a protocol implementation of their own.
// Each is in a room with history and, half of them, in one without. They say
// something now and then, or several things in one breath, with an ID each, and
// say it again with the same ID until it is acknowledged, across connections. An
// oracle hears of everything that is acknowledged and everything that anyone
// gets. It knows of no server's state: what it finds wrong is what a client could
// see. A moderator kicks, bans and revokes meanwhile, guests hang up and come
// back, and a hoarder wants more connections than a user may have.
//
// Each fault is a step. After it everything has to be as before, within the
// time that the step allows, and every violation is counted in the step in
// which it was seen. TestOracle has brokers and stores with one bug each, to
// see that each invariant can be found broken.
package faults
