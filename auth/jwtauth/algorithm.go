package jwtauth

import "github.com/lestrrat-go/jwx/v3/jwa"

// algorithmNames are the alg values (RFC 7518 section 3.1, RFC 8037, RFC 9864) that this package can accept. What is not
// here is refused whatever keys there are: none above all, and ES256K, which the standard library does not have.
func algorithmNames() []string {
	return append(defaultAlgorithms(), "HS384", "HS512")
}

func defaultAlgorithms() []string {
	return []string{
		"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "HS256",
	}
}

// algorithm returns jwx's value for a name of algorithmNames.
func algorithm(name string) (alg jwa.SignatureAlgorithm, ok bool) {
	switch name {
	case "RS256":
		return jwa.RS256(), true
	case "RS384":
		return jwa.RS384(), true
	case "RS512":
		return jwa.RS512(), true
	case "PS256":
		return jwa.PS256(), true
	case "PS384":
		return jwa.PS384(), true
	case "PS512":
		return jwa.PS512(), true
	case "ES256":
		return jwa.ES256(), true
	case "ES384":
		return jwa.ES384(), true
	case "ES512":
		return jwa.ES512(), true
	case "EdDSA":
		return jwa.EdDSA(), true
	case "Ed25519":
		return jwa.EdDSAEd25519(), true
	case "HS256":
		return jwa.HS256(), true
	case "HS384":
		return jwa.HS384(), true
	case "HS512":
		return jwa.HS512(), true
	default:
		return jwa.EmptySignatureAlgorithm(), false
	}
}
