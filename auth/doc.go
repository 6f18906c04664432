// Package auth says who a client is and what it may do, and keeps that true while it is connected.
//
// The way of one connection through the package:
//
//   - [Sources.Find] takes the token out of the handshake request and says where it stood ([Credentials]).
//   - An [Authenticator] turns the credentials into an [Identity]. Package auth/jwtauth has one for signed tokens,
//     [Tickets] is one for applications that sign users in with a cookie, and [Any] combines several.
//   - [SessionStore] begins a [Session] for that identity, unless a [Revocation] covers it. Later frames are
//     authorised from the session; the token is not parsed again.
//   - [Identity.Can] narrows what the identity may do, room by room, where it carries capabilities.
//
// Everything fails closed: an error that an Authenticator returns refuses the connection, whatever it is.
//
// Tokens and tickets are secrets. No type of this package prints one, whether through fmt, log/slog or encoding/json;
// the identifiers that it does print (user, session, token ID) are not credentials.
package auth
