// Package auth says who a client is and what it may do, and keeps that true while it is connected.
//
// The way of one connection through the package:
//
//   - [Sources.Find] takes the token out of the handshake request and says where it stood ([Credentials]).
//   - An [Authenticator] turns the credentials into an [Identity]. Package auth/jwtauth has one for signed tokens,
//     [Tickets] is one for applications that sign users in with a cookie, and [Any] combines several.
//   - [SessionStore] begins a [Session] for that identity, unless a [Revocation] covers it. Later frames are
//     authorised from the session; the token is not parsed again. Revoking ends sessions and keeps their credentials
//     from coming back.
//   - [Identity.Can] narrows what the identity may do, room by room, where it carries capabilities.
//
// The stores that are here keep what they have in the memory of one process ([MemorySessions], [MemoryTickets],
// [MemoryRevocations]). Package auth/authtest has the suites that these pass and that every other one has to.
//
// Everything fails closed: an error that an Authenticator returns refuses the connection, whatever it is.
//
// Tokens and tickets are secrets. No type of this package prints one, whether through fmt, log/slog or encoding/json;
// the identifiers that it does print (user, session, token ID) are not credentials.
package auth
