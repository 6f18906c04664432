package jwtauth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
)

// Key is a key that verifies signatures. Make one with [HMAC], [PublicKey] or [PEM]. It may hold a secret; fmt, log/slog
// and encoding/json show its ID and kind only.
type Key struct {
	id       string
	material any
}

// HMAC returns a key for HS256, and where [Issuer].Algorithms names them HS384 and HS512. The secret must have at least
// 32, 48 and 64 bytes (RFC 7518 section 3.2); it is copied. Everybody who can verify a token can make one, so this is
// for an application that checks its own tokens.
//
// id is the kid of the tokens. Empty: the key is tried for tokens of a fitting alg that have no kid.
func HMAC(id string, secret []byte) Key {
	return Key{id: id, material: bytes.Clone(secret)}
}

// PublicKey returns a key for the algorithms that fit: RS and PS for an [*rsa.PublicKey] of 2,048 to 8,192 bits, ES256,
// ES384 or ES512 for an [*ecdsa.PublicKey] of that curve, EdDSA for an [ed25519.PublicKey]. id is as in [HMAC].
func PublicKey(id string, key crypto.PublicKey) Key {
	return Key{id: id, material: key}
}

// PEM returns the key of a PEM block, PUBLIC KEY (PKIX) or CERTIFICATE. Of a certificate only the key counts. id is as
// in [HMAC].
func PEM(id string, text []byte) (Key, error) {
	block, rest := pem.Decode(text)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return Key{}, errors.New("jwtauth: not one PEM block; give the file with the public key alone")
	}
	switch block.Type {
	case "PUBLIC KEY":
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return Key{}, fmt.Errorf("jwtauth: PEM public key: %w", err)
		}
		return PublicKey(id, key), nil
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return Key{}, fmt.Errorf("jwtauth: PEM certificate: %w", err)
		}
		return PublicKey(id, cert.PublicKey), nil
	default:
		return Key{}, fmt.Errorf("jwtauth: PEM block %.40q; give a PUBLIC KEY or CERTIFICATE", block.Type)
	}
}

// String shows the ID and the kind of key, never a secret.
func (k Key) String() string {
	kind := "key"
	switch k.material.(type) {
	case []byte:
		kind = "HMAC"
	case *rsa.PublicKey:
		kind = "RSA"
	case *ecdsa.PublicKey:
		kind = "EC"
	case ed25519.PublicKey:
		kind = "Ed25519"
	}
	return fmt.Sprintf("%s(%q)", kind, k.id)
}

// Format implements [fmt.Formatter]. It writes String for every verb.
func (k Key) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, k.String())
}

// MarshalText implements [encoding.TextMarshaler] with the form of String.
func (k Key) MarshalText() ([]byte, error) {
	return []byte(k.String()), nil
}

// LogValue implements [slog.LogValuer].
func (k Key) LogValue() slog.Value {
	return slog.StringValue(k.String())
}

// fitting returns the algorithms that material is good for, or an error that says why it is good for none.
func fitting(material any) ([]string, error) {
	switch key := material.(type) {
	case []byte:
		switch n := len(key); {
		case n >= 64:
			return []string{"HS256", "HS384", "HS512"}, nil
		case n >= 48:
			return []string{"HS256", "HS384"}, nil
		case n >= 32:
			return []string{"HS256"}, nil
		default:
			return nil, fmt.Errorf("a secret of %d bytes can be guessed; use 32 random ones or more", n)
		}
	case *rsa.PublicKey:
		if key == nil || key.N == nil {
			return nil, errors.New("the RSA key is nil")
		}
		if n := key.N.BitLen(); n < 2048 || n > 8192 {
			return nil, fmt.Errorf("an RSA key of %d bits; use 2048 to 8192", n)
		}
		if key.E < 3 || key.E%2 == 0 {
			return nil, errors.New("the RSA key's exponent is not odd and at least 3")
		}
		return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, nil
	case *ecdsa.PublicKey:
		if key == nil || key.Curve == nil {
			return nil, errors.New("the EC key is nil")
		}
		if _, err := key.ECDH(); err != nil {
			return nil, errors.New("the EC key is not on its curve, or that is not P-256, P-384 or P-521")
		}
		switch key.Curve {
		case elliptic.P256():
			return []string{"ES256"}, nil
		case elliptic.P384():
			return []string{"ES384"}, nil
		case elliptic.P521():
			return []string{"ES512"}, nil
		}
		return nil, errors.New("the EC key's curve is not P-256, P-384 or P-521")
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return nil, errors.New("the Ed25519 key does not have 32 bytes")
		}
		return []string{"EdDSA", "Ed25519"}, nil
	case *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey:
		return nil, errors.New("a private key; give its Public()")
	default:
		return nil, fmt.Errorf("a key of type %T; use a *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey", material)
	}
}

// verifier is a key with the algorithms that are accepted from it.
type verifier struct {
	id       string
	material any
	algs     []string
}

func (v *verifier) fits(alg string) bool {
	return slices.Contains(v.algs, alg)
}

// newVerifier fits material to the accepted algorithms.
func newVerifier(id string, material any, accepted []string) (*verifier, error) {
	algs, err := fitting(material)
	if err != nil {
		return nil, err
	}
	algs = slices.DeleteFunc(algs, func(alg string) bool { return !slices.Contains(accepted, alg) })
	if len(algs) == 0 {
		return nil, errors.New("the key fits none of the accepted algorithms")
	}
	return &verifier{id: id, material: material, algs: algs}, nil
}
