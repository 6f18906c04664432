// Package jwtauth authenticates clients by JSON Web Tokens (RFC 7519) that are signed in the compact form (RFC 7515).
//
// The way of one token through the package, each step only after the one before it:
//
//  1. The cache: a token that was verified before and is still good under the same key needs nothing more.
//  2. Its shape: at most 8 KiB, three segments of canonical base64url, a header with nothing but alg, typ and kid, and
//     JSON without duplicate names. Headers that would have a verifier fetch, trust or skip something (jku, x5u, jwk,
//     x5c, crit, b64 and all others) end here, and so do unsigned and encrypted tokens.
//  3. The issuer: the iss claim, not trusted yet, says whose keys to take. An issuer that is not listed ends here.
//  4. The key: found by kid among the issuer's own. The key says which algorithms it is good for; the header's alg must
//     be one of those and of the issuer's list.
//  5. The signature, checked by github.com/lestrrat-go/jwx/v3.
//  6. The claims: exp, sub and aud must be there and right, nbf and iat must be right if they are there.
//  7. The identity: claims become fields by the issuer's [ClaimNames] and then its Identify function.
//
// Keys are given to New, or fetched from the issuer's JWKS (RFC 7517) in the background; see [Issuer]. Each check that
// a host can leave out has a name that begins with Insecure.
package jwtauth
