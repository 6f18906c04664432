// Package limit bounds how much and how fast: rates, counts, and whom to
// count them against.
//
// A [Rate] says how many events are admitted per time, with a burst. There are
// two ways to apply one:
//
//   - A [Limiter] keeps the state of many keys. [NewMemory] is the one for a
//     single process.
//   - A [Bucket] is the state of one key as a plain value, for a limit that
//     belongs to something which has one owner already, such as a connection.
//
// Both are the generic cell rate algorithm (GCRA, ITU-T I.371 annex A) in exact
// integer arithmetic: three events per second are three, not three less the
// rounding of a third of a second.
//
// A [Gauge] caps how many of something exist at once, such as connections from
// one address.
//
// A [ClientIP] finds the address a request comes from without believing
// headers that the client could have written. [Middleware] puts a Limiter in
// front of an http.Handler.
//
// Package limittest has the conformance suite for implementations of Limiter.
package limit
